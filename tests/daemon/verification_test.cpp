#include "daemon/verification.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>

#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "tests/daemon/published_walk.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;
using state::StoredBars;
using ::testing::HasSubstr;

// Sanitizers keep memory of their own.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif

/// The bars from one index to another, as one piece.
StoredBars piece(const std::vector<Bar>& bars, std::size_t from, std::size_t to) {
  return {{bars.begin() + static_cast<std::ptrdiff_t>(from), bars.begin() + static_cast<std::ptrdiff_t>(to)},
          bars[from].open_time_ms,
          bars[to - 1].close_time_ms};
}

class VerificationTest : public testing::Test {
 protected:
  Verdict verify(std::vector<PublishedEntry> entries, std::size_t piece_bars = 37,
                 const OtherTellings& others = {}) {
    Verification verification(profile_, kId, others, pages_of(std::move(entries)));
    for (std::size_t from = 0; from < bars_.size(); from += piece_bars) {
      verification.take(piece(bars_, from, std::min(from + piece_bars, bars_.size())));
    }
    return verification.finish();
  }

  ProfileConfig profile_ = small_profile();
  std::vector<Bar> bars_ = walk(900);
  std::vector<PublishedEntry> entries_ = published(profile_, bars_, 300);
};

TEST_F(VerificationTest, FamiliesThatAreNotChosenAreUndefinedInRedisToo) {
  profile_.parameters.families = {true, false, false, false, false, true};
  profile_.parameters.lengths[1] = 0;
  entries_ = published(profile_, bars_, 300);
  EXPECT_EQ(entries_.front().field("hma_signal"), "");
  EXPECT_NE(entries_.front().field("kama_signal"), "");
  const Verdict verdict = verify(entries_);
  EXPECT_EQ(verdict.difference, "");
  EXPECT_EQ(verdict.equal, 600U);
  entries_[7].fields["hma_signal"] = "0";
  EXPECT_THAT(verify(entries_).difference, HasSubstr("hma_signal is 0 in Redis, undefined when recomputed"));
}

TEST_F(VerificationTest, EqualSignalsAreCountedWhateverThePiecesInWhichTheBarsCome) {
  ASSERT_EQ(entries_.size(), 600U);
  for (const std::size_t piece_bars : {1U, 2U, 69U, 70U, 71U, 512U, 900U}) {
    const Verdict verdict = verify(entries_, piece_bars);
    EXPECT_EQ(verdict.difference, "") << piece_bars;
    EXPECT_EQ(verdict.equal, 600U) << piece_bars;
    EXPECT_EQ(verdict.unknown + verdict.too_new, 0U) << piece_bars;
    EXPECT_EQ(verdict.last_id, entries_.back().id) << piece_bars;
  }
}

TEST_F(VerificationTest, WithAFixedAnchorToo) {
  profile_.anchor.fixed_anchor_ms = bars_[20].open_time_ms;
  const auto entries = published(profile_, bars_, 300);
  for (const std::size_t piece_bars : {1U, 37U, 900U}) {
    const Verdict verdict = verify(entries, piece_bars);
    EXPECT_EQ(verdict.difference, "") << piece_bars;
    EXPECT_EQ(verdict.equal, 600U) << piece_bars;
  }
}

TEST_F(VerificationTest, TheLastBitOfAnyFieldIsADifference) {
  for (const char* name : {"close", "average", "dema_signal", "kama_equity"}) {
    auto entries = entries_;
    std::string& field = entries[200].fields[name];
    field = text(std::nextafter(std::stod(field), 1e9));
    const Verdict verdict = verify(entries);
    EXPECT_THAT(verdict.difference, HasSubstr("entry " + entries[200].id + ": " + name + " is ")) << name;
    EXPECT_EQ(verdict.equal, 200U) << name;
  }
  for (const char* name : {"trend", "previous_trend", "trend_since_ms", "bar_index", "anchor_ms"}) {
    auto entries = entries_;
    entries[200].fields[name] += "1";
    EXPECT_THAT(verify(entries).difference, HasSubstr(name)) << name;
  }
}

