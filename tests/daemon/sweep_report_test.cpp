#include "daemon/sweep_report.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "daemon/sweep_sets.hpp"

namespace atcd::daemon {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

/// Two sets that differ in the decay, two series.
struct Swept {
  Swept() {
    options.sets = parse_sets("[[set]]\ndecay = [0.25, 0.5]\n").sets;
    result.series = {{"A", 101, 0, 6'000'000, 0.5}, {"B,b", 11, 60'000, 660'000, -0.25}};
    // gain, drawdown, Sharpe, turnover, exposure, trades
    result.evaluations = {{0.25, 0.125, 1.5, 4, 0.5, 2},
                          {-0.5, 0.75, kUndefined, 0, 0, 0},
                          {0.75, 0.5, 1.25, 8, 1, 4},
                          {0.25, 0.25, 3.25, 2, 0.25, 1}};
  }
  SweepReport report(SweepSort sort) const {
    return {options, result, summaries_of(result, options.sets.size(), sort)};
  }

  SweepOptions options;
  SweepResult result;
};

TEST(SweepReportTest, SumsUpEachSetTheBestFirst) {
  const auto rows = Swept().report(SweepSort::sharpe).rows;
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].set, 1U);
  EXPECT_EQ(rows[0].sharpe, 2.25);
  EXPECT_EQ(rows[0].gain, 0.5);
  EXPECT_EQ(rows[0].max_drawdown, 0.5);
  EXPECT_EQ(rows[0].winners, 1.0);
  EXPECT_EQ(rows[0].beating, 1.0);
  EXPECT_EQ(rows[0].trades, 2.5);
  EXPECT_EQ(rows[1].sharpe, 1.5);  // of the one that is defined
  EXPECT_EQ(rows[1].gain, -0.125);
  EXPECT_EQ(rows[1].median_gain, -0.125);
  EXPECT_EQ(rows[1].max_drawdown, 0.75);
  EXPECT_EQ(rows[1].winners, 0.5);
  EXPECT_EQ(rows[1].beating, 0.0);
}

TEST(SweepReportTest, UndefinedComesLast) {
  Swept swept;
  swept.result.evaluations[2].sharpe = swept.result.evaluations[3].sharpe = kUndefined;
  EXPECT_EQ(swept.report(SweepSort::sharpe).rows[0].set, 0U);
  EXPECT_EQ(swept.report(SweepSort::gain).rows[0].set, 1U);
  EXPECT_EQ(swept.report(SweepSort::drawdown).rows[0].set, 1U);
  EXPECT_EQ(swept.report(SweepSort::set).rows[0].set, 0U);
}

TEST(SweepReportTest, TheTableShowsWhatDiffers) {
  EXPECT_EQ(
      sweep_table(Swept().report(SweepSort::sharpe)),
      "sets 2, series 2, bars 112 that open from 1970-01-01 00:00:00 to 1970-01-01 01:40:00 (UTC)\n"
      "long and short, at the next bar's open, fee 10 bp, slippage 0 bp; holding instead: mean gain 12.5 %, "
      "median 12.5 %\n"
      "\n"
      "set  decay  sharpe     gain   median  drawdown  winners  beat holding  turnover  exposure  trades\n"
      "  2  0.5      2.25   50.0 %   50.0 %    50.0 %  100.0 %       100.0 %       5.0    62.5 %     2.5\n"
      "  1  0.25     1.50  -12.5 %  -12.5 %    75.0 %   50.0 %         0.0 %       2.0    25.0 %     1.0\n");
}

TEST(SweepReportTest, CsvAndJsonHaveEveryParameterAndUndefinedValuesEmpty) {
  const Swept swept;
  const std::string csv = sweep_csv(swept.report(SweepSort::set), true);
  EXPECT_EQ(
      csv.substr(0, csv.find('\n')),
      "set,dialect,families,lengths,weights,robustness,lambda,decay,cutout,long_threshold,short_threshold,"
      "strategy_mode,config,series,bars,first_open_ms,last_open_ms,sharpe,gain,max_drawdown,turnover,"
      "exposure,trades,holding_gain");
  EXPECT_NE(
      csv.find("\n1,lts,\"ema,hma,wma,dema,lsma,kama\",28,1,medium,0.02,0.25,0,0.1,-0.1,false,,\"B,b\",11,"
               "60000,660000,,-0.5,0.75,0,0,0,-0.25\n"),
      std::string::npos)
      << csv;
  const std::string json = sweep_json(swept.report(SweepSort::set), true);
  EXPECT_NE(json.find(",\"config\":null,\"series\":\"B,b\",\"bars\":11,\"first_open_ms\":60000,"
                      "\"last_open_ms\":660000,\"sharpe\":null,\"gain\":-0.5,"),
            std::string::npos)
      << json;
  EXPECT_NE(
      sweep_csv(swept.report(SweepSort::sharpe), false)
          .find(
              "\n2,lts,\"ema,hma,wma,dema,lsma,kama\",28,1,medium,0.02,0.5,0,0.1,-0.1,false,,2,2.25,0.5,0.5,"
              "0.5,1,1,5,0.625,2.5\n"),
      std::string::npos);
}

TEST(SweepReportTest, SignalsAreKnownByTheConfigurationsHash) {
  Swept swept;
  swept.options.live_anchors = {"default", {}};
  ProfileConfig profile;
  profile.parameters = swept.options.sets[0];
  EXPECT_NE(
      sweep_json(swept.report(SweepSort::set), false).find("\"config\":\"" + config_hash(profile) + '"'),
      std::string::npos);
}

}  // namespace
}  // namespace atcd::daemon
