#include "engine/parameters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

#include "engine/plan.hpp"
#include "engine/usual_lengths.hpp"

namespace atcd::engine {
namespace {

using Errors = std::vector<std::string>;

TEST(ParametersTest, LengthsAreBaseThenPlusThenMinusTheOffsets) {
  using Lengths = std::array<int, 9>;
  EXPECT_EQ(family_lengths(28, Robustness::narrow), (Lengths{28, 29, 30, 31, 32, 27, 26, 25, 24}));
  EXPECT_EQ(family_lengths(28, Robustness::medium), (Lengths{28, 29, 30, 32, 34, 27, 26, 24, 22}));
  EXPECT_EQ(family_lengths(28, Robustness::wide), (Lengths{28, 29, 31, 33, 35, 27, 25, 23, 21}));
}

TEST(ParametersTest, TheUsualLengthsAreThoseOfBase28) {
  for (const auto& [spread, robustness] : {std::pair{Spread::narrow, Robustness::narrow},
                                           {Spread::medium, Robustness::medium},
                                           {Spread::wide, Robustness::wide}}) {
    const auto lengths = family_lengths(28, robustness);
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      EXPECT_EQ(usual_length(spread, static_cast<int>(i)), lengths[i]);
      EXPECT_EQ(usual_root(spread, static_cast<int>(i)), static_cast<int>(std::sqrt(lengths[i])));
    }
    EXPECT_EQ(usual_longest(spread), *std::max_element(lengths.begin(), lengths.end()));
  }
}

TEST(ParametersTest, TheDefaultsAreValid) { EXPECT_EQ(validate(Parameters{}), Errors{}); }

TEST(ParametersTest, ABaseTooSmallIsRefusedWithTheFamilyAndTheSmallestLegalOne) {
  constexpr std::array<int, 3> kSmallest = {5, 7, 8};
  for (std::size_t r = 0; r < kSmallest.size(); ++r) {
    for (std::size_t f = 0; f < kFamilies; ++f) {
      Parameters parameters;
      parameters.robustness = static_cast<Robustness>(r);
      parameters.lengths[f] = kSmallest[r];
      EXPECT_EQ(validate(parameters), Errors{});
      parameters.lengths[f] = kSmallest[r] - 1;
      const Errors errors = validate(parameters);
      ASSERT_EQ(errors.size(), 1U);
      EXPECT_EQ(errors[0], "lengths." + std::string(kFamilyNames[f]) + " is " +
                               std::to_string(kSmallest[r] - 1) + ", but must be from " +
                               std::to_string(kSmallest[r]) + " (with robustness " +
                               std::string(kRobustnessNames[r]) + ") to 5000");
    }
  }
  Parameters parameters;
  parameters.lengths[1] = std::numeric_limits<int>::min();
  parameters.lengths[2] = std::numeric_limits<int>::max();
  EXPECT_EQ(validate(parameters).size(), 2U);
}

TEST(ParametersTest, EveryViolationIsNamedAtOnce) {
  Parameters parameters;
  parameters.lengths[0] = 6;
  parameters.weights[5] = 0;
  parameters.lambda = std::nan("");
  parameters.decay = 100.5;
  parameters.cutout = -1;
  parameters.long_threshold = -0.2;
  parameters.short_threshold = 0.2;
  EXPECT_EQ(validate(parameters),
            (Errors{"lengths.ema is 6, but must be from 7 (with robustness medium) to 5000",
                    "weights.kama is 0, but must be a finite number above 0",
                    "lambda is nan, but must be a finite number",
                    "decay is 100.5, but must be from 0 to 100 (percent a bar)",
                    "cutout is -1, but must be from 0 to 1000000000",
                    "long_threshold is -0.2, but must be above short_threshold, which is 0.2"}));
  EXPECT_THROW(Plan{parameters}, std::invalid_argument);
  Parameters endless;
  endless.cutout = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(validate(endless), Errors{"cutout is 9223372036854775807, but must be from 0 to 1000000000"});
}

TEST(ParametersTest, EqualAndUndefinedThresholdsAreRefused) {
  Parameters parameters;
  parameters.long_threshold = parameters.short_threshold = 0.1;
  EXPECT_EQ(validate(parameters).size(), 1U);
  parameters.long_threshold = std::nan("");
  EXPECT_EQ(validate(parameters), Errors{"long_threshold is nan, but must be finite"});
  parameters.long_threshold = 1;
  parameters.short_threshold = -std::numeric_limits<double>::infinity();
  EXPECT_EQ(validate(parameters), Errors{"short_threshold is -inf, but must be finite"});
}

TEST(ParametersTest, TheCanonicalFormIsFixed) {
  EXPECT_EQ(canonical_json(Parameters{}),
            "{\"dialect\":\"lts\",\"lengths\":{\"ema\":28,\"hma\":28,\"wma\":28,\"dema\":28,\"lsma\":28,"
            "\"kama\":28},\"weights\":{\"ema\":1,\"hma\":1,\"wma\":1,\"dema\":1,\"lsma\":1,\"kama\":1},"
            "\"robustness\":\"medium\",\"lambda\":0.02,\"decay\":0.03,\"cutout\":0,\"long_threshold\":0.1,"
            "\"short_threshold\":-0.1,\"strategy_mode\":false,\"ma_source\":\"close\"}");
  Parameters parameters;
  parameters.dialect = Dialect::pine;
  parameters.weights[0] = 0.1 + 0.2;
  parameters.ma_source = MaSource::hlc3;
  parameters.strategy_mode = true;
  const std::string json = canonical_json(parameters);
  EXPECT_NE(json.find("\"pine\""), std::string::npos);
  EXPECT_NE(json.find("\"ema\":0.30000000000000004"), std::string::npos);
  EXPECT_NE(json.find("\"ma_source\":\"hlc3\""), std::string::npos);
  EXPECT_NE(json.find("\"strategy_mode\":true"), std::string::npos);
}

TEST(ParametersTest, FamiliesAreChosenByName) {
  const auto chosen = [](const std::vector<std::string>& names) {
    Parameters parameters;
    const std::string fault = choose_families(names, parameters);
    std::string all = fault + ':';
    for (const bool one : parameters.families) all += one ? '1' : '0';
    return all;
  };
  EXPECT_EQ(chosen({"kama", "ema"}), ":100001");
  EXPECT_EQ(chosen({"ema", "hma", "wma", "dema", "lsma", "kama"}), ":111111");
  EXPECT_EQ(chosen({}), "is empty, but must name at least one of ema, hma, wma, dema, lsma, kama:111111");
  EXPECT_EQ(chosen({"ema", "emma"}),
            "has \"emma\", but may only have ema, hma, wma, dema, lsma, kama:111111");
  EXPECT_EQ(chosen({"ema", "hma", "ema"}),
            "has \"ema\" twice, but may have each of ema, hma, wma, dema, lsma, kama once:111111");
}

TEST(ParametersTest, LengthsAndWeightsOfFamiliesThatAreNotChosenAreNotChecked) {
  Parameters parameters;
  parameters.lengths = {28, 1, -7, 0, std::numeric_limits<int>::max(), 3};
  parameters.weights = {1, 0, -1, std::nan(""), 1, 1};
  parameters.families = {true, false, false, false, false, false};
  EXPECT_EQ(validate(parameters), Errors{});
  parameters.families[5] = true;
  EXPECT_EQ(validate(parameters),
            Errors{"lengths.kama is 3, but must be from 7 (with robustness medium) to 5000"});
  parameters.families = {};
  EXPECT_EQ(validate(parameters),
            Errors{"families is empty, but must name at least one of ema, hma, wma, dema, lsma, kama"});
}

TEST(ParametersTest, TheCanonicalFormOfSomeFamiliesHasNothingOfTheOthers) {
  Parameters parameters;
  parameters.families = {true, false, false, false, false, true};
  const std::string json = canonical_json(parameters);
  EXPECT_EQ(json,
            "{\"dialect\":\"lts\",\"families\":[\"ema\",\"kama\"],\"lengths\":{\"ema\":28,\"kama\":28},"
            "\"weights\":{\"ema\":1,\"kama\":1},\"robustness\":\"medium\",\"lambda\":0.02,\"decay\":0.03,"
            "\"cutout\":0,\"long_threshold\":0.1,\"short_threshold\":-0.1,\"strategy_mode\":false,"
            "\"ma_source\":\"close\"}");
  parameters.lengths[1] = 12;
  parameters.weights[3] = 7;
  EXPECT_EQ(canonical_json(parameters), json);
  parameters.lengths[5] = 12;
  EXPECT_NE(canonical_json(parameters), json);
}

TEST(PlanTest, TheFewestBarsAreThoseOfTheChosenFamilies) {
  Parameters parameters;
  parameters.lengths = {10, 60, 20, 30, 40, 50};
  const auto fewest = [&](const std::array<bool, kFamilies>& families) {
    parameters.families = families;
    return Plan(parameters).minimum_bars();
  };
  EXPECT_EQ(fewest({true, true, true, true, true, true}), 66);
  EXPECT_EQ(fewest({true, false, false, true, false, true}), 36);
  EXPECT_EQ(fewest({true, false, false, false, false, false}), 16);
  EXPECT_EQ(fewest({false, false, false, false, false, true}), 1);
  parameters.cutout = 4;
  EXPECT_EQ(fewest({false, false, false, false, false, true}), 5);
}

TEST(PlanTest, TheFewestBarsAreTheLongestBarsAreTheLongestLengthOutsideKama) {
  Parameters parameters;
  EXPECT_EQ(Plan(parameters).minimum_bars(), 34);
  parameters.lengths[5] = 60;  // kama
  EXPECT_EQ(Plan(parameters).minimum_bars(), 34);
  parameters.lengths[4] = 40;
  EXPECT_EQ(Plan(parameters).minimum_bars(), 46);
  parameters.cutout = 100;
  EXPECT_EQ(Plan(parameters).minimum_bars(), 101);
  parameters.dialect = Dialect::pine;
  EXPECT_EQ(Plan(parameters).minimum_bars(), 101);
  parameters.cutout = 0;
  EXPECT_EQ(Plan(parameters).minimum_bars(), 1);
}

}  // namespace
}  // namespace atcd::engine
