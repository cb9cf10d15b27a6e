// What /sim/ makes the simulator do on demand.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/feeds/simulator_rig.hpp"

namespace atcd::feeds::simulator {
namespace {

using namespace testing;

TEST(SimulatorServer, withholds_closing_frames_on_demand) {
  const RunningServer server(still());
  WebsocketClient client(server.port(), "/ws");
  ASSERT_EQ(client.subscribe({"btcusdt@kline_1m", "ethusdt@kline_1m"}), kAck);
  ASSERT_EQ(post(server.port(), "/sim/withhold_closing?symbol=BTCUSDT&count=2").result_int(), 200U);
  advance(server, 3 * kMinuteMs);
  std::map<std::string, std::vector<std::int64_t>> opened;
  for (int i = 0; i < 4; ++i) {
    const auto row = next_closed(client);
    opened[row.symbol].push_back(row.bar.open_time_ms);
  }
  EXPECT_EQ(opened["BTCUSDT"], std::vector<std::int64_t>{kMondayMs + 2 * kMinuteMs});
  EXPECT_EQ(opened["ETHUSDT"].size(), 3U);
  EXPECT_EQ(status(server.port(), "closing_frames_withheld/BTCUSDT"), 2);
  EXPECT_EQ(history(server, "BTCUSDT", kMondayMs, kMondayMs + 2 * kMinuteMs).size(), 3U) << "REST has them";
}

TEST(SimulatorServer, corrects_closed_bars_on_demand) {
  const RunningServer server(still());
  WebsocketClient client(server.port(), "/ws");
  ASSERT_EQ(client.subscribe({"btcusdt@kline_1m"}), kAck);
  advance(server, 2 * kMinuteMs);
  next_closed(client);
  const auto before = next_closed(client).bar;
  for (const double tick : {0.01, 0.02}) {
    EXPECT_EQ(post(server.port(), "/sim/correct?symbol=BTCUSDT").body(), R"({"corrected":1})");
    const auto after = next_closed(client).bar;
    EXPECT_EQ(after.open_time_ms, before.open_time_ms);
    EXPECT_EQ(after.close, after.high);
    EXPECT_NEAR(after.high - before.high, tick, 1e-6);
    EXPECT_EQ(history(server, "BTCUSDT", kMondayMs, kMondayMs + kMinuteMs).at(1).close, after.close);
  }
  EXPECT_EQ(post(server.port(), "/sim/correct?symbol=BTCUSDT&bars_ago=2").body(), R"({"corrected":1})");
  EXPECT_EQ(next_closed(client).bar.open_time_ms, kMondayMs);
}

TEST(SimulatorServer, refuses_a_symbols_subscriptions_on_demand) {
  const RunningServer server(still());
  ASSERT_EQ(post(server.port(), "/sim/refuse?symbol=ETHUSDT").result_int(), 200U);
  WebsocketClient client(server.port(), "/ws");
  EXPECT_EQ(client.subscribe({"btcusdt@kline_1m"}), kAck);
  EXPECT_TRUE(client.subscribe({"ethusdt@kline_1m"}).starts_with(R"({"error":{"code":2)"));
  ASSERT_EQ(post(server.port(), "/sim/allow?symbol=ETHUSDT").result_int(), 200U);
  EXPECT_EQ(client.subscribe({"ethusdt@kline_1m"}), kAck);
}

TEST(SimulatorServer, halts_a_symbol_on_demand) {
  const RunningServer server(still());
  WebsocketClient client(server.port(), "/ws");
  ASSERT_EQ(client.subscribe({"btcusdt@kline_1m", "ethusdt@kline_1m"}), kAck);
  ASSERT_EQ(post(server.port(), "/sim/halt?symbol=BTCUSDT").result_int(), 200U);
  EXPECT_NE(get(server.port(), "/api/v3/exchangeInfo").body().find(R"("symbol":"BTCUSDT","status":"BREAK")"),
            std::string::npos);
  advance(server, 5 * kMinuteMs);
  ASSERT_EQ(post(server.port(), "/sim/resume?symbol=BTCUSDT").result_int(), 200U);
  advance(server, kMinuteMs);
  std::vector<engine::Bar> closed;
  for (int i = 0; i < 8; ++i) {
    const auto row = next_closed(client);
    if (row.symbol == "BTCUSDT") closed.push_back(row.bar);
  }
  ASSERT_EQ(closed.size(), 2U) << "the bar of the halt and the one in which trade went on";
  EXPECT_EQ(closed[1].open_time_ms, kMondayMs + 5 * kMinuteMs);
  EXPECT_EQ(closed, history(server, "BTCUSDT", kMondayMs, kMondayMs + 5 * kMinuteMs));
}

TEST(SimulatorServer, cuts_every_websocket_on_demand) {
  const RunningServer server(still());
  for (const std::string how : {"close", "reset", "shutdown"}) {
    WebsocketClient one(server.port(), "/ws/btcusdt@kline_1m"), two(server.port(), "/stream");
    ASSERT_TRUE(testing::eventually([&] { return status(server.port(), "websockets") == 2; }));
    EXPECT_EQ(post(server.port(), "/sim/cut?how=" + how).body(), R"({"cut":2})");
    for (WebsocketClient* client : {&one, &two}) {
      const std::string last = client->read_but_forming();
      EXPECT_EQ(last.starts_with(R"({"e":"serverShutdown")"), how == "shutdown") << last;
      if (how == "shutdown") client->read();
      const bool polite = client->error == testing::websocket::error::closed;
      EXPECT_EQ(polite, how != "reset") << client->error.message();
      if (polite) {
        EXPECT_EQ(client->reason().code, testing::websocket::close_code::going_away);
      }
    }
    EXPECT_TRUE(testing::eventually([&] { return status(server.port(), "websockets") == 0; }));
    EXPECT_EQ(status(server.port(), "subscriptions"), 0);
  }
}

TEST(SimulatorServer, refuses_controls_that_are_none) {
  const RunningServer server(still());
  for (const char* bad :
       {"/sim/advance", "/sim/advance?ms=0", "/sim/advance?ms=-5", "/sim/advance?ms=9999999999",
        "/sim/advance?ms=5x", "/sim/halt", "/sim/halt?symbol=NOPE", "/sim/cut?how=softly",
        "/sim/withhold_closing?symbol=BTCUSDT&count=0", "/sim/correct?symbol=BTCUSDT&bars_ago=0",
        "/sim/play"})
    EXPECT_EQ(post(server.port(), bad).result_int(), 400U) << bad;
  EXPECT_EQ(post(server.port(), "/sim/explode").result_int(), 404U);
  EXPECT_EQ(get(server.port(), "/sim/cut").result_int(), 404U);
  EXPECT_EQ(post(server.port(), "/api/v3/ping").result_int(), 405U);
}

}  // namespace
}  // namespace atcd::feeds::simulator
