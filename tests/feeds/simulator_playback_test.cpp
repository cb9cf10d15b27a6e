#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "tests/feeds/frame_reader.hpp"
#include "tests/feeds/simulator_client.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds::simulator {
namespace {

using testing::get;
using testing::post;
using testing::RunningServer;
using testing::status;
using testing::WebsocketClient;

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kMondayMs = 1'795'392'000'000;  // 2026-11-23

std::string kline(int minute, const std::string& close, bool closed) {
  const std::int64_t open_ms = kMondayMs + minute * kMinuteMs;
  return R"({"stream":"btcusdt@kline_1m","data":{"e":"kline","E":)" + std::to_string(open_ms + 60'050) +
         R"(,"s":"BTCUSDT","k":{"t":)" + std::to_string(open_ms) + R"(,"T":)" +
         std::to_string(open_ms + 59'999) +
         R"(,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"100.00000000","c":")" + close +
         R"(","h":"200.00000000","l":"50.00000000","v":"1.00000000","n":2,"x":)" +
         (closed ? "true" : "false") + R"(,"q":"100.00000000","V":"0.50000000","Q":"50.00000000","B":"0"}}})";
}

class SimulatorPlayback : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string form = (std::filesystem::temp_directory_path() / "atcd-playback-XXXXXX").string();
    ASSERT_NE(mkdtemp(form.data()), nullptr);
    folder_ = form;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) {
    const std::string path = (folder_ / name).string();
    if (name.ends_with(".gz")) {
      const gzFile file = gzopen(path.c_str(), "wb");
      gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
      gzclose(file);
    } else {
      std::ofstream(path, std::ios::binary) << text;
    }
    return path;
  }
  static ServerOptions playing(std::vector<std::string> files, double speed = 0) {
    ServerOptions options;
    options.venue.frame_files = std::move(files);
    options.venue.playback_speed = speed;
    return options;
  }

  std::filesystem::path folder_;
};

TEST_F(SimulatorPlayback, sends_the_frames_as_recorded_and_tells_in_rest_what_has_been_shown) {
  const std::string first =
      write("a.jsonl.gz", "{\"result\":null,\"id\":1}\n" + kline(0, "100.10000000", false) + "\n" +
                              kline(0, "100.20000000", true) + "\n");
  write("a.ts.gz", "1795392000.5\n1795392001\n1795392060.05\n");
  const std::string second =
      write("b.jsonl", kline(1, "100.30000000", true) + "\n" + kline(2, "100.4", false));
  const RunningServer server(playing({first, second}));
  const std::string target = "/api/v3/klines?symbol=BTCUSDT&interval=1m";
  EXPECT_EQ(get(server.port(), target).body(), "[]") << "nothing has been played";
  EXPECT_NE(
      get(server.port(), "/api/v3/exchangeInfo").body().find(R"("symbol":"BTCUSDT","status":"TRADING")"),
      std::string::npos);
  WebsocketClient wrapped(server.port(), "/stream"), raw(server.port(), "/ws");
  EXPECT_TRUE(wrapped.subscribe({"ethusdt@kline_1m"}).starts_with(R"({"error")")) << "not recorded";
  for (WebsocketClient* client : {&wrapped, &raw})
    ASSERT_EQ(client->subscribe({"btcusdt@kline_1m"}), R"({"result":null,"id":7})");
  ASSERT_EQ(post(server.port(), "/sim/play").result_int(), 200U);
  const std::vector<std::string> frames = {kline(0, "100.10000000", false), kline(0, "100.20000000", true),
                                           kline(1, "100.30000000", true), kline(2, "100.4", false)};
  for (const std::string& frame : frames) {
    EXPECT_EQ(wrapped.read(), frame);
    const std::string payload = raw.read();
    EXPECT_EQ(R"({"stream":"btcusdt@kline_1m","data":)" + payload + "}", frame);
  }
  EXPECT_TRUE(testing::eventually([&] { return status(server.port(), "frames_played") == 4; }));
  EXPECT_EQ(status(server.port(), "lines_skipped"), 1);
  EXPECT_EQ(status(server.port(), "now_ms"), kMondayMs + 180'050) << "the clock of the last frame";
  const HistoryRequest request{"BTCUSDT", "1m", kMondayMs, kMondayMs + kMinuteMs};
  const Exchange& exchange = *find_exchange("binance", "spot");
  const simdjson::padded_string body(get(server.port(), exchange.history_target(request)).body());
  std::vector<engine::Bar> bars;
  std::string error;
  ASSERT_TRUE(exchange.parse_history({body.data(), body.size()}, request, bars, error)) << error;
  ASSERT_EQ(bars.size(), 2U);
  EXPECT_EQ(bars[0].close, 100.2);
  EXPECT_EQ(bars[1].close, 100.3);
}

TEST_F(SimulatorPlayback, begins_by_itself_after_the_subscriptions) {
  const RunningServer server(playing({write("a.jsonl", kline(0, "100.1", true))}));
  WebsocketClient client(server.port(), "/stream?streams=btcusdt@kline_1m");
  EXPECT_EQ(client.read(), kline(0, "100.1", true));
}

TEST_F(SimulatorPlayback, keeps_the_recorded_pace_and_does_not_pause_between_files) {
  const std::string first = write("a.jsonl", kline(0, "100.1", true) + "\n" + kline(1, "100.2", true) + "\n");
  write("a.ts", "1795392060000000000\n1795392120000000000\n");
  const std::string second = write("b.jsonl", kline(5000, "100.3", true));
  write("b.ts", "1795692060.000\n");
  const RunningServer server(playing({first, second}, 600));
  WebsocketClient client(server.port(), "/stream");
  const auto before = std::chrono::steady_clock::now();  // a second after a subscription it begins by itself
  client.subscribe({"btcusdt@kline_1m"});
  post(server.port(), "/sim/play");
  // The days between the files would be beyond the deadline of a read.
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(client.read().empty());
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, std::chrono::milliseconds(100)) << "a minute at 600 times its speed";
}

