#include "feeds/stream_router.hpp"

namespace atcd::feeds {

void StreamRouter::listen(StreamListener& listener, const StreamName& name) {
  const auto [at, first] = indexes_.try_emplace({name.symbol, name.interval}, next_);
  const StreamIndex stream = at->second;
  Entry& entry = entries_[stream];
  entry.listeners.push_back(&listener);
  if (first) {
    ++next_;
    streams_.add(stream, name);
  } else if (entry.way == Way::up) {
    listener.on_stream_up();
  } else if (entry.way == Way::refused) {
    entry.way = Way::asked;
    streams_.resubscribe(stream);
  }
}

void StreamRouter::leave(StreamListener& listener, const StreamName& name) {
  const auto at = indexes_.find({name.symbol, name.interval});
  if (at == indexes_.end()) return;
  const StreamIndex stream = at->second;
  const auto entry = entries_.find(stream);
  std::erase(entry->second.listeners, &listener);
  if (!entry->second.listeners.empty()) return;
  entries_.erase(entry);
  indexes_.erase(at);
  streams_.remove(stream);
}

void StreamRouter::resubscribe(const StreamName& name) {
  const auto at = indexes_.find({name.symbol, name.interval});
  if (at != indexes_.end()) streams_.resubscribe(at->second);
}

/// None for a stream that was given up while its frame was on the way.
const std::vector<StreamListener*>& StreamRouter::listeners(StreamIndex stream) const {
  static const std::vector<StreamListener*> kNobody;
  const auto found = entries_.find(stream);
  return found == entries_.end() ? kNobody : found->second.listeners;
}

void StreamRouter::on_kline(StreamIndex stream, const Kline& kline, std::int64_t received_us) const {
  for (StreamListener* listener : listeners(stream)) listener->on_kline(kline, received_us);
}

void StreamRouter::on_trade(StreamIndex stream, const Trade& trade, std::int64_t received_us) const {
  for (StreamListener* listener : listeners(stream)) listener->on_trade(trade, received_us);
}

void StreamRouter::on_trades_interrupted(StreamIndex stream) const {
  for (StreamListener* listener : listeners(stream)) listener->on_trades_interrupted();
}

void StreamRouter::on_stream_up(StreamIndex stream) {
  if (const auto found = entries_.find(stream); found != entries_.end()) found->second.way = Way::up;
  for (StreamListener* listener : listeners(stream)) listener->on_stream_up();
}

void StreamRouter::on_stream_down(StreamIndex stream, std::string_view reason) {
  if (const auto found = entries_.find(stream); found != entries_.end()) found->second.way = Way::asked;
  for (StreamListener* listener : listeners(stream)) listener->on_stream_down(reason);
}

void StreamRouter::on_stream_refused(StreamIndex stream, std::string_view reason) {
  if (const auto found = entries_.find(stream); found != entries_.end()) found->second.way = Way::refused;
  for (StreamListener* listener : listeners(stream)) listener->on_stream_refused(reason);
}

}  // namespace atcd::feeds
