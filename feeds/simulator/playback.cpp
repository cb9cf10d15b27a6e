#include "feeds/simulator/playback.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace atcd::feeds::simulator {
namespace {

constexpr std::size_t kMostKlines = 5000;  // of one series

/// A symbol that was recorded, with numbers as fine as any.
MarketSymbol recorded_symbol(const std::string& name) {
  MarketSymbol symbol = make_symbol(name).value_or(MarketSymbol{name, name, ""});
  symbol.tick_e8 = symbol.lot_e8 = 1;
  symbol.listed_ms = 0;
  return symbol;
}

}  // namespace

Playback::Playback(std::vector<std::string> files, const Wire& wire)
    : wire_(wire), recording_(std::move(files)) {
  while (auto line = recording_.next()) {
    const auto content = wire_.read_recorded(line->text);
    if (!content) continue;
    streams_.insert(content->stream);
    if (content->symbol.empty() || symbols_.size() >= kMaxSymbols) continue;
    if (by_name_.emplace(content->symbol, symbols_.size()).second)
      symbols_.push_back(recorded_symbol(content->symbol));
  }
  if (streams_.empty()) throw std::runtime_error("the recordings hold no frame of a stream");
  recording_.rewind();
  advance();
  first_received_ms_ = front_ ? front_->received_us / 1000 : 0;
}

std::optional<std::size_t> Playback::find(std::string_view symbol) const {
  const auto found = by_name_.find(symbol);
  return found == by_name_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<Kline> Playback::klines(const KlineQuery& query) const {
  std::vector<Kline> rows;
  const auto series = klines_.find({symbols_[query.symbol].symbol, query.interval.text()});
  if (series == klines_.end()) return rows;
  const auto& known = series->second;
  const auto end = known.upper_bound(query.to_ms);
  auto from = query.from_ms ? known.lower_bound(*query.from_ms) : end;
  if (!query.from_ms) {
    for (std::size_t i = 0; i < query.limit && from != known.begin(); ++i) --from;
  }
  for (; from != known.end() && from->first <= query.to_ms && rows.size() < query.limit; ++from)
    rows.push_back(from->second);
  return rows;
}

void Playback::advance() {
  front_.reset();
  while (auto line = recording_.next()) {
    new_file_ |= line->first_of_file;
    auto content = wire_.read_recorded(line->text);
    if (!content) {
      ++skipped_;
      continue;
    }
    // Without times of receipt those in the frames do; a frame without any comes with the one before it.
    std::int64_t received_us = line->received_us.value_or(content->event_ms * 1000);
    if (received_us == 0) received_us = file_begins_us_ + last_after_us_;
    if (std::exchange(new_file_, false)) file_begins_us_ = received_us - last_after_us_;
    last_after_us_ = std::max(last_after_us_, received_us - file_begins_us_);
    std::string payload(content->payload);
    content->payload = {};
    front_ = Frame{std::move(payload), std::move(*content), last_after_us_, received_us};
    return;
  }
}

void Playback::pop() {
  const WireRecorded& content = front_->content;
  ++played_;
  if (content.interval) {
    auto& known = klines_[{content.symbol, content.interval->text()}];
    known[content.kline.bar.open_time_ms] = content.kline;
    if (known.size() > kMostKlines) known.erase(known.begin());
  }
  advance();
}

}  // namespace atcd::feeds::simulator
