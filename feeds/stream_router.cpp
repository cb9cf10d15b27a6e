#include "feeds/stream_router.hpp"

namespace atcd::feeds {

void StreamRouter::listen(StreamListener& listener, const StreamName& name) {
  const auto [at, first] =
      indexes_.try_emplace({name.symbol, name.interval}, static_cast<StreamIndex>(entries_.size()));
  const StreamIndex stream = at->second;
  if (first) entries_.emplace_back();
  Entry& entry = entries_[stream];
  entry.listeners.push_back(&listener);
  if (first) {
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
  std::erase(entries_[stream].listeners, &listener);
  if (!entries_[stream].listeners.empty()) return;
  indexes_.erase(at);
  streams_.remove(stream);
}

void StreamRouter::resubscribe(const StreamName& name) {
  const auto at = indexes_.find({name.symbol, name.interval});
  if (at != indexes_.end()) streams_.resubscribe(at->second);
}

void StreamRouter::on_kline(StreamIndex stream, const Kline& kline, std::int64_t received_us) const {
  for (StreamListener* listener : entries_[stream].listeners) listener->on_kline(kline, received_us);
}

void StreamRouter::on_trade(StreamIndex stream, const Trade& trade, std::int64_t received_us) const {
  for (StreamListener* listener : entries_[stream].listeners) listener->on_trade(trade, received_us);
}

void StreamRouter::on_trades_interrupted(StreamIndex stream) const {
  for (StreamListener* listener : entries_[stream].listeners) listener->on_trades_interrupted();
}

void StreamRouter::on_stream_up(StreamIndex stream) {
  entries_[stream].way = Way::up;
  for (StreamListener* listener : entries_[stream].listeners) listener->on_stream_up();
}

void StreamRouter::on_stream_down(StreamIndex stream, std::string_view reason) {
  entries_[stream].way = Way::asked;
  for (StreamListener* listener : entries_[stream].listeners) listener->on_stream_down(reason);
}

void StreamRouter::on_stream_refused(StreamIndex stream, std::string_view reason) {
  entries_[stream].way = Way::refused;
  for (StreamListener* listener : entries_[stream].listeners) listener->on_stream_refused(reason);
}

}  // namespace atcd::feeds
