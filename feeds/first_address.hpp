#pragma once

#include <algorithm>
#include <cstddef>

namespace atcd::feeds {

/// Which of the addresses that a host's name has is tried first. One may drop what is sent to it, or let us
/// connect and bring nothing then, as where large packets get lost on the way: by the resolver's order it
/// would be the first again and again. Shared by all connections to one host; one io_context, its thread
/// only.
class FirstAddress {
 public:
  /// Counted from 0 and round.
  std::size_t number() const { return number_; }
  /// A connection that began with that one came to nothing: those from now on begin with the one behind it.
  void came_to_nothing(std::size_t number) { number_ = std::max(number_, number + 1); }

 private:
  std::size_t number_ = 0;
};

}  // namespace atcd::feeds
