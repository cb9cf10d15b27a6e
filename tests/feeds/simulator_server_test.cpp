#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/feeds/simulator_rig.hpp"

namespace atcd::feeds::simulator {
namespace {

using namespace testing;

TEST(SimulatorServer, acknowledges_and_then_sends_every_closed_bar_once_in_order_as_rest_has_it) {
  const RunningServer server(still());
  WebsocketClient client(server.port(), "/stream");
  ASSERT_FALSE(client.error) << client.error.message();
  ASSERT_EQ(client.subscribe({"btcusdt@kline_1m", "ethusdt@kline_1m"}), kAck);
  advance(server, 10 * kMinuteMs);  // late by ten bars
  advance(server, kMinuteMs);
  std::map<std::string, std::vector<engine::Bar>> closed;
  for (int i = 0; i < 22; ++i) {
    const auto row = next_closed(client);
    ASSERT_TRUE(row.closed);
    EXPECT_EQ(row.event_time_ms, row.bar.close_time_ms + 100);
    closed[row.symbol].push_back(row.bar);
  }
  for (const char* symbol : {"BTCUSDT", "ETHUSDT"})
    EXPECT_EQ(closed[symbol], history(server, symbol, kMondayMs, kMondayMs + 10 * kMinuteMs)) << symbol;
  EXPECT_EQ(status(server.port(), "closing_frames/BTCUSDT"), 11);
  EXPECT_EQ(status(server.port(), "closing_frames/BNBUSDT"), 0);
  EXPECT_EQ(status(server.port(), "frames_sent"), 24) << "two of the running bar when subscribed";
}

TEST(SimulatorServer, spreads_the_closing_frames_of_its_streams) {
  ServerOptions options = still();
  options.venue.closing_delay = {100, 1000};
  const RunningServer server(options);
  WebsocketClient client(server.port(), "/ws");
  ASSERT_EQ(client.subscribe({"btcusdt@kline_1m", "ethusdt@kline_1m", "bnbusdt@kline_1m"}), kAck);
  std::map<std::string, std::int64_t> delay_ms;
  for (int minute = 0; minute < 2; ++minute) {
    advance(server, kMinuteMs);
    std::int64_t last_ms = 100;
    for (int i = 0; i < 3; ++i) {
      const auto row = next_closed(client);
      const std::int64_t after_ms = row.event_time_ms - row.bar.close_time_ms;
      EXPECT_GT(after_ms, last_ms) << "in order of time";
      EXPECT_LT(after_ms, 1100);
      last_ms = after_ms;
      EXPECT_EQ(delay_ms.try_emplace(row.symbol, after_ms).first->second, after_ms) << row.symbol;
    }
  }
  EXPECT_EQ(delay_ms.size(), 3U);
}

TEST(SimulatorServer, spreads_any_number_of_streams_evenly) {
  const ClosingDelay delay{100, 1000};
  for (const std::int64_t streams : {10, 1000, 12'345}) {
    std::array<std::int64_t, 10> tenths{};
    for (std::int64_t number = 1; number <= streams; ++number)
      ++tenths.at(
          static_cast<std::size_t>((delay.of_stream_ms(static_cast<std::uint64_t>(number)) - 100) / 100));
    for (const std::int64_t count : tenths) EXPECT_NEAR(double(count), double(streams) / 10, 3.0) << streams;
  }
}

TEST(SimulatorServer, skips_no_boundary_at_high_speed) {
  ServerOptions options = still();
  options.venue.speed = 3000;  // a minute in 20 ms
  options.venue.update = std::chrono::milliseconds(10);
  const RunningServer server(options);
  WebsocketClient client(server.port(), "/ws");
  ASSERT_EQ(client.subscribe({"btcusdt@kline_1m", "btcusdt@kline_5m", "ethusdt@kline_1m"}), kAck);
  std::map<std::string, std::int64_t> expected_ms;
  for (int i = 0; i < 200; ++i) {
    const auto row = next_closed(client);
    ASSERT_TRUE(row.closed);
    auto& next_ms = expected_ms[row.symbol + row.interval];
    if (next_ms != 0) {
      ASSERT_EQ(row.bar.open_time_ms, next_ms) << row.symbol << " " << row.interval;
    }
    next_ms = row.bar.close_time_ms;
  }
  EXPECT_EQ(expected_ms.size(), 3U);
}

TEST(SimulatorServer, sends_the_running_bar_as_it_grows) {
  ServerOptions options = still(1);
  options.venue.update = std::chrono::milliseconds(10);
  const RunningServer server(options);
  WebsocketClient client(server.port(), "/ws/btcusdt@kline_1m");
  auto row = parse(client.read());
  EXPECT_FALSE(row.closed);
  EXPECT_EQ(row.event_time_ms, kMondayMs + 20'000);
  EXPECT_EQ(row.bar, history(server, "BTCUSDT", kMondayMs, kMondayMs)[0]);
  const double volume = row.bar.volume;
  advance(server, 20'000);
  while (row.event_time_ms != kMondayMs + 40'000) row = parse(client.read());
  EXPECT_GT(row.bar.volume, volume);
  advance(server, 20'050);  // past the end, not yet closed
  advance(server, 50);
  while (!row.closed) {
    EXPECT_EQ(row.bar.open_time_ms, kMondayMs) << "no successor before the closing frame";
    row = parse(client.read());
  }
  EXPECT_EQ(row.bar.open_time_ms, kMondayMs);
  row = parse(client.read());
  EXPECT_EQ(row.bar.open_time_ms, kMondayMs + kMinuteMs);
}

TEST(SimulatorServer, begins_with_the_first_boundary_after_the_subscription) {
  const RunningServer server(still());
  WebsocketClient early(server.port(), "/ws"), late(server.port(), "/ws");
  ASSERT_EQ(early.subscribe({"btcusdt@kline_1m"}), kAck);
  advance(server, 40'050);  // the bar has ended, its closing frame is still to come
  ASSERT_EQ(late.subscribe({"btcusdt@kline_1m"}), kAck);
  advance(server, kMinuteMs + 50);
  EXPECT_EQ(next_closed(early).bar.open_time_ms, kMondayMs);
  EXPECT_EQ(next_closed(early).bar.open_time_ms, kMondayMs + kMinuteMs);
  EXPECT_EQ(next_closed(late).bar.open_time_ms, kMondayMs + kMinuteMs);
}

TEST(SimulatorServer, takes_streams_from_the_address_and_wraps_as_it_says) {
  const RunningServer server(still());
  WebsocketClient wrapped(server.port(), "/stream?streams=btcusdt@kline_1m/nopeusdt@kline_1m");
  WebsocketClient raw(server.port(), "/ws/btcusdt@kline_1m");
  WebsocketClient futures(server.port(), "/market/stream?streams=btcusdt@kline_1m");
  ASSERT_TRUE(testing::eventually([&] { return status(server.port(), "subscriptions") == 3; }));
  advance(server, kMinuteMs);
  EXPECT_TRUE(wrapped.read_but_forming().starts_with(R"({"stream":"btcusdt@kline_1m","data":{"e":"kline")"));
  EXPECT_TRUE(raw.read_but_forming().starts_with(R"({"e":"kline")"));
  const std::string futures_frame = futures.read_but_forming();
  EXPECT_EQ(futures_frame.find("00000000"), std::string::npos) << "two decimals: " << futures_frame;
  EXPECT_EQ(status(server.port(), "subscriptions_refused"), 1);
  EXPECT_EQ(raw.subscribe({}, "LIST_SUBSCRIPTIONS"), R"({"result":["btcusdt@kline_1m"],"id":7})");
  ASSERT_TRUE(raw.send(R"({"method":"SET_PROPERTY","params":["combined",true],"id":9})"));
  EXPECT_EQ(raw.read(), R"({"result":null,"id":9})");
  advance(server, kMinuteMs);
  EXPECT_TRUE(raw.read().starts_with(R"({"stream":)"));
}

TEST(SimulatorServer, sends_nothing_after_unsubscribing) {
  const RunningServer server(still());
  WebsocketClient client(server.port(), "/ws");
  ASSERT_EQ(client.subscribe({"btcusdt@kline_1m", "ethusdt@kline_1m"}), kAck);
  ASSERT_EQ(client.subscribe({"btcusdt@kline_1m"}, "UNSUBSCRIBE"), kAck);
  advance(server, 3 * kMinuteMs);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(next_closed(client).symbol, "ETHUSDT");
  EXPECT_EQ(status(server.port(), "subscriptions"), 1);
}

TEST(SimulatorServer, refuses_unknown_streams_all_or_none) {
  const RunningServer server(still());
  WebsocketClient client(server.port(), "/ws");
  for (const char* bad : {"nopeusdt@kline_1m", "btcusdt@kline_7m", "btcusdt@trade", ""}) {
    const std::string answer = client.subscribe({"btcusdt@kline_1m", bad});
    EXPECT_TRUE(answer.starts_with(R"({"error":{"code":2,"msg":"Invalid request: unknown stream )"))
        << answer;
  }
  EXPECT_EQ(status(server.port(), "subscriptions"), 0);
}

TEST(SimulatorServer, delivers_a_day_at_once_to_a_client_that_reads) {
  const RunningServer server(still());
  WebsocketClient client(server.port(), "/ws");
  ASSERT_EQ(client.subscribe({"btcusdt@kline_1m", "ethusdt@kline_1m", "bnbusdt@kline_1m"}), kAck);
  advance(server, 1440 * kMinuteMs);
  std::map<std::string, std::int64_t> next_ms;
  for (int i = 0; i < 3 * 1440; ++i) {
    const auto row = next_closed(client);
    ASSERT_EQ(row.bar.open_time_ms, next_ms.emplace(row.symbol, kMondayMs).first->second);
    next_ms[row.symbol] = row.bar.close_time_ms;
  }
}

TEST(SimulatorServer, has_no_websocket_elsewhere) {
  const RunningServer server(still());
  WebsocketClient client(server.port(), "/api/v3/klines");
  EXPECT_EQ(client.error, testing::websocket::error::upgrade_declined);
}

TEST(SimulatorServer, refuses_options_that_make_no_market) {
  testing::asio::io_context io;
  ServerOptions none = still();
  none.venue.symbols.clear();
  EXPECT_THROW(Server(io, none), std::invalid_argument);
  ServerOptions twice = still();
  twice.venue.symbols.push_back(twice.venue.symbols.front());
  EXPECT_THROW(Server(io, twice), std::invalid_argument);
  ServerOptions certificate = still();
  certificate.tls_listen.emplace();
  certificate.certificate_file = "/nonexistent";
  EXPECT_ANY_THROW(Server(io, certificate));
}

}  // namespace
}  // namespace atcd::feeds::simulator
