#pragma once

#include <cstddef>
#include <cstdint>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/signal_series.hpp"
#include "engine/bar.hpp"
#include "engine/series_id.hpp"

namespace atcd::daemon {

/// Now and then one series is computed anew from its bars, from bar 0, and compared with what its running
/// engine holds: to the last bit. On a thread of its own; the caller only copies the bars. Used from one
/// thread.
class SelfAudit {
 public:
  /// A series as it is at one moment.
  struct Subject {
    ProfileConfig profile;
    engine::SeriesId id;
    std::vector<engine::Bar> bars;
    std::int64_t covered_from = 0;  // ordinal, as in BarHistory
    std::vector<state::LateBar> late;
    AnchoredSignal held;            // of the newest bar
    std::uint64_t corrections = 0;  // of the series' bars, in all runs; for who copies them piece by piece
  };

  struct Counters {
    std::uint64_t audited = 0;
    std::uint64_t differences = 0;
  };

  bool busy() const { return running_.valid(); }
  /// Only while not busy(). False, and nothing is under way, where no thread can be had.
  bool begin(Subject subject);
  /// Takes the result once it is there: of a difference the series and a sentence, else empty.
  struct Difference {
    std::string series, detail;
  };
  std::optional<Difference> take_difference();
  const Counters& counters() const { return counters_; }

  /// Computes the subject's newest signal from bar 0. Empty: its bars do not reach that far back.
  static std::optional<AnchoredSignal> recompute(const Subject& subject);

 private:
  struct Result {
    bool known = false;
    std::optional<Difference> difference;
  };
  static Result audit(const Subject& subject);

  std::future<Result> running_;
  Counters counters_;
};

}  // namespace atcd::daemon
