#include "feeds/simulator/exchange_state.hpp"

#include <algorithm>
#include <charconv>

#include "feeds/simulator/binance_wire.hpp"

namespace atcd::feeds::simulator {
namespace {

// A closing frame follows its bar's end after this long on the market's clock.
constexpr std::int64_t kClosingDelayMs = 150;
constexpr std::int64_t kMaxRows = 1000;
constexpr std::int64_t kDefaultRows = 500;
constexpr int kInvalidSymbol = -1121, kInvalidInterval = -1120, kIllegalParameter = -1100,
              kTooManyRequests = -1003;

std::int64_t to_integer(const std::map<std::string, std::string>& query, const std::string& key,
                        std::int64_t otherwise) {
  const auto found = query.find(key);
  if (found == query.end()) return otherwise;
  std::int64_t value = otherwise;
  const char* end = found->second.data() + found->second.size();
  const auto read = std::from_chars(found->second.data(), end, value);
  return read.ec == std::errc{} && read.ptr == end ? value : otherwise;
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return result;
}

}  // namespace

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

std::map<std::string, std::string> query_of(std::string_view target) {
  std::map<std::string, std::string> query;
  const auto mark = target.find('?');
  if (mark == std::string_view::npos) return query;
  std::string_view rest = target.substr(mark + 1);
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find('&'));
    rest = pair.size() == rest.size() ? "" : rest.substr(pair.size() + 1);
    const auto equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    query[std::string(pair.substr(0, equals))] = std::string(pair.substr(equals + 1));
  }
  return query;
}

ExchangeState::ExchangeState(std::uint64_t seed, std::size_t symbols, Clock clock, std::int64_t weight_limit)
    : market_(seed, symbols), clock_(clock), weight_limit_(weight_limit) {}

// ---- streams
// --------------------------------------------------------------------------------------------------------

std::optional<ExchangeState::OpenStream> ExchangeState::parse_stream(std::string_view name) const {
  const auto at = name.find("@kline_");
  if (at == std::string_view::npos) return std::nullopt;
  const auto symbol = market_.find(upper(name.substr(0, at)));
  const std::string interval_text(name.substr(at + 7));
  const auto interval = engine::Interval::parse(interval_text);
  if (!symbol || !interval) return std::nullopt;
  return OpenStream{*symbol, interval_text, *interval, interval->close_time_ms(clock_.now_ms())};
}

bool ExchangeState::is_stream(std::string_view name) const { return parse_stream(name).has_value(); }

bool ExchangeState::is_refused(std::string_view name) const {
  return refused_.contains(upper(name.substr(0, name.find('@'))));
}

void ExchangeState::open(const std::string& stream) {
  if (const auto parsed = parse_stream(stream)) open_.emplace(stream, *parsed);
}

void ExchangeState::close(const std::string& stream) { open_.erase(stream); }

std::vector<ExchangeState::Due> ExchangeState::due(bool forming) {
  std::vector<Due> frames;
  const std::int64_t now_ms = clock_.now_ms();
  for (auto& [name, stream] : open_) {
    const std::string& symbol = market_.symbols()[stream.symbol].symbol;
    if (halted_.contains(symbol)) continue;
    const auto add = [&](std::int64_t time_ms, bool closed) {
      const auto bar = market_.bar(stream.symbol, stream.interval, time_ms, now_ms);
      if (!bar) return;
      frames.push_back({name, kline_frame(symbol, stream.interval_text, *bar, closed, now_ms, false),
                        kline_frame(symbol, stream.interval_text, *bar, closed, now_ms, true), closed});
    };
    while (stream.next_close_ms + kClosingDelayMs <= now_ms) {
      const std::int64_t closing_ms = stream.next_close_ms;
      stream.next_close_ms = stream.interval.close_time_ms(closing_ms);
      if (auto withheld = withheld_.find(symbol); withheld != withheld_.end() && withheld->second > 0) {
        --withheld->second;
        continue;
      }
      add(closing_ms - 1, true);
      ++closing_sent_;
    }
    if (forming && now_ms < stream.next_close_ms) add(now_ms, false);
  }
  // A burst comes boundary by boundary, as the exchange would have sent it.
  return frames;
}

// ---- REST
// -----------------------------------------------------------------------------------------------------------

bool ExchangeState::take_weight(std::int64_t weight, std::int64_t real_ms) {
  if (real_ms / 60'000 != weight_minute_) {
    weight_minute_ = real_ms / 60'000;
    used_weight_ = 0;
  }
  used_weight_ += weight;
  return used_weight_ <= weight_limit_;
}

