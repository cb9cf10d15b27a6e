#include "feeds/simulator/subscriptions.hpp"

#include <algorithm>
#include <array>

namespace atcd::feeds::simulator {

Subscriptions::Change Subscriptions::add(Subscriber& subscriber, const std::string& stream,
                                         std::int64_t since_ms) {
  if (!subscriber.streams.insert(stream).second) return Change::none;
  auto& entries = streams_[stream];
  entries.push_back({&subscriber, since_ms});
  ++size_;
  return entries.size() == 1 ? Change::first : Change::made;
}

Subscriptions::Change Subscriptions::remove(Subscriber& subscriber, const std::string& stream) {
  if (subscriber.streams.erase(stream) == 0) return Change::none;
  const auto found = streams_.find(stream);
  auto& entries = found->second;
  std::erase_if(entries, [&](const Entry& entry) { return entry.subscriber == &subscriber; });
  --size_;
  if (!entries.empty()) return Change::made;
  streams_.erase(found);
  return Change::last;
}

std::size_t Subscriptions::send(const std::string& stream, std::int64_t before_ms,
                                const std::function<std::string(Form)>& text) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return 0;
  std::array<std::shared_ptr<const std::string>, kForms> texts;
  std::size_t sent = 0;
  for (const Entry& entry : found->second) {
    if (entry.since_ms >= before_ms) continue;
    auto& shared = texts.at(entry.subscriber->form);
    if (!shared) shared = std::make_shared<const std::string>(text(entry.subscriber->form));
    entry.subscriber->send(shared);
    ++sent;
  }
  frames_sent_ += sent;
  return sent;
}

std::size_t Subscriptions::most_queued(const std::string& stream) const {
  const auto found = streams_.find(stream);
  std::size_t most = 0;
  if (found == streams_.end()) return most;
  for (const Entry& entry : found->second) most = std::max(most, entry.subscriber->queued_bytes());
  return most;
}

}  // namespace atcd::feeds::simulator
