#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/feeds/simulator_rig.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds::simulator {
namespace {

using namespace testing;

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
