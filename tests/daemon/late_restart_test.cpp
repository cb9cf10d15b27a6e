// A bar that came again otherwise, and a start before the exchange could be asked about it once more.
#include <algorithm>

#include "tests/daemon/series_rig.hpp"

namespace atcd::daemon::testing {
namespace {

class LateRestartTest : public SeriesRig {};

/// A server of REST that is behind shows a bar as it was before its last trades, for the next run to take.
TEST_F(LateRestartTest, WhatRestTookBackDoesNotHold) {
  open_exchange();
  const std::string profiles = profile("near", period(60));
  start(R"("near")", profiles);
  ASSERT_TRUE(is_live());
  ASSERT_TRUE(close_a_bar());
  ASSERT_TRUE(reconnects()) << "the first answer after a jump of the exchange's clock is not believed";
  control("rest?how=unsettled&count=1");
  ASSERT_TRUE(reconnects());
  ASSERT_TRUE(close_a_bar());  // after a start only the newest is asked for anyway
  ASSERT_EQ(subject("near")->late.size(), 1U);
  stop();
  start(R"("near")", profiles);
  ASSERT_TRUE(eventually([&] {
    const auto found = subject("near");
    return found && found->late.size() == 2;
  }));
  const auto found = subject("near");
  const auto used = std::find_if(found->bars.begin(), found->bars.end(), [&](const engine::Bar& bar) {
    return bar.open_time_ms == found->late[0].bar.open_time_ms;
  });
  ASSERT_NE(used, found->bars.end());
  EXPECT_FALSE(same_prices(found->late[0].bar, *used));
  EXPECT_EQ(found->late[1].bar, *used);
}

}  // namespace
}  // namespace atcd::daemon::testing
