#pragma once

// The simulated Binance with a clock that stands still, and what its tests ask of it.

#include <gtest/gtest.h>
#include <simdjson.h>

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "feeds/exchange.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/feeds/simulator_client.hpp"

namespace atcd::feeds::simulator::testing {

inline constexpr std::int64_t kMinuteMs = 60'000;
inline constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23
inline constexpr const char* kAck = R"({"result":null,"id":7})";

/// A market whose clock moves on request only, with frames of running bars so seldom that none disturbs.
inline ServerOptions still(std::size_t symbols = 3) {
  ServerOptions options;
  options.venue.symbols = first_symbols(symbols);
  options.venue.start_ms = kMondayMs + 20'000;
  options.venue.speed = 0;
  options.venue.update = std::chrono::hours(1);
  return options;
}

inline void advance(const RunningServer& server, std::int64_t ms) {
  ASSERT_EQ(post(server.port(), "/sim/advance?ms=" + std::to_string(ms)).result_int(), 200U);
}

inline feeds::testing::Parsed::Row parse(const std::string& frame) {
  static const auto parser = find_exchange("binance", "spot")->new_parser();
  const auto parsed = feeds::testing::parse_frame(*parser, frame);
  if (parsed.kind != FrameKind::klines) throw std::runtime_error("no kline: " + frame + " " + parsed.text);
  return parsed.klines[0];
}

/// The next closed bar that the client is told.
template <class Client>
feeds::testing::Parsed::Row next_closed(Client& client) {
  return parse(client.read_but_forming());
}

inline std::vector<engine::Bar> history(const RunningServer& server, const std::string& symbol,
                                        std::int64_t from_ms, std::int64_t to_ms) {
  const HistoryRequest request{symbol, "1m", from_ms, to_ms};
  const Exchange& exchange = *find_exchange("binance", "spot");
  const simdjson::padded_string body(get(server.port(), exchange.history_target(request)).body());
  std::vector<engine::Bar> bars;
  std::string error;
  EXPECT_TRUE(exchange.parse_history({body.data(), body.size()}, request, bars, error)) << error;
  return bars;
}

}  // namespace atcd::feeds::simulator::testing