TEST_F(VerificationTest, AMissingAnInventedAndAMisnamedEntryAreDifferences) {
  auto missing = entries_;
  missing.erase(missing.begin() + 100, missing.begin() + 103);
  EXPECT_THAT(verify(missing).difference, HasSubstr("has no entry"));
  missing[100].fields["gap_from_ms"] = "1";
  EXPECT_EQ(verify(missing).difference, "") << "it says that bars can't be had any more";

  auto invented = entries_;
  invented[50].fields["open_ms"] = std::to_string(bars_[350].open_time_ms - 1);
  EXPECT_THAT(verify(invented).difference, HasSubstr("does not exist"));

  auto misnamed = entries_;
  misnamed[50].id = std::to_string(bars_[350].close_time_ms) + "-1";
  EXPECT_THAT(verify(misnamed).difference, HasSubstr("its ID is not its close_ms and rev"));
  misnamed[50].fields["rev"] = "x";
  EXPECT_THAT(verify(misnamed).difference, HasSubstr("that are numbers"));
}

TEST_F(VerificationTest, WhatCannotBeRecomputedIsUnknownAndNotWrong) {
  auto other = entries_;
  for (std::size_t i = 0; i < 10; ++i) other[i].fields["config"] = "0000000000000000";
  const Verdict other_config = verify(other);
  EXPECT_EQ(other_config.difference, "");
  EXPECT_EQ(other_config.unknown, 10U);
  EXPECT_EQ(other_config.equal, 590U);

  // Bars from 400 to 450 are not known: neither are the signals whose anchors lie before the end of that.
  Verification hole(profile_, kId, {}, pages_of(entries_));
  hole.take(piece(bars_, 100, 400));
  hole.take(piece(bars_, 450, 890));
  const Verdict verdict = hole.finish();
  EXPECT_EQ(verdict.difference, "");
  EXPECT_GE(verdict.unknown, 50U + 100U);
  EXPECT_GE(verdict.equal, 100U + 200U);
  EXPECT_EQ(verdict.equal + verdict.unknown, 590U);
  EXPECT_EQ(verdict.too_new, 1U) << "the last ten bars";
  EXPECT_EQ(verdict.last_id, entries_[589].id);
}

TEST_F(VerificationTest, EntriesOfAnInstrumentThatHadTheNameBeforeAreUnknown) {
  auto mixed = entries_;
  for (std::size_t i = 0; i < 40; ++i) mixed[i].fields["close"] = "1";
  EXPECT_NE(verify(mixed).difference, "");
  Verification verification(profile_, kId, {}, pages_of(mixed), "", bars_[339].close_time_ms);
  verification.take(piece(bars_, 0, bars_.size()));
  const Verdict verdict = verification.finish();
  EXPECT_EQ(verdict.difference, "");
  EXPECT_EQ(verdict.unknown, 40U);
  EXPECT_EQ(verdict.equal, 560U);
}

TEST_F(VerificationTest, AnEntryThatWasCountedBeforeIsOnlyLookedAt) {
  const std::vector<PublishedEntry> later(entries_.begin() + 100, entries_.end());
  Verification verification(profile_, kId, {}, pages_of(later), entries_[100].id);
  verification.take(piece(bars_, 0, bars_.size()));
  EXPECT_EQ(verification.finish().equal, 499U);
}

TEST_F(VerificationTest, ABarThatWasCorrectedIsComparedAsItWasThen) {
  // Rev 0 was published with another content, which was superseded.
  Bar before = bars_[500];
  before.open = before.high = before.low = before.close = bars_[500].close + 0.25;
  std::vector<Bar> then(bars_.begin(), bars_.begin() + 501);
  then.back() = before;
  const PublishedEntry first = published(profile_, then, 500)[0];
  entries_[200].id = std::to_string(bars_[500].close_time_ms) + "-1";
  entries_[200].fields["rev"] = "1";
  entries_.insert(entries_.begin() + 200, first);

  Bar another = before;
  another.close += 1;
  EXPECT_THAT(verify(entries_, 37, {{another}, {}}).difference, HasSubstr("close is "));
  const Verdict verdict = verify(entries_, 37, {{another, before}, {}});
  EXPECT_EQ(verdict.difference, "");
  EXPECT_EQ(verdict.equal, 601U);
}

