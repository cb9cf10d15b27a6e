#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <utility>

namespace atcd::state {

/// From one thread to one other, in order, without a lock: the only lock-free code here. push() is the first
/// thread's, pop() the second's. Neither waits.
template <class T, std::size_t capacity>
class BarQueue {
  static_assert(capacity > 1 && (capacity & (capacity - 1)) == 0, "positions wrap by masking");

 public:
  /// False where it is full; `value` is untouched then.
  bool push(T& value) {
    const std::size_t at = written_.load(std::memory_order_relaxed);
    if (at - known_read_ == capacity) {
      known_read_ = read_.load(std::memory_order_acquire);
      if (at - known_read_ == capacity) return false;
    }
    places_[at & (capacity - 1)] = std::move(value);
    written_.store(at + 1, std::memory_order_release);
    return true;
  }

  /// False where it is empty.
  bool pop(T& value) {
    const std::size_t at = read_.load(std::memory_order_relaxed);
    if (at == known_written_) {
      known_written_ = written_.load(std::memory_order_acquire);
      if (at == known_written_) return false;
    }
    value = std::move(places_[at & (capacity - 1)]);
    read_.store(at + 1, std::memory_order_release);
    return true;
  }

  /// How many wait, about: from either thread.
  std::size_t size() const {
    const std::size_t read = read_.load(std::memory_order_relaxed);  // first: the other is never behind it
    return written_.load(std::memory_order_relaxed) - read;
  }

 private:
  // Each thread's own on lines of their own: neither slows the other down by writing.
  alignas(64) std::atomic<std::size_t> written_{0};
  std::size_t known_read_ = 0;
  alignas(64) std::atomic<std::size_t> read_{0};
  std::size_t known_written_ = 0;
  alignas(64) std::array<T, capacity> places_{};
};

}  // namespace atcd::state
