// What a worker remembers of bars that came again otherwise.
#include <algorithm>
#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "tests/daemon/series_rig.hpp"

namespace atcd::daemon::testing {
namespace {

using Subject = SelfAudit::Subject;

class LateBarsTest : public SeriesRig {
 protected:
  /// A worker that has the bars of the exchange's only symbol.
  void begin(double speed, std::int64_t history_bars = 60) {
    open_exchange(simulator::kListedLongAgoMs, speed);
    start(R"("default")", profile("default", period(history_bars)));
  }
  /// The bars of the only series, and what was told of them since.
  std::optional<Subject> subject() {
    const auto told = std::make_shared<std::promise<std::optional<Subject>>>();
    worker().ask([told](const WorkerView& view) {
      if (view.outputs.empty()) return told->set_value({});
      ask_subject(view, view.outputs.begin()->first,
                  [told](std::optional<Subject> found) { told->set_value(std::move(found)); });
    });
    return told->get_future().get();
  }
  std::size_t bars() {
    const auto found = subject();
    return found ? found->bars.size() : 0;
  }
  std::size_t late() {
    const auto found = subject();
    return found ? found->late.size() : 0;
  }
  /// How often the worker has connected, where it misses nothing since; else 0.
  std::uint64_t connects() {
    const auto told = std::make_shared<std::promise<std::uint64_t>>();
    worker().ask([told](const WorkerView& view) {
      const bool live =
          !view.outputs.empty() && view.outputs.begin()->second->series().state() == feeds::SeriesState::live;
      told->set_value(live ? feed_rows(view)[0].counters.connects : 0);
    });
    return told->get_future().get();
  }
  /// How many rows of REST the only series has compared with its bars.
  std::uint64_t compared() {
    const auto told = std::make_shared<std::promise<std::uint64_t>>();
    worker().ask([told](const WorkerView& view) {
      told->set_value(view.outputs.begin()->second->series().counters().compared);
    });
    return told->get_future().get();
  }
  bool reconnects() {
    const std::uint64_t before = connects();
    control("cut?how=reset");
    return eventually([&] { return connects() > before; });
  }
  /// REST has told the newest bar as it was before its last trades.
  bool begin_with_a_bar_told_otherwise() {
    begin(0);
    if (!eventually([&] { return connects() > 0 && bars() > 60; }) || !close_a_bar()) return false;
    if (!reconnects()) return false;  // the first answer after a jump of the exchange's clock is not believed
    control("rest?how=unsettled&count=1");
    return reconnects() && late() == 1;
  }
};

TEST_F(LateBarsTest, AreForgottenWithTheBarsThatTheyAreOf) {
  begin(3000);
  ASSERT_TRUE(eventually([&] { return bars() > 120; }));
  // More than one on a slow machine, which may have forgotten the first before it is looked for.
  ASSERT_TRUE(eventually([&] {
    control("correct?symbol=" + symbol_ + "&bars_ago=20");
    return late() > 0;
  }));
  std::size_t most = 0;
  const bool trimmed = eventually([&] {
    const std::size_t held = bars();
    most = std::max(most, held);
    return held < most;
  });
  EXPECT_TRUE(trimmed) << most << " bars are held";
  EXPECT_TRUE(eventually([&] { return late() == 0; }));
}

/// A server of REST that is behind shows a bar as it was before its last trades, for the next run to take.
TEST_F(LateBarsTest, WhatRestTookBackDoesNotHold) {
  ASSERT_TRUE(begin_with_a_bar_told_otherwise());
  ASSERT_TRUE(close_a_bar());
  ASSERT_TRUE(eventually([&] { return late() == 2; }));
  const auto found = subject();
  const engine::Bar& used = found->bars[found->bars.size() - 2];
  EXPECT_EQ(found->late[0].bar.open_time_ms, used.open_time_ms);
  EXPECT_FALSE(same_prices(found->late[0].bar, used));
  EXPECT_EQ(found->late[1].bar, used);
}

/// The exchange's last word is the frame's: the next run begins with the next bar, before REST is asked once
/// more.
TEST_F(LateBarsTest, ACorrectionOfTheNewestBarHoldsOverWhatRestToldOfIt) {
  ASSERT_TRUE(begin_with_a_bar_told_otherwise());
  const engine::Bar before = subject()->bars.back();
  control("correct?symbol=" + symbol_ + "&bars_ago=1");
  ASSERT_TRUE(eventually([&] { return subject()->bars.back() != before; }));
  const auto found = subject();
  ASSERT_EQ(found->late.size(), 2U);
  EXPECT_EQ(found->late[1].bar, found->bars.back());
}

/// Nor is it taken at its word in a bar's first seconds: the next run may begin with the next bar.
TEST_F(LateBarsTest, WhatRestTellsOfABarThatHasJustClosedIsNotTaken) {
  begin(0);
  ASSERT_TRUE(eventually([&] { return connects() > 0 && bars() > 60; }));
  const std::size_t before = bars();
  control("advance?ms=50000");  // ten seconds into the next bar
  ASSERT_TRUE(eventually([&] { return bars() > before; }));
  ASSERT_TRUE(reconnects()) << "the first answer after a jump of the exchange's clock is not believed";
  control("rest?how=unsettled&count=1");
  ASSERT_TRUE(reconnects());
  EXPECT_EQ(late(), 0U);
  control("advance?ms=10000");
  ASSERT_TRUE(eventually([&] { return compared() > 0; })) << "REST is asked once more";
  EXPECT_LE(compared(), 2U) << "about the newest bars alone";
  EXPECT_EQ(late(), 0U);
}

/// Where REST and frames differ for good one answer would else give rise to the next question, and so on.
TEST_F(LateBarsTest, OnlyWhatWasToldOtherwiseIsAskedForAgain) {
  begin(0);
  ASSERT_TRUE(eventually([&] { return connects() > 0 && bars() > 60; }));
  control("turn_away?ms=600000");
  control("cut?how=reset");
  ASSERT_TRUE(eventually([&] { return connects() == 0; }));
  control("correct?symbol=" + symbol_ + "&bars_ago=3");  // nobody hears of it
  control("turn_away?ms=1");
  ASSERT_TRUE(eventually([&] { return connects() > 0; }));
  ASSERT_EQ(compared(), 0U);
  control("correct?symbol=" + symbol_ + "&bars_ago=6");
  ASSERT_TRUE(eventually([&] { return compared() > 0; }));
  EXPECT_EQ(compared(), 1U);
  EXPECT_EQ(late(), 1U);
}

/// A request has room for 99 bars.
TEST_F(LateBarsTest, HoursApartAreAskedForAgainTogether) {
  begin(0, 200);
  ASSERT_TRUE(eventually([&] { return connects() > 0 && bars() > 200; }));
  control("correct?symbol=" + symbol_ + "&bars_ago=150");
  control("correct?symbol=" + symbol_ + "&bars_ago=20");
  ASSERT_TRUE(eventually([&] { return late() == 2; }));
  EXPECT_TRUE(eventually([&] { return compared() == 2; })) << compared();
}

}  // namespace
}  // namespace atcd::daemon::testing
