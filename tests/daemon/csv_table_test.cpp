#include "daemon/csv_table.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace atcd::daemon {
namespace {

TEST(CsvTableTest, FindsItsColumnsAmongOthersInAnyOrder) {
  const auto result = parse_csv_bars(
      "\xEF\xBB\xBFvolume,\"src\", close ,open_ms\r\n9,1.5,2,60000\r\n,,\"3\",120000\n\n7,2.5,,180000");
  ASSERT_EQ(result.error, "");
  ASSERT_EQ(result.bars.closes.size(), 3U);
  EXPECT_EQ(result.bars.closes[0], 2);
  EXPECT_EQ(result.bars.closes[1], 3);
  EXPECT_TRUE(std::isnan(result.bars.closes[2]));
  EXPECT_EQ(result.bars.sources[0], 1.5);
  EXPECT_TRUE(std::isnan(result.bars.sources[1]));
  EXPECT_EQ(result.bars.open_ms, (std::vector<std::int64_t>{60000, 120000, 180000}));
  EXPECT_EQ(result.bars.lines, (std::vector<std::size_t>{2, 3, 5}));
}

TEST(CsvTableTest, AnEmptyLineOfAOneColumnFileIsAMissingClose) {
  const auto result = parse_csv_bars("close\n1\n\n3\n");
  ASSERT_EQ(result.error, "");
  ASSERT_EQ(result.bars.closes.size(), 3U);
  EXPECT_TRUE(std::isnan(result.bars.closes[1]));
}

TEST(CsvTableTest, ErrorsNameTheLineAndTheValue) {
  EXPECT_EQ(parse_csv_bars("").error,
            "line 1: there is no header row, but one with a column close is needed");
  EXPECT_EQ(parse_csv_bars("open,high\n1,2\n").error,
            "line 1: the header has no column close; it has: open, high");
  EXPECT_EQ(parse_csv_bars("close,close\n").error,
            "line 1: the column close stands there twice, but must be the only one");
  EXPECT_EQ(parse_csv_bars("close\n1\n2x\n").error,
            "line 3: close is \"2x\", but must be a number within a double's range, or empty");
  EXPECT_EQ(parse_csv_bars("close\n1e999\n").error,
            "line 2: close is \"1e999\", but must be a number within a double's range, or empty");
  EXPECT_EQ(parse_csv_bars("close,src\n1,2\n1\n").error, "line 3: there are 1 fields, but the header has 2");
  EXPECT_EQ(parse_csv_bars("close,open_ms\n1,1.5\n").error,
            "line 2: open_ms is \"1.5\", but must be a whole number of milliseconds since 1970");
}

TEST(CsvTableTest, WhateverTheTimeIsCalledTheNewestBarFirstIsRefused) {
  EXPECT_EQ(
      parse_csv_bars("timestamp,close\n1700000120,1\n1700000060,2\n").error,
      "line 3: timestamp is \"1700000060\", but must be no earlier than that of the bar before: the oldest "
      "bar comes first");
  for (const char* name : {"Open time", "unix", "DateTime", "time", "date", "open_time_ms"}) {
    const std::string header = "close,\"" + std::string(name) + "\"\n";
    for (const auto& [earlier, later] : {std::pair{"1700000000000", "1700000060000"},
                                         std::pair{"2023-11-14 22:13:20", "2023-11-14 22:14:20"},
                                         std::pair{"1700000000000000", "1700000060000000"}}) {
      const std::string first = "1," + std::string(earlier) + "\n", second = "2," + std::string(later) + "\n";
      EXPECT_EQ(parse_csv_bars(header + first + second).error, "") << header << first;
      EXPECT_EQ(parse_csv_bars(header + first + first).error, "") << "a day may stand beside a time of day";
      EXPECT_NE(parse_csv_bars(header + second + first).error.find("line 3: " + std::string(name) + " is"),
                std::string::npos)
          << header << first;
    }
  }
  EXPECT_EQ(parse_csv_bars("time,close\n10:02,1\nx,2\n10:01,3\n").error, "")
      << "what is no time says nothing";
  EXPECT_EQ(parse_csv_bars("date,time,close\n20240102,2300,1\n20240103,0000,2\n").error, "");
  EXPECT_EQ(parse_csv_bars("date,time,close\n20240102,230000,1\n20240103,000000,2\n").error, "");
  EXPECT_NE(parse_csv_bars("date,close\n20240103,1\n20240102,2\n").error, "") << "a day in digits is one";
  for (const char* header : {"date,time,close\n", "Date,Time,close\n"}) {
    EXPECT_EQ(parse_csv_bars(std::string(header) + "2024-01-02,23:00,1\n2024-01-03,00:00,2\n").error, "");
    EXPECT_NE(parse_csv_bars(std::string(header) + "2024-01-03,00:00,1\n2024-01-02,23:00,2\n").error, "")
        << "the date tells the order";
  }
  EXPECT_EQ(parse_csv_bars("time,open_ms,close\n9,60000,1\n8,120000,2\n").error, "") << "open_ms is the time";
}

TEST(CsvTableTest, LocalClocksAreTurnedBackOnceAYear) {
  const auto refused = [](std::initializer_list<const char*> times) {
    std::string text = "date,close\n";
    for (const char* time : times) text += std::string(time) + ",1\n";
    return !parse_csv_bars(text).error.empty();
  };
  EXPECT_FALSE(refused({"2024-10-27 02:30", "2024-10-27 02:45", "2024-10-27 02:00", "2024-10-27 02:15"}));
  EXPECT_FALSE(refused({"2024-10-27 02:00", "2024-10-27 02:30", "2024-10-27 02:00"})) << "half hours";
  EXPECT_TRUE(refused({"2024-10-27 02:30", "2024-10-27 02:45", "2024-10-27 02:00", "2024-10-27 01:45"}));
  EXPECT_TRUE(refused({"2024-10-27 02:45", "2024-10-27 02:30"})) << "from the first on";
  EXPECT_TRUE(refused({"2024-10-28 02:30", "2024-10-28 02:45", "2024-10-28 02:00"})) << "a Monday";
  EXPECT_TRUE(refused({"2024-10-27 02:30", "2024-10-27 02:45", "2024-10-27 02:15"})) << "a row again";
  EXPECT_TRUE(refused({"2024-10-27 02:30+00:00", "2024-10-27 02:45+00:00", "2024-10-27 02:00+00:00"}));
  EXPECT_TRUE(refused({"2024-10-27T02:30Z", "2024-10-27T02:45Z", "2024-10-27T02:00Z"})) << "not local";
  EXPECT_TRUE(refused({"2024-10-27 02:30", "2024-10-27 02:45", "2024-10-27 02:00", "2024-11-03 02:30",
                       "2024-11-03 02:45", "2024-11-03 02:00"}))
      << "a week later";
}

TEST(CsvTableTest, DatesInDigitsAreTimesWhereTheYearComesFirst) {
  EXPECT_EQ(parse_csv_bars("date,close\n12312024,1\n01012025,2\n").error, "") << "the month first";
  EXPECT_EQ(parse_csv_bars("date,close\n31122024,1\n01012025,2\n").error, "") << "the day first";
}

}  // namespace
}  // namespace atcd::daemon
