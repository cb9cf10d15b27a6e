#include "feeds/simulator/market_streams.hpp"

namespace atcd::feeds::simulator {

MarketStreams::MarketStreams(Market& market, const Wire& wire, Faults& faults, Subscriptions& subscriptions,
                             const ClosingDelay& delay)
    : market_(market),
      wire_(wire),
      faults_(faults),
      subscriptions_(subscriptions),
      delay_(delay),
      closing_frames_(market.symbols().size()) {}

void MarketStreams::open(const std::string& name, std::size_t symbol, const WireStream& stream,
                         std::int64_t now_ms) {
  if (numbers_.contains(name)) return;
  const std::uint64_t number = ++last_number_;
  numbers_[name] = number;
  const std::int64_t close_ms =
      stream.trades ? Market::next_trade_ms(now_ms) : stream.interval.close_time_ms(now_ms);
  // Numbers count trades: by the clock at first, so that those of a later subscription are no smaller.
  const std::int64_t last_trade = stream.trades ? now_ms / 1000 : -1;
  const std::int64_t delay_ms = delay_.of_stream_ms(number);
  streams_.emplace(
      number, Open{name, stream.interval_text, symbol, stream.interval, delay_ms, close_ms, {}, last_trade});
  due_.emplace(close_ms + delay_ms, number);
}

void MarketStreams::close(const std::string& name) {
  const auto found = numbers_.find(name);
  if (found == numbers_.end()) return;
  const auto stream = streams_.find(found->second);
  due_.erase({stream->second.next_close_ms + stream->second.delay_ms, found->second});
  streams_.erase(stream);
  numbers_.erase(found);
}

RunningBar& MarketStreams::running(Open& stream, std::int64_t time_ms) const {
  const auto& bar = stream.running;
  if (!bar || time_ms < bar->open_ms() || time_ms >= bar->close_ms())
    stream.running.emplace(market_, stream.symbol, stream.interval, time_ms);
  return *stream.running;
}

bool MarketStreams::send_closing(std::int64_t now_ms, std::size_t most) {
  for (std::size_t i = 0; i < most; ++i) {
    if (next_due_ms() > now_ms) return true;
    if (next_delayed_ms() < next_closing_ms()) {
      send_delayed();
      continue;
    }
    const std::uint64_t number = due_.begin()->second;
    due_.erase(due_.begin());
    Open& stream = streams_.at(number);
    if (stream.last_trade >= 0) {
      send_trade(stream);
      stream.next_close_ms = Market::next_trade_ms(stream.next_close_ms);
    } else {
      send_one(stream);
      stream.next_close_ms = stream.interval.close_time_ms(stream.next_close_ms);
    }
    due_.emplace(stream.next_close_ms + stream.delay_ms, number);
  }
  return next_due_ms() > now_ms;
}

void MarketStreams::send_one(Open& stream) {
  const std::int64_t close_ms = stream.next_close_ms;
  RunningBar& bar = running(stream, close_ms - 1);
  bar.extend(close_ms - 1);
  const MarketSymbol& symbol = market_.symbols()[stream.symbol];
  if (bar.empty() || faults_.take(FaultKind::withhold_closing, symbol.symbol)) return;
  Kline kline = bar.kline();
  if (faults_.take(FaultKind::differ_closing, symbol.symbol))
    kline = market_.correct(stream.symbol, stream.interval, close_ms - 1, close_ms).value_or(kline);
  if (faults_.take(FaultKind::delay_closing, symbol.symbol)) {
    delayed_.emplace(close_ms + stream.delay_ms + faults_.delay_ms,
                     Delayed{stream.name, stream.interval_text, stream.symbol, stream.interval, close_ms});
    return;
  }
  const WireFrame frame{stream.name, symbol, stream.interval_text, kline, true, close_ms + stream.delay_ms};
  if (send(frame, close_ms) > 0) ++closing_frames_[stream.symbol];
  if (!faults_.take(FaultKind::correct_closing, symbol.symbol)) return;
  const auto corrected = market_.correct(stream.symbol, stream.interval, close_ms - 1, close_ms);
  if (!corrected) return;
  send({stream.name, symbol, stream.interval_text, *corrected, true, close_ms + stream.delay_ms}, close_ms);
}

void MarketStreams::send_delayed() {
  const auto first = delayed_.begin();
  const std::int64_t event_ms = first->first;
  const Delayed late = std::move(first->second);
  delayed_.erase(first);
  // Made now: it may have been corrected meanwhile.
  const auto kline = market_.kline(late.symbol, late.interval, late.close_ms - 1, event_ms);
  if (!kline) return;
  const WireFrame frame{late.name, market_.symbols()[late.symbol], late.interval_text, *kline, true,
                        event_ms};
  if (send(frame, late.close_ms) > 0) ++closing_frames_[late.symbol];
}

std::size_t MarketStreams::send(const WireFrame& frame, std::int64_t before_ms) {
  WireFrame told = frame;
  told.event_ms += faults_.clock_offset_ms;
  const FrameDamage damage = FrameDamage::of_next(faults_, frame.symbol.symbol);
  const auto text = [&](Form form) { return damage.applied(wire_.frame(told, form)); };
  const std::string stream(frame.stream);
  const std::size_t receivers = subscriptions_.send(stream, before_ms, text);
  if (damage.twice) subscriptions_.send(stream, before_ms, text);
  return receivers;
}

void MarketStreams::send_trade(Open& stream) {
  const std::int64_t made_ms = stream.next_close_ms;
  auto trade = market_.trade(stream.symbol, made_ms);
  if (!trade) return;
  trade->bar.open_time_ms = made_ms;
  ++stream.last_trade;
  const MarketSymbol& symbol = market_.symbols()[stream.symbol];
  if (faults_.take(FaultKind::withhold_closing, symbol.symbol)) return;
  const std::int64_t event_ms = made_ms + stream.delay_ms + faults_.clock_offset_ms;
  const FrameDamage damage = FrameDamage::of_next(faults_, symbol.symbol);
  for (int i = 0; i < (damage.twice ? 2 : 1); ++i) {
    subscriptions_.send(stream.name, made_ms, [&](Form form) {
      return damage.applied(
          wire_.trade_frame({stream.name, symbol, {}, *trade, true, event_ms}, stream.last_trade, form));
    });
  }
}

std::size_t MarketStreams::correct(std::size_t symbol, std::int64_t bars_ago, std::int64_t now_ms) {
  std::size_t corrected = 0;
  for (const auto& each : streams_) {
    const Open& stream = each.second;
    if (stream.symbol != symbol || stream.last_trade >= 0) continue;
    const std::int64_t open_ms =
        stream.interval.open_time_ms(stream.interval.ordinal(stream.next_close_ms) - 1 - bars_ago);
    const auto kline = market_.correct(symbol, stream.interval, open_ms, now_ms);
    if (!kline) continue;
    ++corrected;
    send({stream.name, market_.symbols()[symbol], stream.interval_text, *kline, true, now_ms}, kNothingDue);
  }
  return corrected;
}

void MarketStreams::send_forming(std::int64_t now_ms) {
  for (auto& each : streams_) {
    Open& stream = each.second;
    if (stream.last_trade >= 0 || stream.next_close_ms <= now_ms || !market_.trading(stream.symbol, now_ms))
      continue;
    RunningBar& bar = running(stream, now_ms);
    bar.extend(now_ms);
    if (bar.empty()) continue;
    const Kline kline = bar.kline();
    send({stream.name, market_.symbols()[stream.symbol], stream.interval_text, kline, false, now_ms},
         kNothingDue);
  }
}

}  // namespace atcd::feeds::simulator
