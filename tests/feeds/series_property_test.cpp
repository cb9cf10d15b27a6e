#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "tests/feeds/series_ledger.hpp"

// Whatever the exchange, the network and restarts do, a series tells the exchange's bars: each once, in
// order, none left out, none before it was final.

namespace atcd::feeds {
namespace {

using namespace testing::ledger;

constexpr std::int64_t kSettlingMs = 2000;
// Calm for longer than REST is waited with in a long halt.
constexpr std::int64_t kStormSlots = 200, kCalmSlots = 17;
constexpr std::int64_t kPage = 10;
// When something happens within a bar: about its beginning and the settling of the one before it.
constexpr std::array<std::int64_t, 7> kMoments = {0, 1000, 1999, 2000, 10'000, 30'000, 55'000};

class World {
 public:
  World(std::uint32_t seed, bool corrects) : random_(seed), corrects_(corrects) {
    for (std::int64_t slot = kFirstSlot; slot < kStormSlots; ++slot) truth_.push_back({chance(93), 0});
    for (std::int64_t slot = 0; slot <= kCalmSlots; ++slot) truth_.push_back({true, 0});
    // Longer than pages of history: a listing that is younger, a halt.
    if (chance(30)) absent(kFirstSlot, static_cast<std::int64_t>(random_() % 90) + 1);
    if (chance(20)) silent_to_ = kStormSlots + kCalmSlots;  // to the end: all comes over REST
    if (chance(50))
      absent(static_cast<std::int64_t>(random_() % kStormSlots), static_cast<std::int64_t>(random_() % 50));
    // Never two in a page, which may have no other rows: where most are no bars the whole page is refused.
    constexpr std::int64_t kThird = (kStormSlots - kFirstSlot) / 3;
    for (std::int64_t first = kFirstSlot; first < kFirstSlot + 3 * kThird; first += kThird) {
      Truth& slot = of(first + static_cast<std::int64_t>(random_() % (kThird - kPage)));
      slot.present = false;
      slot.unusable = true;
    }
    ledger_.series = &series_.emplace(rules(), kStartMs, ledger_);
    series_->start(now());
  }

  void run() {
    for (slot_ = 6; slot_ < kStormSlots + kCalmSlots; ++slot_) {
      calm_ = slot_ >= kStormSlots;
      for (const std::int64_t moment : kMoments) {
        after_ms_ = moment;
        step();
        ++steps;
        if (::testing::Test::HasFailure()) return;
      }
    }
    expect_all();
  }

  std::size_t steps = 0;
  Ledger& ledger() { return ledger_; }

 private:
  void absent(std::int64_t from, std::int64_t slots) {
    for (std::int64_t slot = from; slot < std::min(from + slots, kStormSlots); ++slot)
      of(slot).present = false;
  }

  struct Frame {
    std::int64_t due_ms;
    Bar bar;
  };

  static SeriesRules rules() { return {kMinute, kSettlingMs, kPage, 3000, 150'000, false, 13'000}; }
  bool chance(int percent) { return static_cast<int>(random_() % 100) < percent; }
  bool fault(int percent) { return !calm_ && chance(percent); }
  Truth& of(std::int64_t slot) { return truth_[static_cast<std::size_t>(slot - kFirstSlot)]; }
  Bar final_bar(std::int64_t slot) { return bar_at(slot, 100 + of(slot).versions); }
  std::int64_t now_ms() const { return open_of(slot_) + after_ms_; }
  Now now() const { return {now_ms() - kStartMs + 1'000'000, now_ms() + skew_ms_}; }

  void step() {
    ledger_.now_ms = now_ms();
    connection();
    if (fault(1)) restart();
    surroundings();
    if (up_ && slot_ >= silent_to_) frames();
    if (fault(2))
      series_->require_from(kMinute.ordinal(open_of(-static_cast<std::int64_t>(random_() % 50))), now());
    if (fault(2)) trim();
    answer();
    series_->on_timer(now());
  }

  void connection() {
    if (up_ && fault(4)) {
      up_ = false;
      on_the_way_.clear();
      series_->on_stream_down(now(), "cut");
    } else if (!up_ && (calm_ || chance(40))) {
      stream_up();
    }
  }

  /// Our clock is set, the exchange's list changes, the connection lives but is silent, another subscription
  /// is asked for, a bar of the far future is told closed.
  void surroundings() {
    // Of ten minutes ahead a series believes it; until that is near, answers tell that it is not true.
    constexpr std::int64_t kMostSkewMs = 900'000, kFuture = 40;
    if (fault(2)) skew_ms_ = static_cast<std::int64_t>(random_() % (2 * kMostSkewMs)) - kMostSkewMs;
    if (chance(1) || calm_) skew_ms_ = 0;
    constexpr std::array kListings = {Listing::trading, Listing::halted, Listing::ended};
    if (fault(3)) series_->set_listing(kListings[random_() % kListings.size()], now());
    if (calm_) series_->set_listing(Listing::trading, now());
    if (fault(2)) silent_to_ = std::max(silent_to_, slot_ + static_cast<std::int64_t>(random_() % 6));
    if (up_ && fault(2)) stream_up();
    if (up_ && fault(1)) {
      const Bar bar = bar_at(slot_ + kFuture + static_cast<std::int64_t>(random_() % 1000), Truth::kRunning);
      series_->on_kline({"BTCUSDT", "1m", bar, bar.close_time_ms, true}, 1, now());
    }
  }

  void stream_up() {
    up_ = true;
    ledger_.honest = true;
    ledger_.closed_before = slot_;
    series_->on_stream_up(now());
  }

  /// Only what was told is known afterwards, as from a history on disk.
  void restart() {
    const auto bars = series_->bars();
    const std::vector<Bar> known(bars.begin(), bars.end());
    const std::int64_t from_ms = kMinute.open_time_ms(series_->covered_from());
    const std::int64_t to_ms = kMinute.open_time_ms(series_->next());
    ledger_.series = &series_.emplace(rules(), kStartMs, ledger_);
    ledger_.asked.reset();
    ledger_.overtaken.clear();
    if (!known.empty()) {
      ASSERT_TRUE(series_->restore(known, from_ms, to_ms));
    }
    up_ = false;
    on_the_way_.clear();
    frames_told_.clear();
    series_->start(now());
  }

  void trim() {
    series_->trim(30);
    ledger_.earliest = kMinute.open_time_ms(series_->covered_from()) / kMinuteMs - kStartMs / kMinuteMs;
  }

  void frames() {
    if (after_ms_ == 0 && of(slot_ - 1).present && !fault(15)) {
      // Late by a moment, or by up to three bars.
      const std::int64_t late_ms = fault(15) ? static_cast<std::int64_t>(random_() % (3 * kMinuteMs)) : 0;
      for (int times = fault(15) ? 2 : 1; times > 0; --times)
        on_the_way_.push_back({now_ms() + late_ms, final_bar(slot_ - 1)});
    }
    if (corrects_ && fault(3)) correct(slot_ - 1 - static_cast<std::int64_t>(random_() % 3));
    // Not in the order in which they were sent.
    for (std::size_t i = 0; i < on_the_way_.size();) {
      if (on_the_way_[i].due_ms > now_ms()) {
        ++i;
        continue;
      }
      const Bar bar = on_the_way_[i].bar;
      on_the_way_.erase(on_the_way_.begin() + static_cast<std::ptrdiff_t>(i));
      frames_told_.insert(slot_of(bar));
      series_->on_kline({"BTCUSDT", "1m", bar, bar.close_time_ms, true}, 1, now());
    }
    if (of(slot_).present && !fault(20))
      series_->on_kline({"BTCUSDT", "1m", bar_at(slot_, Truth::kRunning), now_ms(), false}, 1, now());
  }

  void correct(std::int64_t slot) {
    if (slot < 0 || !of(slot).present) return;
    ++of(slot).versions;
    if (!fault(20)) on_the_way_.push_back({now_ms(), final_bar(slot)});
  }

  void answer() {
    if (!ledger_.overtaken.empty() && chance(40)) {
      const auto [from_ms, to_ms] = ledger_.overtaken.front();
      ledger_.overtaken.pop_front();
      // It may be to what is asked for again.
      if (ledger_.asked && ledger_.asked->first == from_ms) ledger_.asked.reset();
      return answer(from_ms, to_ms);
    }
    if (!ledger_.asked || fault(30)) return;  // still on its way
    const auto [from_ms, to_ms] = *ledger_.asked;
    ledger_.asked.reset();
    answer(from_ms, to_ms);
  }

  void answer(std::int64_t from_ms, std::int64_t to_ms) {
    HistoryResult result;
    result.from_ms = from_ms;
    if (fault(15)) {
      result.error = RestError::timeout;
      result.message = "no answer";
    } else {
      // What it was when it was asked for, or is by now.
      const std::int64_t made_ms = chance(50) ? ledger_.asked_at_ms : now_ms();
      result.server_time_ms = fault(3) ? 0 : made_ms / 1000 * 1000;
      ledger_.honest = ledger_.honest && result.server_time_ms != 0;
      result.rows = rows(from_ms, to_ms, made_ms);
      spoil(result, from_ms, to_ms, made_ms);
    }
    ledger_.answering = true;
    series_->on_history(result, 1, now());
    ledger_.answering = false;
  }

  std::vector<Bar> rows(std::int64_t from_ms, std::int64_t to_ms, std::int64_t made_ms) {
    const bool forward = from_ms >= kMinute.open_time_ms(series_->next() - 1);
    // Within the settling time the bar that has just ended may be told as it was before its last trades.
    const std::int64_t made_slot = (made_ms - kStartMs) / kMinuteMs;
    const bool unsettled = made_ms - open_of(made_slot) < kSettlingMs && chance(50);
    const std::int64_t running = unsettled ? made_slot - 1 : made_slot;
    // An answer that lacks the end of what is over: each only once, since twice nothing could tell it from a
    // halt.
    const auto may_lack_its_end = [&] { return to_ms >= open_of(made_slot) || lacked_.insert(to_ms).second; };
    const bool stale = fault(8) && may_lack_its_end();
    ledger_.honest = ledger_.honest && !stale;
    const std::int64_t newest = stale ? made_slot - 2 : running;  // stale: without the newest closed bar
    std::vector<Bar> found;
    for (std::int64_t slot = (from_ms - kStartMs) / kMinuteMs; open_of(slot) <= to_ms; ++slot) {
      if (slot > newest || !of(slot).present) continue;
      if (forward && was_told_by_frame(slot) && fault(2)) continue;
      found.push_back(slot == running ? bar_at(slot, Truth::kRunning) : final_bar(slot));
    }
    // A short page; of the past each only once, since twice nothing could tell it from a younger listing.
    const bool past = to_ms < kMinute.open_time_ms(series_->covered_from());
    if (fault(past ? 20 : 5) && (past ? short_past_.emplace(from_ms, to_ms).second : may_lack_its_end())) {
      const auto left = static_cast<std::ptrdiff_t>(random_() % (found.size() + 1));
      const bool newest_first = past && chance(50);
      newest_first ? found.erase(found.begin(), found.end() - left)
                   : found.erase(found.begin() + left, found.end());
      ledger_.honest = ledger_.honest && past;
    }
    // Without its oldest rows: each only once too.
    if (!past && found.size() > 1 && fault(10) && late_beginnings_.insert(from_ms).second)
      found.erase(found.begin(),
                  found.end() - 1 - static_cast<std::ptrdiff_t>(random_() % (found.size() - 1)));
    return found;
  }

  /// Rows that are no bars: some for ever, any once.
  void spoil(HistoryResult& result, std::int64_t from_ms, std::int64_t to_ms, std::int64_t made_ms) {
    for (std::int64_t slot = (from_ms - kStartMs) / kMinuteMs; open_of(slot) <= std::min(to_ms, made_ms);
         ++slot) {
      if (of(slot).unusable) result.unusable_ms.push_back(open_of(slot));
    }
    if (!result.rows.empty() && fault(10)) {
      const auto row = result.rows.begin() + static_cast<std::ptrdiff_t>(random_() % result.rows.size());
      if (spoilt_.insert(row->open_time_ms).second) {
        result.unusable_ms.push_back(row->open_time_ms);
        result.rows.erase(row);
      }
    }
    if (result.unusable_ms.empty()) return;
    result.error = RestError::bad_rows;
    if (result.unusable_ms.size() <= std::max<std::size_t>(result.rows.size(), 1)) return;
    result = {RestError::bad_body, "", {}, result.server_time_ms, result.from_ms};
  }

  /// REST may lack a row for a moment; what a frame has told must not be lost by it.
  bool was_told_by_frame(std::int64_t slot) const { return frames_told_.contains(slot); }

  void expect_all() {
    std::vector<std::int64_t> wanted, found;
    for (std::int64_t slot = 0; slot < kStormSlots + kCalmSlots - 1; ++slot) {
      if (of(slot).present) wanted.push_back(slot);
    }
    for (const Bar& bar : ledger_.told) found.push_back(slot_of(bar));
    EXPECT_EQ(found, wanted);
    EXPECT_EQ(series_->state(), SeriesState::live);
    if (corrects_) return;
    EXPECT_EQ(ledger_.corrections + ledger_.conflicts, 0);
  }

  std::mt19937 random_;
  bool corrects_;
  std::deque<Truth> truth_;
  Ledger ledger_{truth_};
  std::optional<Series> series_;
  std::vector<Frame> on_the_way_;
  std::set<std::int64_t> frames_told_;  // slots, since the start
  std::int64_t slot_ = 5, after_ms_ = 0;
  bool up_ = false, calm_ = false;
  std::int64_t skew_ms_ = 0;                                    // of our clock
  std::int64_t silent_to_ = 0;                                  // slot
  std::set<std::pair<std::int64_t, std::int64_t>> short_past_;  // pages
  std::set<std::int64_t> lacked_;                               // ends of pages
  std::set<std::int64_t> spoilt_;                               // open times of rows
  std::set<std::int64_t> late_beginnings_;                      // of pages
};

void expect_every_bar_once(bool corrects) {
  std::size_t steps = 0;
  int corrections = 0, conflicts = 0;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    SCOPED_TRACE(seed);
    World world(seed, corrects);
    world.run();
    steps += world.steps;
    corrections += world.ledger().corrections;
    conflicts += world.ledger().conflicts;
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(steps, 1'000'000U);
  if (corrects) {
    EXPECT_GT(corrections, 100);
    EXPECT_GT(conflicts, 100);
  }
}

TEST(SeriesProperty, EveryBarIsToldOnceInOrderAndOnlyWhenItIsFinal) { expect_every_bar_once(false); }

TEST(SeriesProperty, CorrectionsChangeTheNewestBarAloneAndAnythingElseIsAConflict) {
  expect_every_bar_once(true);
}

}  // namespace
}  // namespace atcd::feeds
