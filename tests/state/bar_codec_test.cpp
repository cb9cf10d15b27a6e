#include "state/bar_codec.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/locations.hpp"
#include "tests/state/bars.hpp"

namespace atcd::state {
namespace {

using engine::Bar;

void expect_same_bits(std::span<const Bar> bars) {
  std::string bytes;
  encode_bars(bars, bytes);
  std::vector<Bar> decoded(bars.size());
  ASSERT_TRUE(decode_bars(bytes, decoded));
  EXPECT_EQ(std::memcmp(decoded.data(), bars.data(), bars.size() * sizeof(Bar)), 0);
}

TEST(BarCodec, GivesBackEveryBitOfOrdinaryBars) {
  for (const std::size_t count : {1U, 2U, 63U, 64U, 65U, 511U, 512U}) expect_same_bits(some_bars(count, 7));
}

TEST(BarCodec, GivesBackEveryBitOfAwkwardBars) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 200; ++trial) {
    auto bars = some_bars(1 + random() % kBlockBars, trial);
    for (Bar& bar : bars) {
      // What no exchange sends must survive as well: nothing here may depend on the ranges of a bar.
      switch (random() % 12) {
        case 0:
          std::memcpy(&bar.high, std::array{random()}.data(), 8);
          break;
        case 1:
          std::memcpy(&bar.volume, std::array{random()}.data(), 8);
          break;
        case 2:
          bar.volume = -0.0;
          break;
        case 3:
          bar.low = std::numeric_limits<double>::denorm_min();
          break;
        case 4:
          bar.open_time_ms = static_cast<std::int64_t>(random());
          break;
        case 5:
          bar.close = 4199874.2999999998;
          break;
        case 6:
          std::swap(bar.high, bar.low);
          break;
        default:
          break;
      }
    }
    expect_same_bits(bars);
  }
}

TEST(BarCodec, RefusesWhatIsCutAndReadsNothingBehindTheEnd) {
  const auto bars = some_bars(300, 5);
  std::string bytes;
  encode_bars(bars, bytes);
  std::vector<Bar> decoded(bars.size());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // In memory of its own, so that the sanitizer sees a step too far.
    const std::vector<char> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const bool whole = decode_bars({cut.data(), cut.size()}, decoded);
    if (size + 8 < bytes.size()) {
      EXPECT_FALSE(whole && decoded == bars) << size;
    }
  }
  std::vector<Bar> none, too_many(kBlockBars + 1);
  EXPECT_FALSE(decode_bars(bytes, none));
  EXPECT_FALSE(decode_bars(bytes, too_many));
}

// The shares that the history promises: against columns of 8 bytes for time, four prices and volume.
TEST(BarCodec, CompressesRealBars) {
  const std::filesystem::path folder = ATCD_SHARED_DIR "/data/ohlcv";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << folder << " is absent";
  double plain = 0, packed = 0, worst = 1e9;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder)) {
    if (file.path().extension() != ".gz") continue;
    const std::vector<Bar> bars = read_real_bars(file.path());
    std::string bytes;
    for (std::size_t at = 0; at < bars.size(); at += kBlockBars) {
      const auto block = std::span(bars).subspan(at, std::min(kBlockBars, bars.size() - at));
      const std::size_t before = bytes.size();
      encode_bars(block, bytes);
      std::vector<Bar> decoded(block.size());
      ASSERT_TRUE(decode_bars(std::string_view(bytes).substr(before), decoded));
      ASSERT_EQ(std::memcmp(decoded.data(), block.data(), block.size_bytes()), 0) << file.path();
    }
    const double size = static_cast<double>(bars.size()) * 48;
    plain += size;
    packed += static_cast<double>(bytes.size());
    worst = std::min(worst, size / static_cast<double>(bytes.size()));
  }
  RecordProperty("total", std::to_string(plain / packed));
  RecordProperty("worst", std::to_string(worst));
  EXPECT_GE(plain / packed, 6.5);
  EXPECT_GE(worst, 3.8);
}

}  // namespace
}  // namespace atcd::state
