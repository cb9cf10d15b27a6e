#include "daemon/conflict.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

constexpr std::int64_t kMinuteMs = 60'000, kOpenMs = 1'700'000'040'000, kSettlingMs = 3000;

engine::Bar bar_at(std::int64_t open_ms, double close = 100) {
  return {open_ms, open_ms + kMinuteMs, 100, 120, 90, close, 1.5};
}

feeds::HistoryResult answer(std::vector<engine::Bar> rows, std::int64_t server_time_ms) {
  feeds::HistoryResult result;
  result.rows = std::move(rows);
  result.server_time_ms = server_time_ms;
  return result;
}

Verdict verdict_of(const std::optional<engine::Bar>& ours, const feeds::HistoryResult& result) {
  return verdict(ours, kOpenMs, result, kSettlingMs);
}

const engine::Bar kOurs = bar_at(kOpenMs), kOther = bar_at(kOpenMs, 101), kNext = bar_at(kOpenMs + kMinuteMs);
constexpr std::int64_t kEndMs = kOpenMs + kMinuteMs;

TEST(ConflictTest, ARowThatMayStillChangeProvesNothing) {
  EXPECT_EQ(verdict_of(kOurs, answer({kOther}, kEndMs + kSettlingMs - 1)), Verdict::open);
  EXPECT_EQ(verdict_of(kOurs, answer({kOurs}, kEndMs)), Verdict::open);
  EXPECT_EQ(verdict_of(kOurs, answer({kOther}, 0)), Verdict::open) << "the exchange's clock is not known";
  EXPECT_EQ(verdict_of(std::nullopt, answer({kOther}, kEndMs)), Verdict::open);
}

TEST(ConflictTest, ARowIsFinalWhenItHasSettledOrALaterOneExists) {
  EXPECT_EQ(verdict_of(kOurs, answer({kOther}, kEndMs + kSettlingMs)), Verdict::wrong);
  EXPECT_EQ(verdict_of(kOurs, answer({kOther, kNext}, kEndMs)), Verdict::wrong);
  EXPECT_EQ(verdict_of(kOurs, answer({kOurs, kNext}, 0)), Verdict::confirmed);
  EXPECT_EQ(verdict_of(kOurs, answer({kOurs}, kEndMs + kSettlingMs)), Verdict::confirmed);
}

TEST(ConflictTest, ARequestThatFailedProvesNothing) {
  auto failed = answer({kOther, kNext}, kEndMs + kMinuteMs);
  failed.error = feeds::RestError::http_status;
  EXPECT_EQ(verdict_of(kOurs, failed), Verdict::open);
  EXPECT_EQ(verdict_of(kOurs, answer({}, kEndMs + kMinuteMs)), Verdict::open)
      << "an empty answer may be a mistake";
}

TEST(ConflictTest, ABarThatWeLackIsNoConfirmation) {
  EXPECT_EQ(verdict_of(std::nullopt, answer({kOther, kNext}, kEndMs)), Verdict::lacking);
  EXPECT_EQ(verdict_of(std::nullopt, answer({kNext}, kEndMs)), Verdict::absent);
  EXPECT_EQ(verdict_of(kOurs, answer({kNext}, kEndMs)), Verdict::absent);
}

TEST(ConflictTest, VolumesDoNotCount) {
  engine::Bar folded = kOurs;
  folded.volume *= 1 + 3e-16;
  EXPECT_EQ(verdict_of(folded, answer({kOurs, kNext}, kEndMs)), Verdict::confirmed);
}

TEST(ConflictTest, EachPriceCounts) {
  for (double engine::Bar::*price :
       {&engine::Bar::open, &engine::Bar::high, &engine::Bar::low, &engine::Bar::close}) {
    engine::Bar row = kOurs;
    row.*price += 0.25;
    EXPECT_EQ(verdict_of(kOurs, answer({row, kNext}, kEndMs)), Verdict::wrong);
  }
}

}  // namespace
}  // namespace atcd::daemon
