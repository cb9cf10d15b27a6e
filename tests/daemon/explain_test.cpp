#include "daemon/explain.hpp"

#include <gtest/gtest.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace atcd::daemon {
namespace {

SelfAudit::Subject subject(engine::Dialect dialect = engine::Dialect::lts) {
  SelfAudit::Subject made;
  made.id = {"sim", "spot", "BTCUSDT", "1m", "default"};
  made.profile.parameters.dialect = dialect;
  made.profile.parameters.lengths = {10, 11, 12, 10, 11, 9};
  made.profile.parameters.weights = {1, 2, 3, 1, 0.5, 1};
  made.profile.anchor.history_bars = 100;
  made.profile.anchor.anchor_period = 100;
  double price = 100;
  for (std::int64_t slot = 30'000'000; slot < 30'000'300; ++slot) {
    price *= slot % 7 < 3 ? 1.003 : 0.998;
    made.bars.push_back({slot * 60'000, slot * 60'000 + 60'000, price, price, price, price, 1});
  }
  made.covered_from = 30'000'000;
  return made;
}

struct Family {
  double signal, equity, weight;
  std::int64_t cut;
  double states_by_equity = 0, equities = 0;
};

Family read_family(const simdjson::dom::element& from) {
  Family family{from["signal"], from["equity"], from["weight"], from["cut"]};
  std::size_t averages = 0;
  for (const simdjson::dom::element each : simdjson::dom::array(from["averages"])) {
    const double equity = each["equity"], state = each["state"];
    family.states_by_equity += state * equity;
    family.equities += equity;
    ++averages;
  }
  EXPECT_EQ(averages, engine::kLengthsPerFamily);
  return family;
}

class ExplainedDialect : public testing::TestWithParam<engine::Dialect> {};
INSTANTIATE_TEST_SUITE_P(Both, ExplainedDialect,
                         testing::Values(engine::Dialect::lts, engine::Dialect::pine));

TEST_P(ExplainedDialect, AddsUpToTheSignalThatEveryOtherPathGives) {
  const auto explanation = explain(subject(GetParam()));
  ASSERT_TRUE(explanation);
  EXPECT_TRUE(same_bits(explanation->computed, *SelfAudit::recompute(subject(GetParam()))));
  const std::string json = explanation_json(*explanation);
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  const simdjson::dom::element read = parser.parse(padded);
  const double average = read["average"];
  EXPECT_EQ(std::memcmp(&average, &explanation->computed.signal.average, sizeof average), 0);
  double sum = 0, equities = 0;
  std::size_t families = 0;
  for (const simdjson::dom::element each : simdjson::dom::array(read["families"])) {
    const Family family = read_family(each);
    EXPECT_NEAR(family.signal, family.states_by_equity / family.equities, 0.00501)
        << "rounded to two decimals";
    EXPECT_EQ(family.weight, explanation->profile.parameters.weights[families]);
    sum += static_cast<double>(family.cut) * family.equity;
    equities += family.equity;
    ++families;
  }
  EXPECT_EQ(families, engine::kFamilies);
  EXPECT_EQ(sum / equities, average);
}

TEST(Explain, FamiliesThatAreNotComputedAreLeftOut) {
  SelfAudit::Subject two = subject();
  two.profile.parameters.families = {true, false, false, false, false, true};
  const std::string table = explanation_table(explanation_json(*explain(two)));
  EXPECT_NE(table.find("kama"), std::string::npos);
  EXPECT_EQ(table.find("wma"), std::string::npos);
}

TEST(Explain, TheTableHasEveryNumberWithAllItsDigits) {
  const auto explanation = explain(subject());
  const std::string json = explanation_json(*explanation), table = explanation_table(json);
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 4 + 1 + 7 + 1 + 1 + 54);
  // The first average, as it stands in the JSON.
  const std::size_t at = json.find("\"average\":", json.find("\"averages\":[")) + 10;
  EXPECT_NE(table.find(json.substr(at, json.find(',', at) - at)), std::string::npos) << table;
}

TEST(Explain, BarsThatDoNotReachBarZeroExplainNothing) {
  SelfAudit::Subject tail = subject();
  tail.bars.erase(tail.bars.begin(), tail.bars.begin() + 250);
  tail.covered_from += 250;
  EXPECT_FALSE(explain(tail));
  EXPECT_FALSE(explain({}));
  EXPECT_EQ(explanation_table("no JSON"), "");
}

}  // namespace
}  // namespace atcd::daemon
