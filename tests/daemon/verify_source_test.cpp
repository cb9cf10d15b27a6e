#include "daemon/verify_source.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <span>
#include <stdexcept>

#include "tests/daemon/published_walk.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;
using state::History;
using ::testing::HasSubstr;

constexpr std::size_t kTail = 512;  // of a history's bars are not in blocks yet

/// A daemon that goes on writing while its signals are verified.
class VerifySourceTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-verify-XXXXXX").string();
    directory_ = mkdtemp(form.data());
    written_ = std::make_unique<History>(directory_ + "/history", History::Access::write);
    number_ = *written_->add("binance:spot:BTCUSDT:1m");
    append(std::span(bars_).first(kTail));
  }
  void TearDown() override {
    written_.reset();
    fs::remove_all(directory_);
  }

  void append(std::span<const Bar> bars) {
    for (const Bar& bar : bars) ASSERT_TRUE(written_->append(number_, bar, bar.open_time_ms));
  }

  /// The newest bar of the entries is published again with another close, and stored. Both contents are in
  /// `entries`.
  void correct(std::size_t at) {
    Bar corrected = bars_[at];
    corrected.close += 0.25;
    entries_.resize(at + 1 - kFirst);
    std::vector<Bar> now(bars_.begin(), bars_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    now.back() = corrected;
    PublishedEntry again = published(profile_, now, at)[0];
    again.id = std::to_string(corrected.close_time_ms) + "-1";
    again.fields["rev"] = "1";
    entries_.push_back(again);
    ASSERT_TRUE(written_->correct(number_, corrected, 1));
  }

  /// As `atcd verify` does.
  Verdict verify(FromHistory& source) {
    const PublishedSeries series{kId, kId.name(), nullptr, &profile_, ""};
    return settled_verdict(
        [&](Verdict& verdict) {
          Verification verification(profile_, kId, source.others(series), pages_of(entries_));
          const bool whole = source.read(series, bars_.front().open_time_ms,
                                         [&](const state::StoredBars& bars) { verification.take(bars); });
          verdict = verification.finish();
          return whole;
        },
        [&](const Verdict&) {
          ++renewed_;
          source.renew();
        });
  }

  static constexpr std::size_t kFirst = 300;
  ProfileConfig profile_ = small_profile();
  std::vector<Bar> bars_ = walk(900);
  std::vector<PublishedEntry> entries_ = published(profile_, bars_, kFirst);
  std::string directory_;
  std::unique_ptr<History> written_;
  History::Series number_ = 0;
  int renewed_ = 0;
};

TEST_F(VerifySourceTest, ATailThatBecomesABlockMeanwhileIsNoDifference) {
  FromHistory source(directory_);
  append(std::span(bars_).subspan(kTail, 1));
  const Verdict verdict = verify(source);
  EXPECT_EQ(verdict.difference, "");
  EXPECT_EQ(verdict.equal, kTail + 1 - kFirst);
  EXPECT_EQ(renewed_, 1);
}

TEST_F(VerifySourceTest, ABarOfTheTailThatIsCorrectedMeanwhileIsNoDifference) {
  FromHistory source(directory_);
  correct(kTail - 1);
  const Verdict verdict = verify(source);
  EXPECT_EQ(verdict.difference, "");
  EXPECT_EQ(verdict.equal, kTail + 1 - kFirst);
  EXPECT_EQ(renewed_, 1);
}

TEST_F(VerifySourceTest, ABarOfABlockThatIsCorrectedMeanwhileIsNoDifference) {
  append(std::span(bars_).subspan(kTail, 1));
  FromHistory source(directory_);
  correct(kTail - 1);
  const Verdict verdict = verify(source);
  EXPECT_EQ(verdict.difference, "");
  EXPECT_EQ(verdict.equal, kTail + 1 - kFirst);
}

TEST_F(VerifySourceTest, WhatIsDamagedIsToldBesideWhatCouldNotBeRecomputed) {
  append(std::span(bars_).subspan(kTail));
  const std::string blocks = directory_ + "/history/blocks";
  std::fstream file(blocks, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(fs::file_size(blocks) / 2));
  file.put('\x55').put('\xaa').put('\x55').put('\xaa');
  file.close();
  FromHistory source(directory_);
  const Verdict verdict = verify(source);
  EXPECT_EQ(verdict.difference, "");
  EXPECT_GT(verdict.unknown, 0U);
  ASSERT_EQ(source.problems().size(), 1U);
  EXPECT_THAT(source.problems()[0], HasSubstr("is damaged: its 512 bars are left out"));
}

TEST_F(VerifySourceTest, ADifferenceIsLookedAtTwice) {
  entries_[100].fields["average"] = "0.123";
  FromHistory source(directory_);
  EXPECT_THAT(verify(source).difference, HasSubstr("average is 0.123 in Redis"));
  EXPECT_EQ(renewed_, 1);
}

TEST_F(VerifySourceTest, WhatIsPublishedBeforeItIsOnDiskIsNoDifference) {
  int looked = 0;
  const Verdict verdict = settled_verdict(
      [&](Verdict& now) {
        now.difference = ++looked < 3 ? "another one: " + std::to_string(looked) : "";
        return true;
      },
      [](const Verdict& before) { EXPECT_THAT(before.difference, HasSubstr("another")); });
  EXPECT_EQ(verdict.difference, "");
  EXPECT_EQ(looked, 3);
}

TEST_F(VerifySourceTest, ASeriesThatNeverStandsStillEndsIt) {
  int looked = 0;
  const auto never = [&](Verdict& verdict) {
    ++looked;
    verdict.difference = "of no account";
    return false;
  };
  EXPECT_THROW(settled_verdict(never, [](const Verdict& before) { EXPECT_EQ(before.difference, ""); }),
               std::runtime_error);
  EXPECT_EQ(looked, 5);
}

}  // namespace
}  // namespace atcd::daemon
