#include "daemon/share.hpp"

#include <gtest/gtest.h>

namespace atcd::daemon {
namespace {

TEST(Share, EverySymbolIsExactlyOneWorkersWithAllThatBelongsToIt) {
  std::size_t most = 0;
  for (std::size_t worker = 0; worker < 4; ++worker) {
    std::size_t owned = 0;
    for (int i = 0; i < 1000; ++i) {
      const std::string symbol = "S" + std::to_string(i);
      std::size_t owners = 0;
      for (std::size_t other = 0; other < 4; ++other)
        owners += Share{other, 4}.owns("sim", "spot", symbol) ? 1U : 0U;
      ASSERT_EQ(owners, 1U) << symbol;
      const Share share{worker, 4};
      owned += share.owns("sim", "spot", symbol) ? 1U : 0U;
      for (const auto* rest : {":1m:default", ":1w:other", ""})
        ASSERT_EQ(share.owns("sim:spot:" + symbol + rest), share.owns("sim", "spot", symbol));
    }
    most = std::max(most, owned);
  }
  EXPECT_LT(most, 320U) << "of 1,000 over four";
  EXPECT_TRUE(Share{}.owns("anything"));
  EXPECT_EQ((Share{1, 3}.owns("binance:spot:A%25B:1m:x")), (Share{1, 3}.owns("binance", "spot", "A%B")));
}

}  // namespace
}  // namespace atcd::daemon
