#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <map>
#include <string>

#include "feeds/okx.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds {
namespace {

/// Each line of every recording, and what an independent reading of its text says that it is.
TEST(OkxRecordings, HaveNothingMalformedAndEachClosedCandleOnce) {
  const std::filesystem::path folder = std::filesystem::path(ATCD_SHARED_DIR) / "data/ws/okx";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the recordings are not at " << folder;
  const auto parser = okx_spot().new_parser();
  std::size_t lines = 0, candles = 0, trades = 0, acks = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!entry.path().string().ends_with(".jsonl.gz")) continue;
    gzFile file = gzopen(entry.path().c_str(), "rb");
    std::string line(4U << 20, '\0');
    std::map<std::string, std::size_t> closed;
    while (gzgets(file, line.data(), static_cast<int>(line.size())) != nullptr) {
      std::string_view frame(line.data());
      while (frame.ends_with('\n')) frame.remove_suffix(1);
      const testing::Parsed parsed = testing::parse_frame(*parser, frame);
      const auto has = [&](std::string_view text) { return frame.find(text) != std::string_view::npos; };
      EXPECT_NE(parsed.kind, FrameKind::malformed) << parsed.text << ": " << frame;
      const bool ack = has("{\"event\":\"subscribe\"");
      const bool candle = !ack && has("\"channel\":\"candle1m\"");
      const bool trade = !ack && has("\"channel\":\"trades\"");
      EXPECT_EQ(parsed.klines.size(), candle ? 1U : 0U) << frame;
      EXPECT_EQ(parsed.trades.size(), trade ? 1U : 0U) << frame;
      for (const auto& row : parsed.klines) {
        EXPECT_EQ(row.closed, has("\"1\"]]")) << frame;
        if (row.closed) ++closed[row.symbol + std::to_string(row.bar.open_time_ms)];
      }
      const bool ours = has("\"channel\":\"trades\"") || has("\"channel\":\"candle1m\"");
      EXPECT_EQ(parsed.kind == FrameKind::ack, ack && ours) << frame;
      ++lines;
      candles += parsed.klines.size();
      trades += parsed.trades.size();
      acks += parsed.kind == FrameKind::ack ? 1 : 0;
    }
    gzclose(file);
    for (const auto& [bar, times] : closed) EXPECT_EQ(times, 1U) << bar;
  }
  EXPECT_GT(lines, 7000U);
  EXPECT_EQ(candles, 6U);
  EXPECT_EQ(trades, 99U);
  EXPECT_EQ(acks, 55U);
}

}  // namespace
}  // namespace atcd::feeds
