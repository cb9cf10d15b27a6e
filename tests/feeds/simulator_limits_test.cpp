// What the simulator grants a client, and how it parts with one that takes more.
#include <gtest/gtest.h>

#include <cctype>
#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "feeds/http_date.hpp"
#include "tests/feeds/simulator_rig.hpp"

namespace atcd::feeds::simulator {
namespace {

using namespace testing;

TEST(SimulatorServer, grants_1024_streams_and_no_more) {
  ServerOptions options = still(70);
  const RunningServer server(options);
  std::vector<std::string> streams;
  for (const MarketSymbol& symbol : options.venue.symbols) {
    std::string name = symbol.symbol;
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    for (const char* interval :
         {"1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1s"})
      streams.push_back(name + "@kline_" + interval);
  }
  streams.resize(1025);
  WebsocketClient client(server.port(), "/ws");
  EXPECT_NE(client.subscribe(streams).find("Too many streams"), std::string::npos);
  EXPECT_EQ(status(server.port(), "subscriptions"), 0);
  streams.pop_back();
  EXPECT_EQ(client.subscribe(streams), kAck);
  EXPECT_EQ(status(server.port(), "subscriptions"), 1024);
  EXPECT_NE(client.subscribe({"sim0070usdt@kline_1s"}).find("Too many streams"), std::string::npos);
}

TEST(SimulatorServer, answers_rest_with_weight_date_and_limit) {
  ServerOptions options = still();
  options.venue.weight_limit = 25;
  const RunningServer server(options);
  HttpClient client(server.port());
  auto response = client.ask(testing::http::verb::get, "/api/v3/exchangeInfo");
  EXPECT_EQ(response.result_int(), 200U);
  EXPECT_EQ(response["X-MBX-USED-WEIGHT-1M"], "20");
  const auto date = parse_http_date(std::string(response[testing::http::field::date]));
  EXPECT_EQ(date, kMondayMs + 20'000);
  advance(server, 5'000);
  // On the same connection, which is kept. A minute may pass in between: then the count begins anew.
  for (int i = 0; i < 100 && response.result_int() != 429; ++i) {
    response = client.ask(testing::http::verb::get, "/api/v3/time");
    ASSERT_FALSE(client.error) << client.error.message();
  }
  EXPECT_EQ(response.result_int(), 429U);
  EXPECT_GE(std::atoi(std::string(response[testing::http::field::retry_after]).c_str()), 1);
  EXPECT_LE(std::atoi(std::string(response[testing::http::field::retry_after]).c_str()), 60);
  EXPECT_EQ(parse_http_date(std::string(response[testing::http::field::date])), kMondayMs + 25'000);
  EXPECT_GE(status(server.port(), "rest_rejected"), 1);
}

TEST(SimulatorServer, closes_on_a_client_that_asks_too_often) {
  ServerOptions options = still();
  options.messages_per_second = 5;
  const RunningServer server(options);
  WebsocketClient client(server.port(), "/ws");
  int answers = 0;
  while (!client.error && answers < 1000) {
    client.send(R"({"method":"LIST_SUBSCRIPTIONS","id":7})");
    if (!client.error && !client.read().empty()) ++answers;
  }
  EXPECT_EQ(client.reason().code, testing::websocket::close_code::policy_error);
  EXPECT_LT(answers, 1000);
  EXPECT_GE(answers, 5);
}

TEST(SimulatorServer, cuts_a_client_that_does_not_read) {
  ServerOptions options = still(20);
  options.queued_bytes = 64U << 10;
  const RunningServer server(options);
  WebsocketClient slow(server.port(), "/ws"), quick(server.port(), "/ws");
  std::vector<std::string> streams;
  for (const MarketSymbol& symbol : options.venue.symbols) {
    std::string name = symbol.symbol;
    for (char& c : name) c = static_cast<char>(std::tolower(c));
    streams.push_back(name + "@kline_1m");
  }
  ASSERT_EQ(slow.subscribe(streams), kAck);
  ASSERT_EQ(quick.subscribe({"btcusdt@kline_1m"}), kAck);
  EXPECT_TRUE(testing::eventually([&] {
    post(server.port(), "/sim/advance?ms=3600000");
    for (int i = 0; i < 60; ++i) next_closed(quick);
    return status(server.port(), "slow_clients_cut") == 1;
  }));
  EXPECT_TRUE(testing::eventually([&] { return status(server.port(), "websockets") == 1; }));
  EXPECT_EQ(quick.subscribe({"ethusdt@kline_1m"}), kAck) << "the other one goes on";
}

TEST(SimulatorServer, pings_and_cuts_who_never_answers) {
  ServerOptions options = still();
  // Who reads must do so within three of them: a busy machine may stand still for a while.
  options.ping_period = std::chrono::milliseconds(400);
  options.messages_per_second = 0;
  const RunningServer server(options);
  WebsocketClient answering(server.port(), "/ws");
  WebsocketClient silent(server.port(), "/ws");  // reads nothing, so never answers a ping
  EXPECT_EQ(answering.subscribe({"btcusdt@kline_1m"}), kAck);
  EXPECT_TRUE(testing::eventually([&] {
    answering.subscribe({"btcusdt@kline_1m"});
    return status(server.port(), "websockets") == 1;
  }));
  silent.read();
  EXPECT_TRUE(silent.error);
}

TEST(SimulatorServer, ends_a_connection_after_its_lifetime) {
  ServerOptions options = still();
  options.lifetime = std::chrono::milliseconds(50);
  const RunningServer server(options);
  WebsocketClient client(server.port(), "/ws");
  client.read();
  EXPECT_EQ(client.error, testing::websocket::error::closed);
}

TEST(SimulatorServer, bounds_connections_messages_and_requests) {
  ServerOptions options = still();
  options.connections = 2;
  const RunningServer server(options);
  {
    WebsocketClient large(server.port(), "/ws");
    large.send(std::string(70'000, ' '));
    large.read();
    EXPECT_TRUE(large.error);
  }
  EXPECT_TRUE(testing::eventually([&] { return status(server.port(), "connections") == 1; }));
  HttpClient header(server.port());
  header.raw("GET /" + std::string(70'000, 'x') + " HTTP/1.1\r\n");
  EXPECT_TRUE(header.error);
  HttpClient garbage(server.port());
  garbage.raw("\x16\x03\x01 this is not HTTP\r\n\r\n");
  EXPECT_TRUE(garbage.error);
  EXPECT_TRUE(testing::eventually([&] { return status(server.port(), "connections") == 1; }));
  WebsocketClient one(server.port(), "/ws");
  HttpClient two(server.port());
  ASSERT_EQ(two.ask(testing::http::verb::get, "/api/v3/ping").result_int(), 200U);
  WebsocketClient three(server.port(), "/ws");
  EXPECT_TRUE(three.error);
  EXPECT_NE(two.ask(testing::http::verb::get, "/sim/status").body().find(R"("connections_refused":1)"),
            std::string::npos);
}

}  // namespace
}  // namespace atcd::feeds::simulator
