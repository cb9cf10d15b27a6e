#include "feeds/binance_kline_scan.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <array>
#include <string>
#include <vector>

#include "feeds/binance.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds {
namespace {

using testing::frame_text;
using testing::parse_frame;
using testing::Parsed;

bool scans(const std::string& frame) {
  const simdjson::padded_string padded(frame);
  Kline kline;
  std::int64_t last_ms = 0;
  return scan_binance_kline({padded.data(), frame.size()}, kline, last_ms);
}

/// The parser with the short way and the one without it: whatever comes, they say the same.
class BinanceKlineScan : public ::testing::Test {
 protected:
  /// Returns what both say.
  Parsed expect_same(const std::string& frame) {
    const Parsed parsed = parse_frame(*parser_, frame), full = parse_frame(*full_, frame);
    EXPECT_EQ(parsed.kind, full.kind) << frame;
    EXPECT_EQ(parsed.text, full.text) << frame;
    EXPECT_EQ(parsed.klines.size(), full.klines.size()) << frame;
    for (std::size_t i = 0; i < std::min(parsed.klines.size(), full.klines.size()); ++i) {
      const Parsed::Row &row = parsed.klines[i], &expected = full.klines[i];
      EXPECT_EQ(row.symbol, expected.symbol) << frame;
      EXPECT_EQ(row.interval, expected.interval) << frame;
      EXPECT_EQ(row.bar, expected.bar) << frame;
      EXPECT_EQ(row.event_time_ms, expected.event_time_ms) << frame;
      EXPECT_EQ(row.closed, expected.closed) << frame;
    }
    return parsed;
  }