RestAnswer ExchangeState::get(std::string_view target, std::int64_t real_ms) {
  const std::string_view path = path_of(target);
  const std::string_view call = path.substr(path.rfind('/') + 1);
  const std::int64_t weight = call == "klines" ? 2 : call == "exchangeInfo" ? 20 : call == "24hr" ? 80 : 1;
  if (!take_weight(weight, real_ms)) {
    const auto left_s = static_cast<int>(60 - real_ms / 1000 % 60);
    return {429,
            error_body(kTooManyRequests, "Too many requests; please use the websocket for live updates."),
            left_s};
  }
  if (call == "klines") return klines(query_of(target));
  if (call == "exchangeInfo") return {200, exchange_info()};
  if (call == "24hr") return {200, tickers()};
  if (call == "time") return {200, R"({"serverTime":)" + std::to_string(clock_.now_ms()) + "}"};
  if (call == "ping") return {200, "{}"};
  return {404, error_body(kIllegalParameter, "Not found")};
}

RestAnswer ExchangeState::klines(const std::map<std::string, std::string>& query) {
  const auto symbol_text = query.find("symbol"), interval_text = query.find("interval");
  const auto symbol = symbol_text == query.end() ? std::nullopt : market_.find(symbol_text->second);
  if (!symbol) return {400, error_body(kInvalidSymbol, "Invalid symbol.")};
  const auto interval =
      interval_text == query.end() ? std::nullopt : engine::Interval::parse(interval_text->second);
  if (!interval) return {400, error_body(kInvalidInterval, "Invalid interval.")};
  const std::int64_t now_ms = clock_.now_ms();
  const std::int64_t limit = std::clamp<std::int64_t>(to_integer(query, "limit", kDefaultRows), 1, kMaxRows);
  const std::int64_t end_ms = std::min(to_integer(query, "endTime", now_ms), now_ms);
  const std::int64_t last = interval->ordinal(end_ms);
  std::int64_t first = last - limit + 1;
  if (query.contains("startTime")) {
    const std::int64_t start_ms =
        std::max(to_integer(query, "startTime", 0), market_.symbols()[*symbol].listed_ms);
    first = interval->ordinal(std::max<std::int64_t>(start_ms, 1) - 1) +
            1;  // the first that opens at or after it
  }
  std::string body = "[";
  for (std::int64_t ordinal = first; ordinal <= last && ordinal < first + limit; ++ordinal) {
    const auto bar = market_.bar(*symbol, *interval, interval->open_time_ms(ordinal), now_ms);
    if (bar) body += (body.size() > 1 ? "," : "") + kline_row(*bar);
  }
  return {200, body + "]"};
}

std::string ExchangeState::exchange_info() const {
  std::string body =
      R"({"timezone":"UTC","serverTime":)" + std::to_string(clock_.now_ms()) + R"(,"symbols":[)";
  bool first = true;
  for (const MarketSymbol& symbol : market_.symbols()) {
    const bool halted = halted_.contains(symbol.symbol);
    body += std::string(first ? "" : ",") + R"({"symbol":")" + symbol.symbol + R"(","status":")" +
            (halted ? "BREAK" : "TRADING") + R"(","baseAsset":")" + symbol.base + R"(","quoteAsset":")" +
            symbol.quote + R"(","contractType":"PERPETUAL","onboardDate":)" +
            std::to_string(symbol.listed_ms) + "}";
    first = false;
  }
  return body + "]}";
}

std::string ExchangeState::tickers() const {
  std::string body = "[";
  for (std::size_t i = 0; i < market_.symbols().size(); ++i) {
    // The order of the list is the order of size.
    const std::string volume = decimal(1e9 / static_cast<double>(i + 1));
    body += std::string(i == 0 ? "" : ",") + R"({"symbol":")" + market_.symbols()[i].symbol +
            R"(","lastPrice":")" + decimal(market_.symbols()[i].price) + R"(","quoteVolume":")" + volume +
            R"("})";
  }
  return body + "]";
}

// ---- faults
// ---------------------------------------------------------------------------------------------------------

bool ExchangeState::control(std::string_view target, RestAnswer& answer) {
  const std::string_view path = path_of(target);
  const auto query = query_of(target);
  const auto symbol_text = query.find("symbol");
  const std::string symbol = symbol_text == query.end() ? "" : symbol_text->second;
  answer = {200, "{}"};
  if (path == "/sim/advance") {
    clock_.advance(to_integer(query, "ms", 0));
    return true;
  }
  if (path != "/sim/withhold_closing" && path != "/sim/refuse" && path != "/sim/halt") return false;
  if (!market_.find(symbol)) {
    answer = {400, error_body(kInvalidSymbol, "Invalid symbol.")};
  } else if (path == "/sim/withhold_closing") {
    withheld_[symbol] += to_integer(query, "count", 1);
  } else {
    (path == "/sim/refuse" ? refused_ : halted_).insert(symbol);
  }
  return true;
}

}  // namespace atcd::feeds::simulator
