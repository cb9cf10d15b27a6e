#include "daemon/compare.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "daemon/csv_compute.hpp"
#include "tests/daemon/whole_csv.hpp"

namespace atcd::daemon {
namespace {

constexpr std::int64_t kHour = 3'600'000;
constexpr std::int64_t kBegin = 1'704'067'200'000;  // 2024-01-01T00:00:00Z

/// Compares rows of two columns; with times an hour apart where `times` says so.
Comparison compared(const std::string& chart, const std::string& rows, bool times) {
  Comparison comparison(chart);
  if (times) {
    CsvBars bars;
    for (std::int64_t i = 0; i < 4; ++i) bars.open_ms.push_back(kBegin + i * kHour);
    comparison.take_bars(bars, 0);
  }
  comparison.take_rows("close,Average_Signal\n");
  comparison.take_rows(rows);
  return comparison;
}

const std::string kRows = "10.5,\n11,0.12345\n12,-0.5\n13,0.66666\n";

TEST(CompareTest, AChartWithTimesIsComparedByTime) {
  // Two bars earlier than ours, a gap, one later; seconds as TradingView exports them.
  const Comparison comparison = compared(
      "time,open,close,Average Signal\n1704060000,1,2,3\n1704067200,10,10.5,NaN\n1704070800,10,11,0.1235\n"
      "1704078000,10,13,0.6667\n1704081600,1,1,1\n",
      kRows, true);
  EXPECT_EQ(comparison.error(), "");
  EXPECT_TRUE(comparison.agrees());
  EXPECT_EQ(comparison.report(),
            "rows that both have, by time: 3; only computed: 1; only in the chart: 2\n"
            "close: 3 of 3 agree to 1 decimals\n"
            "Average_Signal: 3 of 3 agree to 4 decimals\n");
}

TEST(CompareTest, TheFirstDifferenceIsShownWithItsTimeAndBothValues) {
  const Comparison comparison = compared(
      "time,average_signal\n2024-01-01T00:00:00Z,\n2024-01-01T01:00:00Z,0.1236\n2024-01-01T02:00:00Z,0.5\n",
      kRows, true);
  EXPECT_EQ(comparison.error(), "");
  EXPECT_FALSE(comparison.agrees());
  EXPECT_EQ(comparison.report(),
            "rows that both have, by time: 3; only computed: 1; only in the chart: 0\n"
            "Average_Signal: 1 of 3 agree to 4 decimals; first difference: 2024-01-01 01:00:00 UTC, bar 1: "
            "0.12345, in the chart (line 3) 0.1236\n");
}

TEST(CompareTest, WithoutTimesOnOneSideRowsAreComparedByNumber) {
  for (const bool times : {false, true}) {
    const std::string chart = times ? "Average Signal\nNaN\n0.12\n-0.50\n"
                                    : "time,Average Signal\n1704067200,\n1704070800,0.12\n1704074400,-0.50\n";
    const Comparison comparison = compared(chart, kRows, times);
    EXPECT_TRUE(comparison.agrees()) << comparison.report();
    EXPECT_EQ(comparison.report(),
              "rows that both have, by number: 3; only computed: 1; only in the chart: 0\n"
              "Average_Signal: 3 of 3 agree to 2 decimals\n");
  }
}

TEST(CompareTest, UndefinedIsEqualToUndefinedOnly) {
  EXPECT_FALSE(compared("Average_Signal\n0\n0.12345\n", kRows, false).agrees());
  EXPECT_FALSE(compared("Average_Signal\n\"\"\n\"\"\n", kRows, false).agrees());
  EXPECT_TRUE(compared("close,Average_Signal\n10.5,\n", kRows, false).agrees());
}

TEST(CompareTest, TheDecimalsAreThoseOfTheWholeColumn) {
  // 0.5 by itself would say one decimal, at which -0.46 is the same.
  const Comparison comparison =
      compared("Average_Signal\nNaN\n0.12345\n-0.5\n", "1,\n2,0.12345\n3,-0.46\n", false);
  EXPECT_FALSE(comparison.agrees());
  EXPECT_TRUE(compared("close\n1.25e-7\n", "0.000000125,\n", false).agrees());
  EXPECT_FALSE(compared("close\n1.25e-7\n", "0.000000128,\n", false).agrees());
}

TEST(CompareTest, WhatCannotBeComparedIsRefusedWithASentence) {
  EXPECT_EQ(compared("time,Volume\n1704067200,1\n", kRows, true).error(),
            "line 1: no column has the name of one that is computed; it has: time, Volume");
  EXPECT_EQ(compared("time,close\n1604067200,1\n", kRows, true).error(),
            "no row is one of a bar that is computed");
  EXPECT_EQ(compared("close\n", kRows, false).error(), "no row is one of a bar that is computed");
  EXPECT_EQ(compared("", kRows, false).error(),
            "line 1: no column has the name of one that is computed; it has: ");
  EXPECT_EQ(compared("close,Close\n1,1\n", kRows, false).error(),
            "line 1: the column close stands there twice, but must be the only one");
  EXPECT_EQ(compared("close\n10.5\nten\n", kRows, false).error(),
            "line 3: close is \"ten\", but must be a number, or empty or NaN");
  for (const std::string far : {"1.5e-2147483648", "1.5e2147483647"}) {
    EXPECT_EQ(compared("close\n" + far + "\n", kRows, false).error(),
              "line 2: close is \"" + far + "\", but must be a number, or empty or NaN");
  }
  EXPECT_EQ(compared("close,Average_Signal\n1\n", kRows, false).error(),
            "line 2: there are 1 fields, but the header has 2");
  EXPECT_EQ(compared("time,close\nnoon,1\n", kRows, false).error(),
            "line 2: time is \"noon\", but must be seconds or milliseconds since 1970, or as "
            "2024-01-31T00:00:00Z");
}

TEST(CompareTest, TimesAreReadInEveryFormThatChartsExport) {
  EXPECT_EQ(chart_time_ms("1704067200"), kBegin);
  EXPECT_EQ(chart_time_ms("1704067200000"), kBegin);
  EXPECT_EQ(chart_time_ms("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(chart_time_ms("2024-01-01"), kBegin);
  EXPECT_EQ(chart_time_ms("2024-01-01 00:00"), kBegin);
  EXPECT_EQ(chart_time_ms("2024-01-01T00:00:00Z"), kBegin);
  EXPECT_EQ(chart_time_ms("2024-01-01T00:00:00.000Z"), kBegin);
  EXPECT_EQ(chart_time_ms("2024-01-01T01:00:00+01:00"), kBegin);
  EXPECT_EQ(chart_time_ms("2023-12-31T18:30:00-0530"), kBegin);
  for (const char* wrong : {"", "2024-13-01", "2024-02-30", "2024-01-01T25:00", "2024-01-01T00:00:00+1",
                            "2024-01-01T00:00:00.5Z", "2024-01-01Tx", "99999999999999999999", "-", "1.5"}) {
    EXPECT_FALSE(chart_time_ms(wrong)) << wrong;
  }
}

TEST(CompareTest, WhatComputeWritesAgreesWithItself) {
  CsvBars bars;
  for (int i = 0; i < 300; ++i) {
    bars.closes.push_back(100 + i % 17 - i % 5 * 0.25);
    bars.open_ms.push_back(kBegin + i * kHour);
    bars.lines.push_back(static_cast<std::size_t>(i) + 2);
  }
  ComputeOptions options;
  options.dump = true;
  options.extras = {"time"};
  const std::string text = compute_csv(options, bars).text;
  Comparison comparison(text);
  comparison.take_bars(bars, 0);
  options.extras.clear();
  EXPECT_TRUE(comparison.take_rows(compute_csv(options, bars).text));
  EXPECT_EQ(comparison.error(), "");
  EXPECT_TRUE(comparison.agrees()) << comparison.report();
  EXPECT_NE(comparison.report().find("by time: 300;"), std::string::npos);
  EXPECT_NE(comparison.report().find("eq_KAMA_22: 300 of 300"), std::string::npos);
}

}  // namespace
}  // namespace atcd::daemon