  std::unique_ptr<FrameParser> parser_ = new_binance_frame_parser();
  std::unique_ptr<FrameParser> full_ = new_binance_full_frame_parser();
  const std::string closed_ = frame_text("binance/2026-11-23-spot-kline-closed.json");
  const std::vector<std::string> frames_ = {closed_, frame_text("binance/2026-11-23-spot-kline-forming.json"),
                                            frame_text("binance/2026-11-23-usdm-kline-closed-raw.json")};
};

TEST_F(BinanceKlineScan, WhatBinanceSendsIsReadTheShortWay) {
  for (const std::string& frame : frames_) {
    EXPECT_TRUE(scans(frame)) << frame;
    EXPECT_EQ(expect_same(frame).kind, FrameKind::klines);
  }
}

TEST_F(BinanceKlineScan, WhatIsWrittenInAnotherWayIsLeftToTheFullReader) {
  const auto with = [this](const std::string& piece, const std::string& other) {
    std::string frame = closed_;
    const auto at = frame.find(piece);
    EXPECT_NE(at, std::string::npos) << piece;
    return frame.replace(at, piece.size(), other);
  };
  for (const std::string& frame :
       {with("{\"e\"", "{ \"e\""), with("\"f\":5512340017,", ""), with("\"n\":826", "\"n\":826.5"),
        with(R"("o":"91238.41000000","c":"91240.00000000")", R"("c":"91240.00000000","o":"91238.41000000")"),
        with(R"("stream":"btcusdt)", R"("stream":"\u0062tcusdt)"), with("1171036.7", "1171036\\u002e7"),
        with(R"("B":"0")", R"("B":"0","b":"0")"), closed_ + "\n"}) {
    EXPECT_FALSE(scans(frame)) << frame;
    EXPECT_EQ(expect_same(frame).kind, FrameKind::klines) << frame;
  }
}

TEST_F(BinanceKlineScan, EveryByteThatIsLostDoubledOrAnotherGivesTheSameBothWays) {
  constexpr std::array<char, 24> kBytes = {'\0', '\x01', '\n', ' ', '!', '"', '#',    ',',
                                           '-',  '.',    '/',  '0', '1', '9', ':',    'E',
                                           '[',  '\\',   ']',  'e', '{', '}', '\x7f', '\x80'};
  for (const std::string& frame : frames_) {
    for (std::size_t at = 0; at < frame.size(); ++at) {
      expect_same(std::string(frame).erase(at, 1));
      expect_same(std::string(frame).insert(at, 1, frame[at]));
      for (const char byte : kBytes) {
        std::string other = frame;
        other[at] = byte;
        expect_same(other);
        expect_same(std::string(frame).insert(at, 1, byte));
      }
      for (int bit = 0; bit < 8; ++bit) {
        std::string other = frame;
        other[at] = static_cast<char>(static_cast<unsigned char>(other[at]) ^ (1U << bit));
        expect_same(other);
      }
    }
  }
}

TEST_F(BinanceKlineScan, EveryFieldTakenFromAnotherPlaceGivesTheSameBothWays) {
  // Each piece between two commas in the place of, and in front of, each other.
  std::vector<std::pair<std::size_t, std::size_t>> pieces;
  for (std::size_t begin = 0; begin < closed_.size();) {
    const std::size_t end = std::min(closed_.find(',', begin), closed_.size());
    pieces.emplace_back(begin, end - begin);
    begin = end + 1;
  }
  ASSERT_GT(pieces.size(), 15U);
  for (const auto& [at, size] : pieces) {
    for (const auto& [other_at, other_size] : pieces) {
      const std::string other = closed_.substr(other_at, other_size);
      expect_same(std::string(closed_).replace(at, size, other));
      expect_same(std::string(closed_).insert(at, other + ","));
    }
  }
}

TEST_F(BinanceKlineScan, NumbersOfEveryShapeGiveTheSameBothWays) {
  for (const std::string text : {"91238.41000000", "12.83455000", "5512340017", "1795477200000", "826"}) {
    for (const char* other : {"",
                              "0",
                              "00",
                              "007",
                              "1",
                              "1.",
                              ".1",
                              "1.5",
                              "123456789.12345678",
                              "0.00000001",
                              "1e5",
                              "1E5",
                              "12345678",
                              "123456789",
                              "0123456789012",
                              "1795477260000",
                              "17954772000000",
                              "179547720000",
                              "9999999999999",
                              "99999999999999999999",
                              "1795477200000.0",
                              "-1795477200000",
                              "-",
                              "--1"}) {
      std::string frame = closed_;
      frame.replace(frame.find(text), text.size(), other);
      expect_same(frame);
    }
  }
}

TEST_F(BinanceKlineScan, WhatLiesBehindAFrameIsNotReadAsPartOfIt) {
  struct Sink final : FrameSink {
    int klines = 0;
    void on_kline(const Kline&) override { ++klines; }
    void on_trade(const Trade&) override {}
  } sink;
  for (const std::string& frame : frames_) {
    const std::string padded = frame + std::string(simdjson::SIMDJSON_PADDING, '\0');
    for (std::size_t size = 0; size < frame.size(); ++size) {
      EXPECT_EQ(parser_->parse({padded.data(), size}, sink).kind, FrameKind::malformed) << size;
    }
    EXPECT_EQ(sink.klines, 0);
  }
}

TEST_F(BinanceKlineScan, EveryRecordingGivesTheSameBothWays) {
  const std::filesystem::path folder = std::filesystem::path(ATCD_SHARED_DIR) / "data/ws";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the recordings are not at " << folder;
  std::size_t klines = 0, scanned = 0;
  for (const char* name : {"binance", "binance_spot", "binance_us", "binance_usdm", "binance_coinm"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder / name)) {
      if (!entry.path().string().ends_with(".jsonl.gz")) continue;
      gzFile file = gzopen(entry.path().c_str(), "rb");
      ASSERT_NE(file, nullptr) << entry.path();
      std::vector<char> line(1 << 20);
      while (gzgets(file, line.data(), static_cast<int>(line.size())) != nullptr) {
        std::string frame = line.data();
        while (frame.ends_with('\n') || frame.ends_with('\r')) frame.pop_back();
        if (expect_same(frame).kind != FrameKind::klines) continue;
        ++klines;
        scanned += scans(frame) ? 1U : 0U;
      }
      gzclose(file);
    }
  }
  std::printf("%zu of %zu kline frames were read the short way\n", scanned, klines);
  EXPECT_GT(scanned, klines / 10 * 9);
}

}  // namespace
}  // namespace atcd::feeds
