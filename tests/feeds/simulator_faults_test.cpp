#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <set>

#include "feeds/http_date.hpp"
#include "feeds/simulator/fault_kinds.hpp"
#include "tests/feeds/frame_reader.hpp"
#include "tests/feeds/simulator_rig.hpp"

// Each fault does on the wire what the table says of it.

namespace atcd::feeds::simulator {
namespace {

using testing::get;
using testing::HttpClient;
using testing::kAck;
using testing::kMinuteMs;
using testing::kMondayMs;
using testing::post;
using testing::RunningServer;
using testing::status;
using testing::still;
using testing::WebsocketClient;
using Clock = std::chrono::steady_clock;

constexpr const char* kRows = "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=3";

void control(const RunningServer& server, const std::string& target) {
  const auto response = post(server.port(), "/sim/" + target);
  ASSERT_EQ(response.result_int(), 200U) << target << ": " << response.body();
}

feeds::testing::Parsed parse(const std::string& frame) {
  static const auto parser = find_exchange("binance", "spot")->new_parser();
  return feeds::testing::parse_frame(*parser, frame);
}

/// Slot since Monday of a frame's bar; -1 for what is no bar.
std::int64_t slot_of(const std::string& frame) {
  const auto parsed = parse(frame);
  return parsed.klines.empty() ? -1 : (parsed.klines[0].bar.open_time_ms - kMondayMs) / kMinuteMs;
}

/// One subscriber of BTCUSDT's minutes, past the frame of the running bar that comes first.
struct Watched {
  explicit Watched(const ServerOptions& options = still()) : server(options) {
    EXPECT_EQ(client.subscribe({"btcusdt@kline_1m"}), kAck);
    EXPECT_EQ(slot_of(client.read()), 0);
  }
  RunningServer server;
  WebsocketClient client{server.port(), "/ws"};
};

TEST(SimulatorFaults, CutsCorruptsRepeatsAndPadsTheNextFrames) {
  Watched it;
  control(it.server, "truncate?symbol=BTCUSDT");
  control(it.server, "advance?ms=60000");
  std::string frame = it.client.read();
  EXPECT_EQ(parse(frame).kind, FrameKind::malformed) << frame;
  control(it.server, "corrupt?symbol=BTCUSDT");
  control(it.server, "advance?ms=60000");
  frame = it.client.read();
  EXPECT_NE(frame.find('\1'), std::string::npos);
  EXPECT_EQ(parse(frame).kind, FrameKind::malformed) << frame;
  control(it.server, "duplicate?symbol=BTCUSDT");
  control(it.server, "advance?ms=60000");
  frame = it.client.read();
  EXPECT_EQ(slot_of(frame), 2);
  EXPECT_EQ(it.client.read(), frame);
  control(it.server, "oversize?symbol=BTCUSDT&bytes=900000");
  control(it.server, "advance?ms=60000");
  frame = it.client.read();
  EXPECT_EQ(frame.size(), 900'000U);
  EXPECT_EQ(slot_of(frame), 3) << "blanks make no other frame";
  control(it.server, "corrupt?symbol=BTCUSDT&byte=255");
  control(it.server, "advance?ms=60000");
  EXPECT_EQ(it.client.read(), "");
  EXPECT_EQ(it.client.error, testing::websocket::error::bad_frame_payload);
}

TEST(SimulatorFaults, DelaysAClosingFrameBehindFramesOfTheNextBar) {
  Watched it;
  control(it.server, "delay_closing?symbol=BTCUSDT&ms=90000");
  control(it.server, "advance?ms=120000");  // two bars have ended
  const auto second = parse(it.client.read());
  ASSERT_EQ(second.klines.size(), 1U);
  EXPECT_TRUE(second.klines[0].closed);
  EXPECT_EQ(second.klines[0].bar.open_time_ms, kMondayMs + kMinuteMs);
  control(it.server, "advance?ms=30000");
  const auto first = parse(it.client.read());
  ASSERT_EQ(first.klines.size(), 1U);
  EXPECT_TRUE(first.klines[0].closed);
  EXPECT_EQ(first.klines[0].bar.open_time_ms, kMondayMs);
  EXPECT_EQ(first.klines[0].event_time_ms, kMondayMs + kMinuteMs + 100 + 90'000);
}

TEST(SimulatorFaults, ClosesAtAnotherPriceOrCorrectsItselfAtOnceAndRestAgrees) {
  Watched it;
  const auto rest_close = [&](std::int64_t slot) {
    const auto body = get(it.server.port(), "/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=" +
                                                std::to_string(kMondayMs + slot * kMinuteMs) + "&limit=1")
                          .body();
    std::size_t at = 0;
    for (int field = 0; field < 4; ++field) at = body.find(',', at + 1);
    return std::stod(body.substr(at + 2));
  };
  const double true_close = rest_close(0);
  control(it.server, "differ_closing?symbol=BTCUSDT");
  control(it.server, "advance?ms=60000");
  const auto differing = parse(it.client.read());
  ASSERT_EQ(differing.klines.size(), 1U);
  EXPECT_NE(differing.klines[0].bar.close, true_close);
  EXPECT_EQ(differing.klines[0].bar.close, rest_close(0));
  control(it.server, "correct_closing?symbol=BTCUSDT");
  control(it.server, "advance?ms=60000");
  const auto before = parse(it.client.read()), after = parse(it.client.read());
  ASSERT_EQ(before.klines.size() + after.klines.size(), 2U);
  EXPECT_TRUE(before.klines[0].closed && after.klines[0].closed);
  EXPECT_EQ(before.klines[0].bar.open_time_ms, after.klines[0].bar.open_time_ms);
  EXPECT_NE(before.klines[0].bar.close, after.klines[0].bar.close);
  EXPECT_EQ(after.klines[0].bar.close, rest_close(1));
}

TEST(SimulatorFaults, SendsFramesBeforeTheAnswerToTheSubscription) {
  const RunningServer server(still());
  WebsocketClient client(server.port(), "/ws");
  control(server, "early_data?count=1");
  ASSERT_TRUE(client.send(R"({"method":"SUBSCRIBE","params":["btcusdt@kline_1m"],"id":7})"));
  EXPECT_EQ(slot_of(client.read()), 0);
  EXPECT_EQ(client.read(), kAck);
}

TEST(SimulatorFaults, StallsAndThenSendsAllThatWaited) {
  Watched it;
  const auto begun = Clock::now();
  control(it.server, "stall?ms=300");
  control(it.server, "advance?ms=60000");
  control(it.server, "advance?ms=60000");
  EXPECT_EQ(slot_of(it.client.read()), 0);
  EXPECT_EQ(slot_of(it.client.read()), 1);
  EXPECT_GE(Clock::now() - begun, std::chrono::milliseconds(300));
}

TEST(SimulatorFaults, LosesFramesInSilenceButAnswers) {
  Watched it;
  const std::string listed = R"({"result":["btcusdt@kline_1m"],"id":7})";
  control(it.server, "silence?ms=86400000");
  control(it.server, "advance?ms=60000");
  ASSERT_TRUE(it.client.send(R"({"method":"LIST_SUBSCRIPTIONS","id":7})"));
  EXPECT_EQ(it.client.read(), listed) << "and not the frame";
  control(it.server, "silence?ms=1");
  std::string told = listed;
  ASSERT_TRUE(testing::eventually([&] {
    control(it.server, "advance?ms=60000");
    it.client.send(R"({"method":"LIST_SUBSCRIPTIONS","id":7})");
    told = it.client.read();
    return told != listed;
  }));
  EXPECT_GT(slot_of(told), 0) << "the first bar's frame is lost";
}

TEST(SimulatorFaults, IsDeadWithoutPingsAndThenResets) {
  Watched it;
  const auto begun = Clock::now();
  control(it.server, "silence?ms=300&pings=no");
  control(it.server, "advance?ms=60000");
  it.client.send(R"({"method":"LIST_SUBSCRIPTIONS","id":7})");  // on a busy machine it may be over by now
  EXPECT_EQ(it.client.read(), "");
  EXPECT_GE(Clock::now() - begun, std::chrono::milliseconds(300));
  EXPECT_NE(it.client.error, testing::websocket::error::closed);
  EXPECT_TRUE(testing::eventually([&] { return status(it.server.port(), "websockets") == 0; }));
  EXPECT_EQ(status(it.server.port(), "subscriptions"), 0);
}

TEST(SimulatorFaults, TurnsNewWebsocketsAwayForAWhile) {
  const RunningServer server(still());
  control(server, "turn_away?ms=86400000");
  EXPECT_EQ(WebsocketClient(server.port(), "/ws").error, testing::websocket::error::upgrade_declined);
  control(server, "turn_away?ms=86400000&how=reset");
  const WebsocketClient reset(server.port(), "/ws");
  EXPECT_TRUE(reset.error);
  EXPECT_NE(reset.error, testing::websocket::error::upgrade_declined);
  // A busy machine may be so slow to connect that the while is over: then it has to be longer.
  int times = 2;
  for (bool hung = false; !hung;) {
    const std::int64_t ms = std::int64_t{100} << (++times - 2);
    ASSERT_LT(ms, 30'000) << "nobody hangs";
    const auto begun = Clock::now();
    control(server, "turn_away?ms=" + std::to_string(ms) + "&how=hang");
    hung = static_cast<bool>(WebsocketClient(server.port(), "/ws").error);
    EXPECT_GE(Clock::now() - begun, std::chrono::milliseconds(ms));
  }
  EXPECT_FALSE(WebsocketClient(server.port(), "/ws").error) << "the while is over";
  EXPECT_EQ(status(server.port(), "faults/turn_away"), times);
}

TEST(SimulatorFaults, DelistsASymbolAndListsItAgain) {
  Watched it;
  control(it.server, "delist?symbol=BTCUSDT");
  EXPECT_EQ(get(it.server.port(), kRows).body(), R"({"code":-1121,"msg":"Invalid symbol."})");
  const std::string listed = get(it.server.port(), "/api/v3/exchangeInfo").body();
  EXPECT_EQ(listed.find("\"BTCUSDT\""), std::string::npos);
  EXPECT_NE(listed.find("\"ETHUSDT\""), std::string::npos);
  WebsocketClient other(it.server.port(), "/ws");
  EXPECT_NE(other.subscribe({"btcusdt@kline_1m"}).find("error"), std::string::npos);
  control(it.server, "advance?ms=300000");
  control(it.server, "relist");
  control(it.server, "advance?ms=60000");
  EXPECT_EQ(slot_of(it.client.read()), 0) << "the bar of the delisting";
  EXPECT_EQ(slot_of(it.client.read()), 5) << "and that in which trade went on";
  EXPECT_NE(get(it.server.port(), kRows).body().find("[["), std::string::npos);
}

TEST(SimulatorFaults, TellsAnotherTimeThanTheMarkets) {
  Watched it;
  const auto date = [&] {
    return *parse_http_date(std::string(get(it.server.port(), kRows)[testing::http::field::date]));
  };
  control(it.server, "jump_clock?ms=7000");
  EXPECT_EQ(date(), kMondayMs + 27'000);
  control(it.server, "advance?ms=40100");
  const auto closed = parse(it.client.read());
  ASSERT_EQ(closed.klines.size(), 1U);
  EXPECT_EQ(closed.klines[0].event_time_ms, kMondayMs + kMinuteMs + 7100);
  control(it.server, "jump_clock?ms=-5000");
  EXPECT_EQ(date(), kMondayMs + 55'000);
  control(it.server, "jump_clock?ms=0");
  EXPECT_EQ(date(), kMondayMs + 60'000);
}

TEST(SimulatorFaults, SpoilsTheNextAnswersOfRest) {
  const RunningServer server(still());
  const std::string whole = get(server.port(), kRows).body();
  control(server, "rest?how=500&count=2");
  EXPECT_EQ(get(server.port(), kRows).result_int(), 500U);
  EXPECT_EQ(get(server.port(), kRows).result_int(), 500U);
  EXPECT_EQ(get(server.port(), kRows).body(), whole) << "two, no more";
  for (const unsigned code : {429U, 418U, 403U}) {
    control(server, "rest?seconds=3&how=" + std::to_string(code));
    const auto refused = get(server.port(), kRows);
    EXPECT_EQ(refused.result_int(), code);
    EXPECT_EQ(refused[testing::http::field::retry_after], "3");
  }
  control(server, "rest?how=empty");
  EXPECT_EQ(get(server.port(), kRows).body(), "");
  control(server, "rest?how=truncated");
  EXPECT_EQ(get(server.port(), kRows).body(), whole.substr(0, whole.size() / 2));
  control(server, "rest?how=html");
  EXPECT_TRUE(get(server.port(), kRows).body().starts_with("<html>"));
  control(server, "rest?how=cut");
  HttpClient client(server.port());
  client.ask(testing::http::verb::get, kRows);
  EXPECT_TRUE(client.error) << "the connection ends in the body";
  const auto begun = Clock::now();
  control(server, "rest?how=hang&seconds=1");
  EXPECT_EQ(get(server.port(), kRows).body(), whole);
  EXPECT_GE(Clock::now() - begun, std::chrono::seconds(1));
}

TEST(SimulatorFaults, TellsTheTruthWhateverRestSays) {
  Watched it;
  const std::string target = "/sim/klines?symbol=BTCUSDT&interval=1m&from_ms=" + std::to_string(kMondayMs);
  EXPECT_EQ(get(it.server.port(), target).body(), "[]") << "the running bar is none";
  control(it.server, "rest?how=500");
  control(it.server, "delist?symbol=BTCUSDT");
  control(it.server, "advance?ms=60000");
  const auto bar = parse(it.client.read()).klines.at(0).bar;
  const simdjson::padded_string body(get(it.server.port(), target).body());
  simdjson::dom::parser parser;
  const auto row = parser.parse(body).at(0);
  EXPECT_EQ(row.at(0).get_int64().value(), bar.open_time_ms);
  EXPECT_EQ(row.at(1).get_int64().value(), bar.close_time_ms);
  EXPECT_EQ(row.at(5).get_double().value(), bar.close);
  EXPECT_EQ(status(it.server.port(), "faults_due"), 1);
  EXPECT_EQ(get(it.server.port(), "/sim/klines?symbol=NOPE&interval=1m").result_int(), 400U);
}

TEST(SimulatorFaults, LeavesBarsOutOfAnAnswer) {
  const RunningServer server(still());
  engine::Bar first, last;
  const auto newest = [&] {
    const Exchange& exchange = *find_exchange("binance", "spot");
    const HistoryRequest request{"BTCUSDT", "1m", kMondayMs - 10 * kMinuteMs, kMondayMs};
    const simdjson::padded_string body(get(server.port(), exchange.history_target(request)).body());
    std::vector<engine::Bar> bars;
    std::string error;
    EXPECT_TRUE(exchange.parse_history({body.data(), body.size()}, request, bars, error)) << error;
    first = bars.front();
    last = bars.back();
    return (last.open_time_ms - kMondayMs) / kMinuteMs;
  };
  EXPECT_EQ(newest(), 0);
  control(server, "rest?how=stale");
  EXPECT_EQ(newest(), -2) << "without the running bar and the newest closed one";
  EXPECT_EQ(newest(), 0);
  control(server, "rest?how=unsettled");
  EXPECT_EQ(newest(), -1) << "without the running bar";
  EXPECT_EQ(last.close, last.open);
  control(server, "rest?how=halved");
  EXPECT_EQ(newest(), 0);
  EXPECT_EQ((first.open_time_ms - kMondayMs) / kMinuteMs, -5) << "of 11 bars without the older half";
}

TEST(SimulatorFaults, RefusesWhatCannotBe) {
  const RunningServer server(still());
  for (const char* bad :
       {"stall", "stall?ms=0", "silence?ms=x", "turn_away?ms=5&how=nicely", "turn_away?ms=5&how=200",
        "duplicate", "duplicate?symbol=NOPE", "truncate?symbol=BTCUSDT&count=0",
        "corrupt?symbol=BTCUSDT&byte=256", "oversize?symbol=BTCUSDT&bytes=99999999", "early_data?count=-1",
        "delay_closing?symbol=BTCUSDT&ms=0", "jump_clock?ms=1e3", "rest", "rest?how=200",
        "rest?how=empty&count=0", "rest?how=hang&seconds=-1", "delist"})
    EXPECT_EQ(post(server.port(), std::string("/sim/") + bad).result_int(), 400U) << bad;
  const auto unknown = post(server.port(), "/sim/explode");
  EXPECT_EQ(unknown.result_int(), 404U);
  for (const FaultRow& row : fault_rows())
    EXPECT_NE(unknown.body().find(row.name), std::string::npos) << "named in the answer: " << row.name;
}

TEST(SimulatorFaults, DrawsEveryKindFromASeedAndTheServerTakesIt) {
  const RunningServer server(still());
  std::mt19937_64 random(5), same(5);
  std::set<std::string> targets;
  for (int i = 0; i < 600; ++i) {
    const std::string target = draw_fault(random, {"BTCUSDT", "ETHUSDT"});
    EXPECT_EQ(target, draw_fault(same, {"BTCUSDT", "ETHUSDT"}));
    if (!targets.insert(target).second) continue;
    EXPECT_EQ(post(server.port(), target).result_int(), 200U) << target;
  }
  for (const FaultRow& row : fault_rows()) {
    const auto count = status(server.port(), "faults/" + std::string(row.name));
    EXPECT_EQ(count > 0, !row.drawn.empty()) << row.name;
  }
}

TEST(SimulatorFaults, ComeByThemselvesOnASchedule) {
  ServerOptions options = still();
  std::atomic<int> told = 0;
  options.faults.mean = std::chrono::milliseconds(5);
  options.faults.told = [&](std::string_view target) {
    EXPECT_TRUE(target.starts_with("/sim/"));
    ++told;
  };
  const RunningServer server(options);
  EXPECT_TRUE(testing::eventually([&] { return told > 20; }));
}

}  // namespace
}  // namespace atcd::feeds::simulator
