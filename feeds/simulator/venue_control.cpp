#include <array>
#include <charconv>
#include <limits>
#include <optional>

#include "feeds/json_text.hpp"
#include "feeds/simulator/venue.hpp"

// What goes wrong on demand with the market, its frames and REST.

namespace atcd::feeds::simulator {
namespace {

constexpr std::int64_t kLongestAdvanceMs = 31LL * 86'400'000;
constexpr std::int64_t kLongestJumpMs = 86'400'000;
constexpr std::int64_t kLongestDelayMs = 86'400'000;
constexpr std::int64_t kMostFrames = 1'000'000;
constexpr std::int64_t kMostBytes = 16'000'000;  // below what a client may leave unread
constexpr std::int64_t kUsualBytes = 5'000'000;
constexpr std::int64_t kUsualDelayMs = 5000;
constexpr std::int64_t kMostBarsAgo = 1000;
constexpr std::int64_t kMostAnswers = 10'000;
constexpr std::int64_t kMostSeconds = 3600;
constexpr std::int64_t kLargestContract = 1'000'000;
constexpr std::size_t kMostRows = 10'000;

RestAnswer refused(std::string_view message) {
  RestAnswer answer{400, "{\"error\":", {}};
  append_json_string(answer.body, message);
  answer.body += '}';
  return answer;
}

RestAnswer done() { return {200, "{}", {}}; }

struct Range {
  std::int64_t otherwise, least, most;  // the first where it is not told
};

/// A whole number within the range; empty for anything else.
std::optional<std::int64_t> read_number(const Target& target, std::string_view name, const Range& range) {
  if (!target.has(name)) return range.otherwise;
  const std::string_view text = target.value(name);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < range.least || value > range.most)
    return std::nullopt;
  return value;
}

RestAnswer out_of(std::string_view name, const Range& range) {
  return refused(std::string(name) + " must be a whole number from " + std::to_string(range.least) + " to " +
                 std::to_string(range.most));
}

constexpr Range kCount{1, 1, kMostFrames};

void append_shortest(std::string& out, double value) {
  std::array<char, 32> digits;  // the longest shortest form of a double has 24 characters
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

}  // namespace

RestAnswer Venue::truth(const Target& target) const {
  const auto symbol = source().find(target.value("symbol"));
  const auto interval = engine::Interval::parse(target.value("interval"));
  const Range times{0, 0, std::numeric_limits<std::int64_t>::max()};
  const auto from_ms = read_number(target, "from_ms", times);
  if (!symbol || !interval || !from_ms) return refused("a known symbol, an interval and from_ms are needed");
  const std::int64_t now_ms = clock_.now_ms();
  std::string body = "[";
  for (const Kline& row : source().klines({*symbol, *interval, *from_ms, now_ms, kMostRows, now_ms})) {
    if (row.bar.close_time_ms > now_ms) break;
    body += (body.size() > 1 ? ",[" : "[") + std::to_string(row.bar.open_time_ms) + "," +
            std::to_string(row.bar.close_time_ms);
    for (const double value : {row.bar.open, row.bar.high, row.bar.low, row.bar.close, row.bar.volume}) {
      body += ',';
      append_shortest(body, value);
    }
    body += ']';
  }
  return {200, body + "]", {}};
}

std::optional<RestAnswer> Venue::control(FaultKind kind, const Target& target) {
  switch (kind) {
    case FaultKind::cut:
    case FaultKind::stall:
    case FaultKind::silence:
    case FaultKind::turn_away:
      return std::nullopt;
    case FaultKind::advance:
      return advance(target);
    case FaultKind::play:
      if (!playback_) return refused("play: there is no recording");
      play_at_ = Real::now();
      return done();
    case FaultKind::jump_clock:
      return jump_clock(target);
    case FaultKind::rest:
      return spoil_rest(target);
    case FaultKind::early_data: {
      const auto count = read_number(target, "count", kCount);
      if (!count) return out_of("count", kCount);
      faults_.early_data += *count;
      return done();
    }
    default:
      break;
  }
  const bool ends = kind == FaultKind::allow || kind == FaultKind::resume || kind == FaultKind::relist;
  if (ends && !target.has("symbol")) return end_for_all(kind);
  const auto symbol = source().find(target.value("symbol"));
  if (!symbol) return refused("symbol \"" + std::string(target.value("symbol")) + "\" is unknown");
  return control_symbol(kind, target, *symbol);
}

RestAnswer Venue::advance(const Target& target) {
  const auto ms = read_number(target, "ms", {0, 1, kLongestAdvanceMs});
  if (!ms || *ms == 0 || playback_)
    return refused("advance: ms must be a whole number from 1 to " + std::to_string(kLongestAdvanceMs) +
                   ", and no recording be played");
  clock_.advance(*ms);
  return {200, "{\"now_ms\":" + std::to_string(clock_.now_ms()) + "}", {}};
}

RestAnswer Venue::jump_clock(const Target& target) {
  const Range range{0, -kLongestJumpMs, kLongestJumpMs};
  const auto ms = read_number(target, "ms", range);
  if (!ms) return out_of("ms", range);
  faults_.clock_offset_ms = *ms;
  return {200, "{\"told_ms\":" + std::to_string(told_ms()) + "}", {}};
}

RestAnswer Venue::replace(const Target& target, const std::string& symbol) {
  const MarketSymbol& about = market_->symbols()[*market_->find(symbol)];
  const auto [listing, added] =
      faults_.replaced.try_emplace(symbol, Faults::Listing{about.listed_ms, about.contract_size});
  const Range times{listing->second.listed_ms, 0, std::numeric_limits<std::int64_t>::max()};
  const Range sizes{0, 1, kLargestContract};
  const auto listed_ms = read_number(target, "listed_ms", times);
  const auto size = read_number(target, "contract_size", sizes);
  if (!listed_ms) return out_of("listed_ms", times);
  if (!size) return out_of("contract_size", sizes);
  listing->second.listed_ms = *listed_ms;
  if (*size > 0) listing->second.contract_size = static_cast<double>(*size);
  return done();
}

RestAnswer Venue::spoil_rest(const Target& target) {
  const Range answers{1, 1, kMostAnswers}, time{0, 0, kMostSeconds};
  const auto count = read_number(target, "count", answers);
  const auto seconds = read_number(target, "seconds", time);
  if (!count) return out_of("count", answers);
  if (!seconds) return out_of("seconds", time);
  const auto fault = RestFault::parse(target.value("how"), std::chrono::seconds(*seconds));
  if (!fault) return refused("how must be " + RestFault::known());
  faults_.rest.assign(static_cast<std::size_t>(*count), *fault);
  return done();
}

RestAnswer Venue::end_for_all(FaultKind kind) {
  for (std::size_t i = 0; market_ && i < market_->symbols().size(); ++i) {
    if (kind == FaultKind::resume || faults_.delisted.contains(market_->symbols()[i].symbol))
      market_->resume(i, clock_.now_ms());
  }
  if (kind == FaultKind::allow) faults_.refused.clear();
  if (kind == FaultKind::relist) faults_.delisted.clear();
  return done();
}

RestAnswer Venue::control_symbol(FaultKind kind, const Target& target, std::size_t symbol) {
  const std::string& name = source().symbols()[symbol].symbol;
  if (kind == FaultKind::refuse || kind == FaultKind::allow) {
    kind == FaultKind::refuse ? void(faults_.refused.insert(name)) : void(faults_.refused.erase(name));
    return done();
  }
  if (!market_) return refused("a recording is played as it is: only refuse and allow are possible");
  switch (kind) {
    case FaultKind::correct: {
      const Range range{1, 1, kMostBarsAgo};
      const auto bars_ago = read_number(target, "bars_ago", range);
      if (!bars_ago) return out_of("bars_ago", range);
      const auto corrected = streams_->correct(symbol, *bars_ago, clock_.now_ms());
      return {200, "{\"corrected\":" + std::to_string(corrected) + "}", {}};
    }
    case FaultKind::halt:
      market_->halt(symbol, clock_.now_ms());
      return done();
    case FaultKind::resume:
      market_->resume(symbol, clock_.now_ms());
      return done();
    case FaultKind::delist:
      market_->halt(symbol, clock_.now_ms());
      faults_.delisted.insert(name);
      return done();
    case FaultKind::replace:
      return replace(target, name);
    case FaultKind::relist:
      if (faults_.delisted.erase(name) > 0) market_->resume(symbol, clock_.now_ms());
      return done();
    default:
      return spoil_frames(kind, target, name);
  }
}

RestAnswer Venue::spoil_frames(FaultKind kind, const Target& target, const std::string& symbol) {
  const Range bytes_range{kUsualBytes, 1, kMostBytes}, byte_range{1, 0, 255},
      delay_range{kUsualDelayMs, 1, kLongestDelayMs};
  const auto count = read_number(target, "count", kCount);
  const auto bytes = read_number(target, "bytes", bytes_range);
  const auto byte = read_number(target, "byte", byte_range);
  const auto delay_ms = read_number(target, "ms", delay_range);
  if (!count) return out_of("count", kCount);
  if (!bytes) return out_of("bytes", bytes_range);
  if (!byte) return out_of("byte", byte_range);
  if (!delay_ms) return out_of("ms", delay_range);
  if (kind == FaultKind::oversize) faults_.oversize_bytes = static_cast<std::size_t>(*bytes);
  if (kind == FaultKind::corrupt) faults_.corrupt_byte = static_cast<char>(*byte);
  if (kind == FaultKind::delay_closing) faults_.delay_ms = *delay_ms;
  faults_.due[{kind, symbol}] += *count;
  return done();
}

}  // namespace atcd::feeds::simulator
