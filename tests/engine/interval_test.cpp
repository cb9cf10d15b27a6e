#include "engine/interval.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <string>

namespace atcd::engine {
namespace {

// Times from `date -u -d ... +%s`.
constexpr std::int64_t kMonday2024 = 1'704'067'200'000;   // 2024-01-01T00:00:00Z
constexpr std::int64_t kLeapDay2024 = 1'709'164'800'000;  // 2024-02-29T00:00:00Z
constexpr std::int64_t kMarch2024 = 1'709'251'200'000;    // 2024-03-01T00:00:00Z
constexpr std::int64_t kDay = 86'400'000;

TEST(IntervalTest, ReadsAndWritesWhatExchangesWrite) {
  for (const std::string text :
       {"1s", "1m", "3m", "15m", "1h", "4h", "12h", "1d", "3d", "1w", "1M", "1000s"}) {
    const auto interval = Interval::parse(text);
    ASSERT_TRUE(interval) << text;
    EXPECT_EQ(interval->text(), text);
  }
  for (const char* text : {"", "m", "0m", "01m", "1", "1y", "-1m", "1001s", "99999m", "1mm", "1 m", "1.5h"}) {
    EXPECT_FALSE(Interval::parse(text)) << text;
  }
}

TEST(IntervalTest, OrdinalsCountFromTheEpochWeeksFromMondayMonthsByTheCalendar) {
  EXPECT_EQ(Interval::parse("1m")->ordinal(0), 0);
  EXPECT_EQ(Interval::parse("1m")->ordinal(59'999), 0);
  EXPECT_EQ(Interval::parse("1m")->ordinal(60'000), 1);
  EXPECT_EQ(Interval::parse("1m")->ordinal(-1), -1);
  EXPECT_EQ(Interval::parse("15m")->ordinal(kMonday2024), kMonday2024 / 900'000);
  EXPECT_EQ(Interval::parse("1w")->ordinal(4 * kDay), 0);  // 1970-01-05
  EXPECT_EQ(Interval::parse("1w")->ordinal(4 * kDay - 1), -1);
  EXPECT_EQ(Interval::parse("1w")->ordinal(kMonday2024), 2817);
  EXPECT_EQ(Interval::parse("1M")->ordinal(kLeapDay2024), 2024 * 12 + 2);
  EXPECT_EQ(Interval::parse("1M")->ordinal(0), 1970 * 12 + 1);
  EXPECT_EQ(Interval::parse("1M")->ordinal(-1), 1969 * 12 + 12);
}

TEST(IntervalTest, QuartersAndYearsBeginInJanuary) {
  const auto open_date = [](const char* text, std::chrono::sys_days day) {
    const Interval interval = *Interval::parse(text);
    const std::chrono::sys_time<std::chrono::milliseconds> time = day;
    const std::int64_t open_ms = interval.open_time_ms(interval.ordinal(time.time_since_epoch().count()));
    const std::chrono::year_month_day open{std::chrono::floor<std::chrono::days>(
        std::chrono::sys_time<std::chrono::milliseconds>(std::chrono::milliseconds(open_ms)))};
    return std::pair(int{open.year()}, unsigned{open.month()});
  };
  using namespace std::chrono;
  EXPECT_EQ(open_date("3M", 2024y / February / 29), std::pair(2024, 1U));
  EXPECT_EQ(open_date("3M", 2024y / December / 31), std::pair(2024, 10U));
  EXPECT_EQ(open_date("6M", 1969y / June / 30), std::pair(1969, 1U));
  EXPECT_EQ(open_date("12M", 2024y / December / 31), std::pair(2024, 1U));
  EXPECT_EQ(open_date("12M", 1969y / December / 31), std::pair(1969, 1U));
}

TEST(IntervalTest, BoundariesMeet) {
  for (const char* text : {"1s", "1m", "45m", "7h", "1d", "3d", "1w", "2w", "1M", "3M", "12M"}) {
    const Interval interval = *Interval::parse(text);
    for (std::int64_t n = interval.ordinal(kLeapDay2024) - 30; n < interval.ordinal(kLeapDay2024) + 30; ++n) {
      const std::int64_t open_ms = interval.open_time_ms(n);
      EXPECT_TRUE(interval.is_boundary(open_ms)) << text;
      EXPECT_EQ(interval.ordinal(open_ms), n) << text;
      EXPECT_EQ(interval.ordinal(open_ms - 1), n - 1) << text;
      EXPECT_EQ(interval.close_time_ms(open_ms), interval.open_time_ms(n + 1)) << text;
      EXPECT_EQ(interval.close_time_ms(interval.open_time_ms(n + 1) - 1), interval.open_time_ms(n + 1))
          << text;
      EXPECT_FALSE(interval.is_boundary(open_ms + 1)) << text;
    }
  }
  EXPECT_EQ(Interval::parse("1M")->close_time_ms(kLeapDay2024), kMarch2024);
  EXPECT_EQ(Interval::parse("1d")->close_time_ms(kLeapDay2024), kMarch2024);
  EXPECT_TRUE(Interval::parse("1w")->is_boundary(kMonday2024));
}

TEST(IntervalTest, MonthsAreThoseOfTheCalendar) {
  using namespace std::chrono;
  const Interval interval = *Interval::parse("1M");
  for (int n = -4000 * 12; n < 12'000 * 12; ++n) {
    const int year_number = n / 12 - (n % 12 < 0 ? 1 : 0);
    const year_month_day first{year{year_number}, month{static_cast<unsigned>(n - year_number * 12 + 1)},
                               day{1}};
    const std::int64_t open_ms = sys_days{first}.time_since_epoch().count() * kDay;
    ASSERT_EQ(interval.open_time_ms(n + 1), open_ms) << n;
    ASSERT_EQ(interval.ordinal(open_ms), n + 1);
    ASSERT_EQ(interval.ordinal(open_ms - 1), n);
  }
}

TEST(IntervalTest, BoundariesMeetHoweverFarFromNow) {
  for (const char* text : {"1m", "1d", "3d", "1w", "1M", "3M"}) {
    const Interval interval = *Interval::parse(text);
    for (std::int64_t far = 1; far <= 1'000'000'000; far *= 10) {
      for (const std::int64_t n : {far, -far, far + 7, 7 - far}) {
        const std::int64_t open_ms = interval.open_time_ms(n);
        EXPECT_EQ(interval.ordinal(open_ms), n) << text;
        EXPECT_EQ(interval.ordinal(open_ms - 1), n - 1) << text;
        EXPECT_LT(open_ms, interval.open_time_ms(n + 1)) << text << " " << n;
      }
    }
  }
}

TEST(IntervalTest, WhatNoTimeCanSayIsTheEndOfAllTimes) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min(),
                         kMost = std::numeric_limits<std::int64_t>::max();
  for (const char* text : {"1s", "1m", "1000d", "1w", "1000w", "1M", "12M", "1000M"}) {
    const Interval interval = *Interval::parse(text);
    EXPECT_EQ(interval.open_time_ms(kMost), kMost) << text;
    EXPECT_EQ(interval.open_time_ms(kLeast), kLeast) << text;
    std::int64_t before = kLeast;
    for (std::int64_t n = -4'000'000'000'000'000'000; n <= 4'000'000'000'000'000'000;
         n += 40'000'000'000'000'000) {
      const std::int64_t open_ms = interval.open_time_ms(n);
      EXPECT_LE(before, open_ms) << text << " " << n;
      before = open_ms;
    }
    EXPECT_LE(interval.open_time_ms(interval.ordinal(kMost)), kMost) << text;
    EXPECT_GT(interval.ordinal(kMost), interval.ordinal(kMarch2024)) << text;
    EXPECT_LT(interval.ordinal(kLeast), interval.ordinal(kMarch2024)) << text;
  }
}

TEST(IntervalTest, DividesWhatHasNoBoundaryThatItLacks) {
  const std::vector<std::string> texts = {"1s", "7s", "1m", "2m",  "5m", "7m", "10m", "1h", "2h",
                                          "5h", "8h", "1d", "24h", "2d", "3d", "4d",  "7d", "1w",
                                          "2w", "4w", "1M", "2M",  "3M", "6M", "12M"};
  for (const std::string& base_text : texts) {
    for (const std::string& target_text : texts) {
      const Interval base = *Interval::parse(base_text), target = *Interval::parse(target_text);
      bool all = true;
      const std::int64_t middle = target.ordinal(kLeapDay2024);
      for (std::int64_t n = middle - 500; n < middle + 500; ++n)
        all = all && base.is_boundary(target.open_time_ms(n));
      EXPECT_EQ(base.divides(target), all) << base_text << " and " << target_text;
    }
  }
}

}  // namespace
}  // namespace atcd::engine
