// Redis has other prices for a bar than we have, and the exchange takes its time to tell what is right.
#include "tests/daemon/series_rig.hpp"

namespace atcd::daemon::testing {
namespace {

class WrongEntryTest : public SeriesRig {
 protected:
  /// A worker that has published some bars.
  void begin() {
    open_exchange();
    start(R"("near")", profile_);
    ASSERT_TRUE(has_published("near", 1));
    for (std::size_t count = 2; count <= 3; ++count) {
      ASSERT_TRUE(close_a_bar());
      ASSERT_TRUE(has_published("near", count));
    }
  }
  /// The newest entry has another close; who is connected has to connect anew, and reads it. How it was.
  state::Entry spoil_newest() {
    state::RedisClient client = redis_.client();
    const auto entries = client.stream(key("near"));
    const state::Entry &before = entries[entries.size() - 2], &last = entries.back();
    std::vector<std::string> add = {"XADD", key("near"), last.id};
    for (const auto& [name, value] : last.fields) {
      add.push_back(name);
      add.push_back(name == "close" ? "77" : value);
    }
    client.command({"XDEL", key("near"), last.id});
    client.command({"XSETID", key("near"), before.id});
    client.command(add);
    client.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    return last;
  }
  /// The same, and the exchange has made its answer about it, which comes three seconds later.
  state::Entry spoil_newest_and_ask() {
    control("rest?how=hang&seconds=3&count=1");
    const std::int64_t asked = status("rest_requests");
    const state::Entry last = spoil_newest();
    EXPECT_TRUE(eventually([&] { return status("rest_requests") > asked; }));
    return last;
  }
  /// Of the entries from that one on: revision and close.
  std::vector<std::pair<std::string, std::string>> told_from(const state::Entry& entry) {
    std::vector<std::pair<std::string, std::string>> told;
    for (const state::Entry& each : published("near")) {
      if (!told.empty() || each.id == entry.id)
        told.emplace_back(each.fields.at("rev"), each.fields.at("close"));
    }
    return told;
  }

  const std::string profile_ = profile("near", period(60));
};

/// What was held back meanwhile is no reason to let it stand.
TEST_F(WrongEntryTest, IsCorrectedThoughAnotherBarHasClosed) {
  begin();
  const state::Entry last = spoil_newest_and_ask();
  ASSERT_TRUE(close_a_bar());
  ASSERT_TRUE(eventually([&] { return told_from(last).size() >= 3; }));
  const auto told = told_from(last);
  EXPECT_EQ(told[0], std::pair(std::string("0"), std::string("77")));
  EXPECT_EQ(told[1], std::pair(std::string("1"), last.fields.at("close")));
  EXPECT_EQ(told[2].first, "0");
}

/// An answer from before a correction has the bar as it was.
TEST_F(WrongEntryTest, IsNotReplacedByWhatTheExchangeHasCorrectedSince) {
  begin();
  const state::Entry last = spoil_newest_and_ask();
  control("correct?symbol=" + symbol_);
  ASSERT_TRUE(eventually([&] { return seen().corrections == 1; }));
  ASSERT_TRUE(eventually([&] { return told_from(last).size() >= 2; }));
  EXPECT_NE(told_from(last)[1].second, last.fields.at("close"));
  ASSERT_TRUE(close_a_bar());
  ASSERT_TRUE(eventually([&] { return told_from(last).back().first == "0"; }));
  EXPECT_EQ(told_from(last).size(), 3U);
}

/// REST shows it as it was before its last trades, and no row after it.
TEST_F(WrongEntryTest, DoesNotMakeABarThatHasJustClosedWrong) {
  begin();
  control("advance?ms=45000");  // to five seconds after a close
  ASSERT_TRUE(has_published("near", 4));
  control("rest?how=unsettled&count=2");  // the clock of the first is not believed yet
  const state::Entry last = spoil_newest();
  ASSERT_TRUE(eventually([&] { return told_from(last).size() >= 2; }));
  EXPECT_EQ(told_from(last)[1], std::pair(std::string("1"), last.fields.at("close")));
}

/// What closed while nobody ran comes from REST before its answer about that bar, and waits for it.
TEST_F(WrongEntryTest, IsCorrectedByAStartBeforeLaterBarsAreTold) {
  begin();
  stop();
  const state::Entry last = spoil_newest();
  control("advance?ms=120000");
  control("rest?how=500&count=3");  // the first answer about it among them
  start(R"("near")", profile_);
  ASSERT_TRUE(eventually([&] { return published("near").size() >= 5 && told_from(last).size() >= 3; }));
  ASSERT_TRUE(eventually([&] { return status("faults_due") == 0 && seen().live; }));
  const auto told = told_from(last);
  EXPECT_EQ(told[1], std::pair(std::string("1"), last.fields.at("close")));
  EXPECT_TRUE(eventually([&] { return told_from(last).size() == 4; }));
}

}  // namespace
}  // namespace atcd::daemon::testing
