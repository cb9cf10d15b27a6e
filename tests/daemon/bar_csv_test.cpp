#include "daemon/bar_csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace atcd::daemon {
namespace {

using engine::Bar;

constexpr std::int64_t kNowMs = 1'764'000'000'000;

std::vector<Bar> read(std::string_view text) {
  BarCsvReader reader(text, *engine::Interval::parse("1m"), kNowMs);
  std::vector<Bar> bars;
  while (const auto bar = reader.next()) bars.push_back(*bar);
  return bars;
}

std::string refusal(std::string_view text) {
  try {
    read(text);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

constexpr std::string_view kHeader = "open_ms,open,high,low,close,volume\n";

std::string with_header(std::string_view rows) { return std::string(kHeader).append(rows); }

TEST(BarCsv, ReadsColumnsInAnyOrderAndIgnoresOthers) {
  const auto bars = read(
      "\xEF\xBB\xBF"
      "close,x,low,high,open,volume,open_time_ms\r\n2,?,1,3,1.5,0,60000\r\n");
  ASSERT_EQ(bars.size(), 1U);
  EXPECT_EQ(bars[0], (Bar{60000, 120000, 1.5, 3, 1, 2, 0}));
}

TEST(BarCsv, WhatIsWrittenIsReadAsTheSameBits) {
  const std::vector<Bar> bars = {{60000, 120000, 0.1, 0.30000000000000004, 1e-9, 0.2, 1e20},
                                 {180000, 240000, 64000.01, 64000.02, 63999.99, 64000, 1.0 / 3}};
  std::string text(kBarCsvHeader);
  for (const Bar& bar : bars) append_csv_row(text, bar);
  EXPECT_EQ(read(text), bars);
}

TEST(BarCsv, WhatHasNotClosedIsRefused) {
  const auto row = [](std::int64_t open_ms) { return with_header(std::to_string(open_ms) + ",1,3,1,2,0\n"); };
  EXPECT_EQ(read(row(kNowMs - 60'000)).size(), 1U);
  EXPECT_THAT(refusal(row(kNowMs)),
              testing::HasSubstr("line 2: the bar of open_ms 1764000000000 ends in the future"));
  const std::int64_t us = (kNowMs - 60'000) * 1000;  // as in the files that Binance gives out since 2025
  EXPECT_THAT(refusal(row(us)), testing::HasSubstr("the times are no milliseconds"));
}

TEST(BarCsv, ARefusalNamesTheLineAndTheValue) {
  const std::string good = "60000,1,3,1,2,0\n";
  EXPECT_THAT(refusal("open_ms,open,high,low,close\n"),
              testing::HasSubstr("line 1: there is no column volume"));
  EXPECT_THAT(refusal(with_header(good + "120000,1,3,1,two,0\n")),
              testing::HasSubstr("line 3: close \"two\" is no number"));
  EXPECT_THAT(refusal(with_header("60001,1,3,1,2,0\n")),
              testing::HasSubstr("line 2: open_ms 60001 is no boundary"));
  EXPECT_THAT(refusal(with_header("60000,1,3,1,4,0\n")), testing::HasSubstr("is no bar"));
  EXPECT_THAT(refusal(with_header("60000,1,3,1,nan,0\n")), testing::HasSubstr("is no bar"));
  EXPECT_THAT(refusal(with_header(good + good)), testing::HasSubstr("line 3: the bar does not come after"));
  EXPECT_THAT(refusal(with_header(",\n")), testing::HasSubstr("line 2: open_ms \"\" is no number"));
  EXPECT_EQ(refusal(with_header(good + "\n\r\n")), "") << "empty lines are none";
  EXPECT_THAT(refusal(with_header("\n" + good + good)), testing::HasSubstr("line 4: the bar does not come"));
  EXPECT_THAT(refusal(with_header("60000,1,3,1,2,0,9\n")),
              testing::HasSubstr("line 2: there are 7 fields, but the header has 6"));
  EXPECT_THAT(refusal("close,open_ms,open,high,low,close,volume\n"),
              testing::HasSubstr("line 1: there are two columns close"));
  EXPECT_THAT(refusal(""), testing::HasSubstr("line 1"));
}

}  // namespace
}  // namespace atcd::daemon
