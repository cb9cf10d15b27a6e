#include "daemon/self_audit.hpp"

#include <gmock/gmock.h>

#include <thread>

#include "tests/daemon/no_threads.hpp"

namespace atcd::daemon {
namespace {

const engine::SeriesId kId{"sim", "spot", "BTCUSDT", "1m", "default"};

SelfAudit::Subject subject() {
  SelfAudit::Subject made;
  made.id = kId;
  made.profile.parameters.lengths = {10, 11, 12, 10, 11, 9};
  made.profile.anchor.history_bars = 100;
  made.profile.anchor.anchor_period = 100;
  double price = 100;
  for (std::int64_t slot = 30'000'000; slot < 30'000'300; ++slot) {
    price *= slot % 7 < 3 ? 1.003 : 0.998;
    made.bars.push_back({slot * 60'000, slot * 60'000 + 60'000, price, price, price, price, 1});
  }
  made.covered_from = 30'000'000;
  made.held = *SelfAudit::recompute(made);
  return made;
}

std::optional<SelfAudit::Difference> result_of(SelfAudit& audit, SelfAudit::Subject of) {
  EXPECT_TRUE(audit.begin(std::move(of)));
  EXPECT_TRUE(audit.busy());
  std::optional<SelfAudit::Difference> difference;
  while (audit.busy()) {
    difference = audit.take_difference();
    std::this_thread::yield();
  }
  return difference;
}

TEST(SelfAudit, AnEngineThatHoldsWhatItMustIsCounted) {
  SelfAudit audit;
  EXPECT_FALSE(result_of(audit, subject()));
  EXPECT_EQ(audit.counters().audited, 1U);
  EXPECT_EQ(audit.counters().differences, 0U);
}

TEST(SelfAudit, TheLastBitOfOneValueIsADifference) {
  SelfAudit audit;
  SelfAudit::Subject wrong = subject();
  wrong.held.signal.equity[3] = std::nextafter(wrong.held.signal.equity[3], 10);
  const auto difference = result_of(audit, wrong);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->series, kId.name());
  EXPECT_THAT(difference->detail, testing::HasSubstr(std::to_string(wrong.bars.back().close_time_ms)));
  EXPECT_EQ(audit.counters().audited, 1U);
  EXPECT_EQ(audit.counters().differences, 1U);
}

TEST(SelfAudit, ABarThatChangedUnderTheEngineIsADifference) {
  SelfAudit audit;
  SelfAudit::Subject wrong = subject();
  wrong.bars[250].close += 0.01;
  EXPECT_TRUE(result_of(audit, wrong));
}

TEST(SelfAudit, BarsThatDoNotReachBarZeroSayNothing) {
  SelfAudit audit;
  SelfAudit::Subject tail = subject();
  tail.bars.erase(tail.bars.begin(), tail.bars.begin() + 250);
  tail.covered_from += 250;
  EXPECT_FALSE(result_of(audit, tail));
  EXPECT_EQ(audit.counters().audited, 0U);
}

TEST(SelfAudit, WithoutAThreadItIsLeftOut) {
  SelfAudit audit;
  {
    const NoThreads none;
    EXPECT_FALSE(audit.begin(subject()));
  }
  EXPECT_FALSE(audit.busy());
  EXPECT_FALSE(result_of(audit, subject()));
  EXPECT_EQ(audit.counters().audited, 1U);
}

}  // namespace
}  // namespace atcd::daemon
