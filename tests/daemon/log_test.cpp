#include "daemon/log.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <thread>

namespace atcd::daemon {
namespace {

constexpr std::int64_t kTimeUs = 1'700'000'000'123'456;

TEST(Log, ALogfmtLineHasTimeLevelEventAndFields) {
  EXPECT_EQ(format_line("logfmt", kTimeUs, Level::info, "added",
                        {{"series", "binance:spot:BTCUSDT:1m:default"}, {"close_ms", std::int64_t{5}}}),
            "ts=2023-11-14T22:13:20.123456Z level=info event=added series=binance:spot:BTCUSDT:1m:default "
            "close_ms=5");
}

TEST(Log, WhatIsNotPlainIsQuotedAndStaysOnOneLine) {
  const std::string line =
      format_line("logfmt", kTimeUs, Level::warning, "x", {{"detail", "a \"b\"\nlevel=error\x1b[31m\xff"}});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_NE(line.find(R"(detail="a \"b\"\u000alevel=error)"), std::string::npos) << line;
  // A symbol beyond ASCII is what the exchange calls it; what a terminal would obey is not.
  const std::string beyond =
      format_line("json", kTimeUs, Level::info, "x", {{"detail", "\xe5\xb8\x81\xc2\x9b"}});
  EXPECT_NE(beyond.find("\"\xe5\xb8\x81\\u009b\""), std::string::npos) << beyond;
  EXPECT_NE(format_line("logfmt", kTimeUs, Level::info, "x", {{"empty", ""}}).find("empty=\"\""),
            std::string::npos);
}

TEST(Log, AJsonLineIsJsonWhateverTheText) {
  std::string hostile;
  for (int c = 0; c < 256; ++c) hostile += static_cast<char>(c);
  const std::string line = format_line("json", kTimeUs, Level::error, "x", {{"detail", hostile}, {"n", 7}});
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  ASSERT_EQ(parser.parse(simdjson::padded_string(line)).get(document), simdjson::SUCCESS) << line;
  EXPECT_EQ(std::int64_t(document["n"]), 7);
  EXPECT_EQ(std::string_view(document["level"]), "error");
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(Log, LinesBelowTheLevelAreNotWritten) {
  testing::internal::CaptureStderr();
  start_logging({"warning", "logfmt"});
  log_event(Level::info, "quiet", {});
  log_event(Level::warning, "loud", {});
  stop_logging();
  const std::string written = testing::internal::GetCapturedStderr();
  EXPECT_EQ(written.find("quiet"), std::string::npos);
  EXPECT_NE(written.find("event=loud\n"), std::string::npos) << written;
}

TEST(Log, LinesThatNobodyReadsGiveWayAreCountedAndStopNobody) {
  testing::internal::CaptureStderr();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const int before = ::dup(STDERR_FILENO);
  ::dup2(ends[1], STDERR_FILENO);
  start_logging({"info", "logfmt"});
  for (int i = 0; i < 30'000; ++i) log_event(Level::info, "flood", {{"number", i}});
  const std::size_t lost = lost_log_lines();
  ::dup2(before, STDERR_FILENO);  // what is left goes there once the reader takes what is in the pipe
  ::close(ends[1]);
  std::thread reader([&] {
    std::array<char, 65536> taken;
    while (::read(ends[0], taken.data(), taken.size()) > 0) {
    }
  });
  stop_logging();
  const std::string written = testing::internal::GetCapturedStderr();
  reader.join();
  ::close(ends[0]);
  ::close(before);
  EXPECT_GT(lost, 10'000U);
  EXPECT_NE(written.find("event=log_lines_lost count="), std::string::npos);
}

TEST(Log, TheNewestWarningsAndErrorsAreKept) {
  log_event(Level::error, "disk", {{"detail", "is full"}});
  for (std::size_t i = 0; i < 3 * kMostProblems; ++i) log_event(Level::warning, "state", {{"number", i}});
  log_event(Level::info, "added", {});
  const auto problems = logged_problems();
  const auto is_the_error = [](const LoggedProblem& each) {
    return each.level == Level::error && each.event == "disk" && each.text == "detail=\"is full\"";
  };
  EXPECT_EQ(std::count_if(problems.begin(), problems.end(), is_the_error), 1)
      << "warnings do not wash it away";
  EXPECT_EQ(problems.back().text, "number=29");
  EXPECT_LE(problems.size(), 2 * kMostProblems);
  EXPECT_TRUE(
      std::none_of(problems.begin(), problems.end(), [](const auto& each) { return each.event == "added"; }));
}

}  // namespace
}  // namespace atcd::daemon
