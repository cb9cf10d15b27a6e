#include "daemon/top_view.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

namespace atcd::daemon {
namespace {

TopData::Row row(const std::string& series, const std::string& state, double average, std::int64_t age_ms,
                 std::int64_t lag_ms) {
  const std::int64_t close_ms = 1'000'000'000 - age_ms;
  return {series, state, close_ms, 1.5, average, average > 0 ? 1 : -1, close_ms, lag_ms};
}

TopData data() {
  TopData data;
  data.now_ms = 1'000'000'000;
  data.instance = "main";
  data.redis_connected = true;
  data.rows = {row("b", "LIVE", -0.5, 2000, 30), row("a", "STALE", 0.25, 90'000, 10),
               row("c", "LIVE", NAN, 1000, 20)};
  data.feeds["binance:spot"] = {3, 1, 100, 0, 0};
  return data;
}

/// The first letters of the rows, in the order in which they stand.
std::string order(TopView& view, const TopData& shown, std::size_t height = 20) {
  std::string letters;
  for (const std::string& line : view.screen(shown, 120, height)) {
    const std::size_t at = line.starts_with("\x1b[1m") ? 4 : 0;
    if (line.size() > at + 1 && line[at + 1] == ' ' && line[at] >= 'a' && line[at] <= 'z')
      letters += line[at];
  }
  return letters;
}

TEST(TopView, SortsByAnyColumnAndBack) {
  TopView view;
  EXPECT_EQ(order(view, data()), "abc");
  view.on_key("s");
  EXPECT_EQ(order(view, data()), "cba");
  view.on_key("a");
  EXPECT_EQ(order(view, data()), "abc") << "largest first, the undefined last";
  view.on_key("g");
  EXPECT_EQ(order(view, data()), "abc");
  view.on_key("r");
  EXPECT_EQ(order(view, data()), "cba");
  view.on_key("l");
  EXPECT_EQ(order(view, data()), "bca");
  view.on_key("t");
  EXPECT_EQ(order(view, data()), "bca");
}

TEST(TopView, WhatRedisLacksIsLag) {
  TopData late = data();
  late.rows[2].published_ms -= 60'000;
  TopView view;
  view.on_key("l");
  EXPECT_EQ(order(view, late), "cba") << "a second behind";
  late.rows[1].published_ms = 0;
  EXPECT_EQ(order(view, late), "acb") << "never acknowledged";
}

TEST(TopView, FiltersByTextOfSeriesAndState) {
  TopView view;
  for (const char* key : {"/", "l", "I", "v", "x", "\x7f", "e", "\r"}) EXPECT_TRUE(view.on_key(key));
  EXPECT_EQ(order(view, data()), "bc");
  view.on_key("\x1b");
  EXPECT_EQ(order(view, data()), "abc");
  view.on_key("/");
  EXPECT_TRUE(view.on_key("q")) << "typed, not the end";
  EXPECT_EQ(order(view, data()), "");
  view.on_key("\x1b");
  EXPECT_FALSE(view.on_key("q"));
}

TEST(TopView, TheScreenHasItsSizeWhateverThatIs) {
  TopData many = data();
  for (int i = 0; i < 1000; ++i) many.rows.push_back(row("x" + std::to_string(i), "LIVE", 0.1, 10, 1));
  TopView view;
  for (const std::size_t height : {1U, 2U, 3U, 4U, 5U, 24U, 200U, 2000U}) {
    for (const std::size_t width : {1U, 10U, 80U, 300U}) {
      const auto lines = view.screen(many, width, height);
      EXPECT_EQ(lines.size(), height);
      for (const std::string& line : lines) EXPECT_LE(line.size(), width + 8) << "with its escape codes";
    }
  }
}

TEST(TopView, ScrollsNoFurtherThanTheRowsGo) {
  TopView view;
  for (int i = 0; i < 10; ++i) view.on_key("\x1b[B");
  EXPECT_EQ(order(view, data(), 6), "bc") << "heading, feed, columns, two rows... the last of them";
  view.on_key("\x1b[A");
  view.on_key("\x1b[A");
  EXPECT_EQ(order(view, data(), 6).substr(0, 1), "a");
}

TEST(TopView, TakesTheDaemonsAnswersAndToleratesFurtherKeys) {
  TopData read;
  take_status(read, R"({"ok":true,"instance":"x","redis_connected":true,"unpublished":4,"new":{"a":[1]}})");
  EXPECT_EQ(read.instance, "x");
  EXPECT_EQ(read.unpublished, 4);
  take_feeds(read, R"({"ok":true,"feeds":[{"feed":"f","frames":1},{"feed":"f","frames":2,"more":null}]})");
  EXPECT_EQ(read.feeds["f"].frames, 3);
  EXPECT_EQ(take_rows(read, R"({"ok":true,"next":"0.7","now_ms":5,"rows":[{"series":"s","average":null}]})"),
            "0.7");
  EXPECT_EQ(take_rows(read, R"({"ok":true,"next":null,"now_ms":5,"rows":[]})"), "");
  ASSERT_EQ(read.rows.size(), 1U);
  EXPECT_TRUE(std::isnan(read.rows[0].average));
  EXPECT_THROW(take_rows(read, R"({"ok":false,"error":"no"})"), std::runtime_error);
  EXPECT_THROW(take_rows(read, "no JSON"), std::runtime_error);
}

TEST(TopView, PlainHasNoEscapeCodes) {
  TopView view;
  const std::string text = view.plain(data());
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_NE(text.find("3 series, 2 live"), std::string::npos) << text;
}

}  // namespace
}  // namespace atcd::daemon
