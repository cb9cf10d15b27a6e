#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/verification.hpp"
#include "engine/series_id.hpp"
#include "state/live_history.hpp"

namespace atcd::daemon {

/// A series that was published and is in the configuration.
struct PublishedSeries {
  engine::SeriesId id;
  std::string name;
  const FeedConfig* feed = nullptr;
  const ProfileConfig* profile = nullptr;
  std::string last_id;  // of the newest entry that was verified
};

/// Where the bars come from that published signals are verified with. One thread.
class BarSource {
 public:
  using Take = std::function<void(const state::StoredBars&)>;

  virtual ~BarSource() = default;
  virtual OtherTellings others(const PublishedSeries& series) = 0;
  /// Bars that closed by then are another instrument's; 0: none is known to be.
  virtual std::int64_t begins_ms(const PublishedSeries& series) = 0;
  /// Gives all closed bars from about from_ms on, in order, piece by piece. False where they, or what was
  /// said above, may not be what there was at one moment: renew(), and ask all again. Throws
  /// std::runtime_error with a sentence.
  virtual bool read(const PublishedSeries& series, std::int64_t from_ms, const Take& take) = 0;
  /// Looks anew at what is on disk.
  virtual void renew() = 0;
  /// What was found damaged there, a sentence each: why some signals can't be recomputed.
  virtual std::vector<std::string> problems() const = 0;
};

/// What the daemon keeps on disk, also while it goes on writing.
class FromHistory final : public BarSource {
 public:
  /// Throws as state::History does.
  explicit FromHistory(const std::string& state_directory) : history_(state_directory + "/history") {}

  OtherTellings others(const PublishedSeries& series) override;
  std::int64_t begins_ms(const PublishedSeries& series) override;
  bool read(const PublishedSeries& series, std::int64_t from_ms, const Take& take) override;
  void renew() override { history_.reopen(); }
  std::vector<std::string> problems() const override { return history_.problems(); }

 private:
  std::optional<state::History::Series> number_of(const PublishedSeries& series);

  state::LiveHistory history_;
};

/// The verdict of `take`, which is false where the source's read() was. A difference is believed when it is
/// found again after `renew`: what is published a moment before it is on disk, or corrected in between, is
/// none. Throws std::runtime_error where the bars changed each of 5 times.
Verdict settled_verdict(const std::function<bool(Verdict&)>& take,
                        const std::function<void(const Verdict& before)>& renew);

}  // namespace atcd::daemon