TEST_F(SimulatorPlayback, waits_for_a_client_at_full_speed_instead_of_cutting_it) {
  std::string text;
  constexpr int kFrames = 40'000;
  for (int i = 0; i < kFrames; ++i) text += kline(i % 100, "100.1", false) + "\n";
  ServerOptions options = playing({write("a.jsonl.gz", text)});
  options.queued_bytes = 4U << 20;
  const RunningServer server(options);
  WebsocketClient client(server.port(), "/stream");
  client.subscribe({"btcusdt@kline_1m"});
  post(server.port(), "/sim/play");
  int frames = 0;
  while (frames < kFrames && !client.read().empty()) ++frames;
  EXPECT_EQ(frames, kFrames);
  EXPECT_EQ(status(server.port(), "slow_clients_cut"), 0);
}

TEST_F(SimulatorPlayback, refuses_what_it_cannot_play) {
  testing::asio::io_context io;
  const auto refused = [&](const std::string& file) { Server server(io, playing({file})); };
  EXPECT_THROW(refused((folder_ / "missing.jsonl").string()), std::runtime_error);
  EXPECT_THROW(refused(write("empty.jsonl", "")), std::runtime_error);
  EXPECT_THROW(refused(write("none.jsonl", "{\"result\":null}\nnonsense\n")), std::runtime_error);
  const std::string whole = write("whole.jsonl.gz", kline(0, "1", true) + "\n" + kline(1, "2", true) + "\n");
  std::ifstream file(whole, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_THROW(refused(write("torn.jsonl", bytes.substr(0, bytes.size() - 10))), std::runtime_error);
  const std::string timed = write("timed.jsonl", kline(0, "100.1", true));
  write("timed.ts", "yesterday\n");
  EXPECT_THROW(refused(timed), std::runtime_error);
}

TEST_F(SimulatorPlayback, plays_a_real_recording) {
  const std::string file =
      std::string(ATCD_SHARED_DIR) + "/data/ws/binance_spot/cryptofeed-20210404T200311-ee25be.jsonl.gz";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "the recordings are not here: " << file;
  Recording recording({file});
  std::vector<std::string> klines;
  while (const auto line = recording.next()) {
    EXPECT_TRUE(line->received_us.has_value());
    if (line->text.find("@kline_1m") != std::string::npos) klines.push_back(line->text);
  }
  ASSERT_EQ(klines.size(), 118U) << "as the manifest says";
  const RunningServer server(playing({file}));
  WebsocketClient client(server.port(), "/stream");
  client.subscribe({"btcusdt@kline_1m", "ethusdt@kline_1m", "dotusdt@kline_1m"});
  post(server.port(), "/sim/play");
  for (const std::string& frame : klines) ASSERT_EQ(client.read(), frame);
  EXPECT_TRUE(testing::eventually([&] { return status(server.port(), "frames_played") == 4716; }));
  // REST's rows are the newest frame of each bar.
  const Exchange& exchange = *find_exchange("binance", "spot");
  const auto parser = exchange.new_parser();
  std::map<std::int64_t, engine::Bar> newest;
  for (const std::string& frame : klines) {
    const auto row = feeds::testing::parse_frame(*parser, frame).klines.at(0);
    if (row.symbol == "BTCUSDT") newest[row.bar.open_time_ms] = row.bar;
  }
  const HistoryRequest request{"BTCUSDT", "1m", newest.begin()->first, newest.rbegin()->first};
  const simdjson::padded_string body(get(server.port(), exchange.history_target(request)).body());
  std::vector<engine::Bar> bars;
  std::string error;
  ASSERT_TRUE(exchange.parse_history({body.data(), body.size()}, request, bars, error)) << error;
  ASSERT_EQ(bars.size(), newest.size());
  for (const engine::Bar& bar : bars) EXPECT_EQ(bar, newest.at(bar.open_time_ms));
}

}  // namespace
}  // namespace atcd::feeds::simulator
