#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>

#include "feeds/http_date.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/feeds/simulator_client.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds::simulator {
namespace {

using testing::get;
using testing::HttpClient;
using testing::post;
using testing::RunningServer;
using testing::status;
using testing::WebsocketClient;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23
constexpr const char* kAck = R"({"result":null,"id":7})";

/// A market whose clock moves on request only, with frames of running bars so seldom that none disturbs.
ServerOptions still(std::size_t symbols = 3) {
  ServerOptions options;
  options.venue.symbols = first_symbols(symbols);
  options.venue.start_ms = kMondayMs + 20'000;
  options.venue.speed = 0;
  options.venue.update = std::chrono::hours(1);
  return options;
}

void advance(const RunningServer& server, std::int64_t ms) {
  ASSERT_EQ(post(server.port(), "/sim/advance?ms=" + std::to_string(ms)).result_int(), 200U);
}

feeds::testing::Parsed::Row parse(const std::string& frame) {
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

std::vector<engine::Bar> history(const RunningServer& server, const std::string& symbol, std::int64_t from_ms,
                                 std::int64_t to_ms) {
  const HistoryRequest request{symbol, "1m", from_ms, to_ms};
  const Exchange& exchange = *find_exchange("binance", "spot");
  const simdjson::padded_string body(get(server.port(), exchange.history_target(request)).body());
  std::vector<engine::Bar> bars;
  std::string error;
  EXPECT_TRUE(exchange.parse_history({body.data(), body.size()}, request, bars, error)) << error;
  return bars;
}

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

class SimulatorTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string form = (std::filesystem::temp_directory_path() / "atcd-simulator-tls-XXXXXX").string();
    ASSERT_NE(mkdtemp(form.data()), nullptr);
    folder_ = form;
    const std::string script = std::string(ATCD_SOURCE_DIR) + "/tests/e2e/tls_certificates.sh '" + form + "'";
    ASSERT_EQ(std::system(script.c_str()), 0);
  }
  static void TearDownTestSuite() { std::filesystem::remove_all(folder_); }

  static ServerOptions options(const std::string& certificate) {
    ServerOptions options = still();
    options.tls_listen.emplace();
    options.certificate_file = (folder_ / (certificate + ".pem")).string();
    options.key_file = (folder_ / (certificate + ".key")).string();
    return options;
  }
  static testing::asio::ssl::context trusting(const std::string& ca) {
    testing::asio::ssl::context tls(testing::asio::ssl::context::tls_client);
    tls.load_verify_file((folder_ / (ca + ".pem")).string());
    tls.set_verify_mode(testing::asio::ssl::verify_peer);
    return tls;
  }
  static inline std::filesystem::path folder_;
};

TEST_F(SimulatorTls, speaks_the_same_over_tls) {
  const RunningServer server(options("server"));
  auto tls = trusting("ca");
  WebsocketClient secure(server.tls_port(), "/ws", &tls);
  ASSERT_FALSE(secure.error) << secure.error.message();
  WebsocketClient plain(server.port(), "/ws");
  ASSERT_EQ(secure.subscribe({"btcusdt@kline_1m"}), kAck);
  ASSERT_EQ(plain.subscribe({"btcusdt@kline_1m"}), kAck);
  advance(server, 3 * kMinuteMs);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(secure.read_but_forming(), plain.read_but_forming());
  HttpClient rest(server.tls_port(), &tls);
  ASSERT_FALSE(rest.error) << rest.error.message();
  const std::string target = "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=5";
  EXPECT_EQ(rest.ask(testing::http::verb::get, target).body(), get(server.port(), target).body());
  ASSERT_EQ(post(server.port(), "/sim/cut?how=close").result_int(), 200U);
  secure.read_but_forming();
  EXPECT_EQ(secure.error, testing::websocket::error::closed);
  EXPECT_TRUE(testing::eventually([&] { return status(server.port(), "websockets") == 0; }));
}

TEST_F(SimulatorTls, is_not_believed_with_another_name_or_by_who_trusts_others) {
  const RunningServer named(options("other"));
  auto tls = trusting("ca");
  EXPECT_TRUE(WebsocketClient(named.tls_port(), "/ws", &tls).error);
  const RunningServer server(options("server"));
  auto strangers = trusting("stranger");
  EXPECT_TRUE(WebsocketClient(server.tls_port(), "/ws", &strangers).error);
  EXPECT_EQ(get(server.port(), "/api/v3/ping").body(), "{}");
}

}  // namespace
}  // namespace atcd::feeds::simulator
