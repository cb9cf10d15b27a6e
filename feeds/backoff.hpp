#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace atcd::feeds {

/// How long to wait before the next try: doubles from `first` to `longest`, each wait drawn between a half
/// and the whole of that, so that many clients cut at once do not come back at once. Pure but for the random
/// source.
class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds first{250};      // above 0
    std::chrono::milliseconds longest{15000};  // at least `first`
  };

  Backoff() = default;
  explicit Backoff(const Options& options) : options_(options), ceiling_(options.first) {}

  /// `random` is a uniform random bit generator.
  template <class Random>
  std::chrono::milliseconds next(Random& random) {
    std::uniform_int_distribution<std::chrono::milliseconds::rep> draw(ceiling_.count() / 2,
                                                                       ceiling_.count());
    ceiling_ = std::min(ceiling_ * 2, options_.longest);
    return std::chrono::milliseconds(draw(random));
  }

  /// The next wait is a first one again.
  void reset() { ceiling_ = options_.first; }

 private:
  Options options_;
  std::chrono::milliseconds ceiling_ = options_.first;
};

}  // namespace atcd::feeds
