#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "feeds/exchange.hpp"
#include "feeds/feed.hpp"

namespace atcd::feeds {

/// Finds a stream by the symbol and interval of a frame without building a string. A table with open
/// addresses, so that a frame whose stream is in no cache waits for memory once and not four times.
class StreamNames {
 public:
  /// False when the name is there already.
  bool add(const StreamName& name, StreamIndex stream) {
    if (find(name.symbol, name.interval) != nullptr) return false;
    if (slots_.size() < 2 * (count_ + 1)) grow();
    put({hash(name.symbol, name.interval), stream, true, name});
    ++count_;
    return true;
  }

  void erase(const StreamName& name) {
    const std::size_t at = slot_of(name.symbol, name.interval);
    if (slots_.empty() || !slots_[at].used) return;
    slots_[at] = {};
    --count_;
    // Those behind it were perhaps put there only because it was in their way.
    for (std::size_t next = (at + 1) & mask(); slots_[next].used; next = (next + 1) & mask())
      put(std::exchange(slots_[next], {}));
  }

  /// Null for a name that was not added. Valid until the next add() or erase().
  const StreamIndex* find(std::string_view symbol, std::string_view interval) const {
    if (slots_.empty()) return nullptr;
    const Slot& slot = slots_[slot_of(symbol, interval)];
    return slot.used ? &slot.stream : nullptr;
  }

 private:
  struct Slot {
    std::size_t hash = 0;
    StreamIndex stream = 0;
    bool used = false;
    StreamName name;
  };

  static std::size_t hash(std::string_view symbol, std::string_view interval) {
    const std::hash<std::string_view> hash;
    return hash(symbol) * 31 + hash(interval);
  }

  std::size_t mask() const { return slots_.size() - 1; }

  /// The slot that has the name, or the empty one where it belongs: at least half of them are empty.
  std::size_t slot_of(std::string_view symbol, std::string_view interval) const {
    if (slots_.empty()) return 0;
    const std::size_t wanted = hash(symbol, interval);
    std::size_t at = wanted & mask();
    while (slots_[at].used && !(slots_[at].hash == wanted && slots_[at].name.symbol == symbol &&
                                slots_[at].name.interval == interval))
      at = (at + 1) & mask();
    return at;
  }

  void put(Slot slot) {
    std::size_t at = slot.hash & mask();
    while (slots_[at].used) at = (at + 1) & mask();
    slots_[at] = std::move(slot);
  }

  void grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : 2 * slots_.size());
    old.swap(slots_);
    for (Slot& slot : old)
      if (slot.used) put(std::move(slot));
  }

  std::vector<Slot> slots_;  // a power of two
  std::size_t count_ = 0;
};

}  // namespace atcd::feeds
