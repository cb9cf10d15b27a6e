#include "feeds/stream_names.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace atcd::feeds {
namespace {

TEST(StreamNames, FindsWhatWasAddedAndNothingElse) {
  StreamNames names;
  EXPECT_EQ(names.find("BTCUSDT", "1m"), nullptr) << "there is nothing yet";
  names.erase({"BTCUSDT", "1m"});
  EXPECT_TRUE(names.add({"BTCUSDT", "1m"}, 7));
  EXPECT_TRUE(names.add({"BTCUSDT", ""}, 8));
  EXPECT_FALSE(names.add({"BTCUSDT", "1m"}, 9)) << "it is there already";
  ASSERT_NE(names.find("BTCUSDT", "1m"), nullptr);
  EXPECT_EQ(*names.find("BTCUSDT", "1m"), 7U);
  EXPECT_EQ(*names.find("BTCUSDT", ""), 8U) << "its trades";
  EXPECT_EQ(names.find("BTCUSDT1", "m"), nullptr);
  names.erase({"BTCUSDT", "1m"});
  EXPECT_EQ(names.find("BTCUSDT", "1m"), nullptr);
  EXPECT_EQ(*names.find("BTCUSDT", ""), 8U);
}

TEST(StreamNames, AgreesWithAMapWhateverComesAndGoes) {
  StreamNames names;
  std::map<std::pair<std::string, std::string>, StreamIndex> truth;
  std::mt19937 random(20261127);
  std::size_t most = 0;
  for (StreamIndex step = 0; step < 60'000; ++step) {
    // The range of names swells and shrinks, so that the table is full and empty in turn.
    const unsigned range = 10 + 40 * (step / 1000 % 20);
    const StreamName name{"S" + std::to_string(random() % range) + "USDT", random() % 2 == 0 ? "1m" : "15m"};
    const std::pair key{name.symbol, name.interval};
    if (random() % 2 == 0) {
      EXPECT_EQ(names.add(name, step), truth.emplace(key, step).second);
    } else {
      names.erase(name);
      truth.erase(key);
    }
    most = std::max(most, truth.size());
    if (step % 500 != 0) continue;
    for (unsigned number = 0; number < 800; ++number) {
      const std::string symbol = "S" + std::to_string(number) + "USDT";
      for (const char* interval : {"1m", "15m"}) {
        const auto wanted = truth.find({symbol, interval});
        const StreamIndex* found = names.find(symbol, interval);
        ASSERT_EQ(found != nullptr, wanted != truth.end()) << symbol << " " << interval << ", step " << step;
        if (found != nullptr) {
          ASSERT_EQ(*found, wanted->second) << symbol << " " << interval;
        }
      }
    }
  }
  EXPECT_GT(most, 500U);
}

}  // namespace
}  // namespace atcd::feeds
