#include "engine/series_id.hpp"

#include <gtest/gtest.h>

namespace atcd::engine {
namespace {

TEST(SeriesIdTest, NamesAndGroupsJoinTheirParts) {
  const SeriesId id{"binance", "spot", "BTCUSDT", "1m", "default"};
  EXPECT_EQ(id.name(), "binance:spot:BTCUSDT:1m:default");
  EXPECT_EQ(id.group(), "binance:spot:1m:default");
}

TEST(SeriesIdTest, BytesThatKeysCannotHoldAreEncoded) {
  EXPECT_EQ(percent_encode("AZaz09._/@-"), "AZaz09._/@-");
  EXPECT_EQ(percent_encode("a:b{c}%* \n"), "a%3Ab%7Bc%7D%25%2A%20%0A");
  EXPECT_EQ(percent_encode("\xE5\xB8\x81USDT"), "%E5%B8%81USDT");
  EXPECT_EQ((SeriesId{"x", "y", "A:B", "1m", "p q"}.name()), "x:y:A%3AB:1m:p%20q");
}

}  // namespace
}  // namespace atcd::engine
