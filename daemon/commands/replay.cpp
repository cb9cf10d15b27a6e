#include <simdjson.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "daemon/commands/commands.hpp"
#include "daemon/gzip_reader.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "feeds/exchange.hpp"
#include "feeds/json_text.hpp"

namespace atcd::daemon {
namespace {

struct Typed {
  std::string exchange;
  std::string market = "spot";
  std::vector<std::string> files;
  bool bars = false;
};

constexpr std::size_t kLongestLine = 8U << 20;
constexpr std::size_t kChunk = 1U << 16;

/// The lines of a file, gzip or plain; "-" is standard input.
class LineReader {
 public:
  explicit LineReader(const std::string& path) : file_(path), chunk_(kChunk) {
    if (!file_.opened()) error_ = "cannot be opened";
  }

  /// False at the end, and at an error. `line` has the padding that a parser wants behind it; of a line
  /// beyond the limit it has the beginning, and more than the limit.
  bool next(std::string& line) {
    line.clear();
    // What a file that is cut off still gives comes before the error.
    while (at_ < end_ || (error_.empty() && fill())) {
      const std::string_view rest(chunk_.data() + at_, end_ - at_);
      const auto newline = rest.find('\n');
      const std::string_view part = rest.substr(0, newline);
      if (line.size() <= kLongestLine) line += part;
      at_ += part.size();
      if (newline == std::string_view::npos) continue;
      ++at_;
      line.reserve(line.size() + simdjson::SIMDJSON_PADDING);
      return true;
    }
    if (line.empty() || !error_.empty()) return false;
    line.reserve(line.size() + simdjson::SIMDJSON_PADDING);
    return true;
  }
  const std::string& error() const { return error_; }

 private:
  bool fill() {
    at_ = 0;
    end_ = file_.read(chunk_.data(), chunk_.size());
    const std::string& why = file_.error();
    if (!why.empty()) error_ = why == GzipReader::kCutOff ? "is cut off" : "cannot be read: " + why;
    return end_ > 0;
  }

  GzipReader file_;
  std::vector<char> chunk_;
  std::size_t at_ = 0, end_ = 0;
  std::string error_;
};

/// One JSON object a line, written in large pieces.
class JsonLines {
 public:
  void begin() { text_ += '{'; }
  void end() {
    text_.back() = '}';  // in the place of the last comma
    text_ += '\n';
    if (text_.size() >= kChunk) flush();
  }
  void field(std::string_view name, std::string_view value) {
    key(name);
    feeds::append_json_string(text_, value);
    text_ += ',';
  }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void field(std::string_view name, Number value) {
    key(name);
    if (std::isfinite(static_cast<double>(value))) {
      std::array<char, 32> digits{};
      const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
      text_.append(digits.data(), result.ptr);
    } else {
      text_ += "null";
    }
    text_ += ',';
  }
  bool flush() {
    failed_ = failed_ || std::fwrite(text_.data(), 1, text_.size(), stdout) != text_.size();
    text_.clear();
    return std::fflush(stdout) == 0 && !failed_;
  }

 private:
  void key(std::string_view name) {
    text_ += '"';
    text_ += name;
    text_ += "\":";
  }

  std::string text_;
  bool failed_ = false;
};

/// Takes frames as a connection would hand them over, and prints what closed.
class Replay final : private feeds::FrameSink {
 public:
  Replay(const feeds::Exchange& exchange, bool bars)
      : parser_(exchange.new_parser()),
        plan_(bars ? nullptr : std::make_shared<const engine::Plan>(engine::Parameters{})) {}

  void frame(std::string_view frame) {
    ++frames_;
    const feeds::FrameResult result = frame.size() > kLongestLine
                                          ? feeds::FrameResult{feeds::FrameKind::malformed, 0, "too long"}
                                          : parser_->parse(frame, *this);
    ++kinds_.at(static_cast<std::size_t>(result.kind));
    if (result.kind == feeds::FrameKind::malformed && first_malformed_.empty())
      first_malformed_ = "frame " + std::to_string(frames_) + ": " + std::string(result.text);
  }

  bool flush() { return lines_.flush(); }

  void summary(std::ostream& out) const {
    constexpr std::array<const char*, 9> kNames = {"klines", "trades",  "ack",     "refusal",  "ping",
                                                   "pong",   "closing", "ignored", "malformed"};
    static_assert(kNames.size() == std::tuple_size_v<decltype(kinds_)>);
    out << "frames=" << frames_;
    for (std::size_t i = 0; i < kNames.size(); ++i) out << ' ' << kNames[i] << '=' << kinds_[i];
    out << " closed=" << closed_ << " forming=" << forming_ << " duplicates=" << duplicates_
        << " late=" << late_ << " series=" << series_.size() << '\n';
    if (!first_malformed_.empty()) out << "first malformed: " << first_malformed_ << '\n';
  }