TEST_F(VerificationTest, WhereACorrectionWasNotSeenHereTheEntryBeforeItIsUnknown) {
  std::vector<Bar> then(bars_.begin(), bars_.begin() + 501);
  then.back().close += 0.25;
  entries_[200].id = std::to_string(bars_[500].close_time_ms) + "-1";
  entries_[200].fields["rev"] = "1";
  entries_.insert(entries_.begin() + 200, published(profile_, then, 500)[0]);
  for (const std::size_t page : {1U, 13U, 201U, 1000U}) {
    Verification verification(profile_, kId, {{bars_[499]}, {}}, pages_of(entries_, page));
    verification.take(piece(bars_, 0, bars_.size()));
    const Verdict verdict = verification.finish();
    EXPECT_EQ(verdict.difference, "") << page;
    EXPECT_EQ(verdict.unknown, 1U) << page;
    EXPECT_EQ(verdict.equal, 600U) << page;
  }
  // The newest content must be right.
  entries_[201].fields["average"] = "0.123";
  EXPECT_THAT(verify(entries_).difference, HasSubstr("average is 0.123"));
  entries_.resize(201);
  EXPECT_THAT(verify(entries_).difference, HasSubstr("close is "));
}

TEST_F(VerificationTest, PagesWithoutBarsBeforeTheFirstBarAreNoHole) {
  // A young listing: from its first bar on all is published.
  const auto entries = published(profile_, bars_, 0, 300);
  ASSERT_GT(entries.size(), 850U) << "all but those with too few bars before them";
  const std::int64_t first_ms = bars_.front().open_time_ms, from_ms = first_ms - 300 * kMinuteMs;
  for (const std::int64_t page : {300, 100, 7}) {
    Verification verification(profile_, kId, {}, pages_of(entries));
    for (std::int64_t ms = from_ms; ms < first_ms; ms += page * kMinuteMs)
      verification.take({{}, ms, std::min(ms + page * kMinuteMs, first_ms)});
    verification.take(piece(bars_, 0, 500));
    verification.take(piece(bars_, 500, bars_.size()));
    const Verdict verdict = verification.finish();
    EXPECT_EQ(verdict.difference, "") << page;
    EXPECT_EQ(verdict.equal, entries.size()) << page;
    EXPECT_EQ(verdict.unknown, 0U) << page;
  }
}

/// Of this process, in bytes; `name` is a line of /proc/self/status.
std::int64_t memory(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::atoll(line.c_str() + name.size() + 1) * 1024;
  }
  return 0;
}

TEST(VerificationOfALongHistory, AHistoryLargerThanTheMemoryItMayUseIsRecomputed) {
  constexpr std::size_t kBars = kSanitized ? 100'000 : 1'000'000;
  constexpr std::size_t kFirstEntry = kBars - 50'000;
  constexpr std::int64_t kMostBytes = 12'000'000;  // the columns of the bars are 56,000,000
  ProfileConfig profile = small_profile();
  Walk first_walk;
  profile.anchor.fixed_anchor_ms = first_walk.next().open_time_ms;

  std::string directory = (fs::temp_directory_path() / "atcd-verification-XXXXXX").string();
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  {
    state::History history(directory, state::History::Access::write);
    const auto series = history.add("sim:spot:BTCUSDT:1m");
    Walk walk;
    for (std::size_t done = 0; done < kBars; done += 500) {
      std::vector<Bar> bars;
      while (bars.size() < 500) bars.push_back(walk.next());
      ASSERT_TRUE(history.insert(*series, bars, bars.front().open_time_ms, bars.back().close_time_ms));
    }
  }
  // The stream, made while it is read: by an engine that takes the bars one after the other.
  engine::Incremental engine(std::make_shared<const engine::Plan>(profile.parameters));
  Walk walk;
  std::size_t taken = 0;
  const auto more = [&] {
    std::vector<PublishedEntry> page;
    while (taken < kBars && page.size() < 100) {
      const Bar bar = walk.next();
      const engine::Signal signal = engine.update(bar);
      if (++taken > kFirstEntry)
        page.push_back(entry_of(profile, bar, signal, *profile.anchor.fixed_anchor_ms));
    }
    return page;
  };
  std::ofstream("/proc/self/clear_refs") << "5";  // the most that was used begins anew
  const std::int64_t before = memory("VmRSS");
  {
    state::History history(directory, state::History::Access::read);
    Verification verification(profile, kId, {}, more);
    history.read_all(*history.find("sim:spot:BTCUSDT:1m"), 0,
                     [&](const StoredBars& bars) { verification.take(bars); });
    const Verdict verdict = verification.finish();
    EXPECT_EQ(verdict.difference, "");
    EXPECT_EQ(verdict.equal, kBars - kFirstEntry);
  }
  if (!kSanitized) {
    EXPECT_LT(memory("VmHWM") - before, kMostBytes);
  }
  fs::remove_all(directory);
}

}  // namespace
}  // namespace atcd::daemon