 private:
  struct SeriesState {
    std::unordered_set<std::int64_t> seen;  // open times of closed bars
    std::int64_t newest_ms = -1;
    std::optional<engine::Incremental> engine;
  };

  void on_kline(const feeds::Kline& kline) override {
    if (!kline.closed) {
      ++forming_;
      return;
    }
    SeriesState& series = series_[{std::string(kline.symbol), std::string(kline.interval)}];
    if (!series.seen.insert(kline.bar.open_time_ms).second) {
      ++duplicates_;
      return;
    }
    if (plan_ == nullptr) {
      ++closed_;
      print_bar(kline);
    } else if (kline.bar.open_time_ms < series.newest_ms) {
      ++late_;  // a signal can't be computed behind its back
    } else {
      ++closed_;
      series.newest_ms = kline.bar.open_time_ms;
      if (!series.engine) series.engine.emplace(plan_);
      print_signal(kline, series.engine->update(kline.bar));
    }
  }

  void on_trade(const feeds::Trade&) override {}  // counted as a frame

  void print_name(const feeds::Kline& kline) {
    lines_.field("symbol", kline.symbol);
    lines_.field("interval", kline.interval);
    lines_.field("open_ms", kline.bar.open_time_ms);
    lines_.field("close_ms", kline.bar.close_time_ms);
  }

  void print_bar(const feeds::Kline& kline) {
    lines_.begin();
    print_name(kline);
    lines_.field("open", kline.bar.open);
    lines_.field("high", kline.bar.high);
    lines_.field("low", kline.bar.low);
    lines_.field("close", kline.bar.close);
    lines_.field("volume", kline.bar.volume);
    lines_.end();
  }

  void print_signal(const feeds::Kline& kline, const engine::Signal& signal) {
    lines_.begin();
    print_name(kline);
    lines_.field("close", kline.bar.close);
    lines_.field("average", signal.average);
    lines_.field("trend", static_cast<int>(signal.trend));
    lines_.field("previous_trend", static_cast<int>(signal.previous_trend));
    for (std::size_t f = 0; f < engine::kFamilies; ++f) {
      const std::string family(engine::kFamilyNames[f]);
      lines_.field(family + "_signal", signal.layer1[f]);
      lines_.field(family + "_equity", signal.equity[f]);
    }
    lines_.field("bar_index", signal.bar_index);
    lines_.end();
  }

  std::unique_ptr<feeds::FrameParser> parser_;
  std::shared_ptr<const engine::Plan> plan_;  // null: bars only
  JsonLines lines_;
  std::map<std::pair<std::string, std::string>, SeriesState> series_;
  std::array<std::uint64_t, 9> kinds_{};  // by feeds::FrameKind
  std::uint64_t frames_ = 0, closed_ = 0, forming_ = 0, duplicates_ = 0, late_ = 0;
  std::string first_malformed_;
};

static_assert(static_cast<int>(feeds::FrameKind::malformed) == 8, "Replay counts by kind");

int replay(const Typed& typed) {
  const feeds::Exchange* exchange = feeds::find_exchange(typed.exchange, typed.market);
  if (exchange == nullptr) {
    std::cerr << "atcd replay: unknown exchange and market \"" << typed.exchange << ' ' << typed.market
              << "\"; known are: " << feeds::known_exchanges() << '\n';
    return kBadUsage;
  }
  Replay replay(*exchange, typed.bars);
  int status = kDone;
  std::string line;
  for (const std::string& file : typed.files) {
    LineReader reader(file);
    while (reader.next(line)) {
      std::string_view frame = line;
      if (frame.ends_with('\r')) frame.remove_suffix(1);
      if (!frame.empty()) replay.frame(frame);
    }
    if (!reader.error().empty()) {
      std::cerr << "atcd replay: " << file << ' ' << reader.error() << '\n';
      status = kFailed;
    }
  }
  if (!replay.flush()) {
    std::cerr << "atcd replay: standard output cannot be written\n";
    status = kFailed;
  }
  replay.summary(std::cerr);
  return status;
}

}  // namespace

void add_replay_command(CLI::App& app, int& status) {
  const auto typed = std::make_shared<Typed>();
  CLI::App* command =
      app.add_subcommand("replay", "Recorded frames through the live parser, bars and engine, as JSON lines");
  command->add_option("--exchange", typed->exchange, "Whose frames they are")->required();
  command->add_option("--market", typed->market, "And of which market")->capture_default_str();
  command->add_flag("--bars", typed->bars, "Print the closed bars instead of the signals");
  command
      ->add_option("frames", typed->files, "One raw frame a line: .jsonl, .jsonl.gz, or - for standard input")
      ->type_name("FILE")
      ->required();
  command->callback([typed, &status] { status = replay(*typed); });
}

}  // namespace atcd::daemon
