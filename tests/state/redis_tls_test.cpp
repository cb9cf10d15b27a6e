// Redis over TLS: who is trusted, what is said of others, and what stays true while connections are killed.
#include <gmock/gmock.h>

#include <boost/asio/ssl/context.hpp>

#include "tests/certificates.hpp"
#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

namespace ssl = boost::asio::ssl;
using ::testing::HasSubstr;
using tests::Certificates;

std::string file(const std::string& name) { return Certificates::get().file(name); }

class RedisTlsTest : public PublisherTest {
 protected:
  static std::vector<std::string> server_options(const std::string& port, const std::string& certificate,
                                                 const std::string& clients) {
    return {"--tls-port",
            port,
            "--bind",
            "127.0.0.1",
            "--tls-cert-file",
            file(certificate),
            "--tls-key-file",
            file("leaf.key"),
            "--tls-ca-cert-file",
            file("ca.pem"),
            "--tls-auth-clients",
            clients};
  }

  static std::shared_ptr<ssl::context> trusting(const std::string& ca_file) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
    context->load_verify_file(file(ca_file));
    context->set_verify_mode(ssl::verify_peer);
    return context;
  }

  RedisOptions options_to(const std::string& host, const std::string& ca_file = "ca.pem") const {
    RedisOptions options;
    options.url = redis_url("rediss://" + host + ":" + port_);
    options.keep = 1'000'000;
    options.tls = [context = trusting(ca_file)] { return context; };
    return options;
  }

  /// What is said when no connection can be made.
  std::string refusal(const RedisOptions& options) {
    Daemon daemon(io_, options);
    run_until([&] { return daemon.handler.count(PublishEvent::disconnected) == 1; }, "refused");
    EXPECT_FALSE(daemon.publisher->connected());
    return daemon.handler.detail(PublishEvent::disconnected);
  }

  const ReservedPort reserved_;
  const std::string port_ = reserved_.text();
};

TEST_F(RedisTlsTest, EveryBarArrivesOnceAlthoughConnectionsAreKilled) {
  RedisServer server(server_options(port_, "localhost.pem", "no"));
  RedisClient redis = server.client();
  Daemon daemon(io_, options_to("localhost"));
  for (SeriesIndex series = 0; series < 4; ++series) daemon.add(series, 0, 1);
  run_until([&] { return daemon.handler.published == 4; }, "the first of all");
  for (std::uint64_t kill = 1; kill <= 20; ++kill) {
    for (int bar = 0; bar < 100; ++bar) {
      for (SeriesIndex series = 0; series < 4; ++series) daemon.close_bar(series);
      io_.poll_one();
    }
    redis.command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
    run_until(
        [&] { return daemon.publisher->counters().disconnects >= kill && daemon.publisher->connected(); },
        "connected again");
  }
  run_until_drained(daemon);
  for (SeriesIndex series = 0; series < 4; ++series) {
    expect_complete(redis, daemon, series);
    EXPECT_EQ(redis.stream(stream_key(series)).size(), 2001U);
  }
}

TEST_F(RedisTlsTest, AnotherHostNameOrAuthorityIsRefusedInClearWords) {
  RedisServer server(server_options(port_, "localhost.pem", "no"));
  EXPECT_THAT(refusal(options_to("127.0.0.1")), HasSubstr("is refused: IP address mismatch"));
  EXPECT_THAT(refusal(options_to("localhost", "other-ca.pem")),
              HasSubstr("the certificate of localhost:" + port_ + " is refused: "));
}

TEST_F(RedisTlsTest, ACertificateForAnotherHostIsRefused) {
  RedisServer server(server_options(port_, "example.org.pem", "no"));
  EXPECT_THAT(refusal(options_to("localhost")), HasSubstr("is refused: hostname mismatch"));
}

TEST_F(RedisTlsTest, APlainServerIsNotTakenForASecureOne) {
  RedisServer server({"--port", port_, "--bind", "127.0.0.1"});
  RedisOptions options = options_to("localhost");
  options.command_timeout = std::chrono::milliseconds(300);
  // On a busy machine that may pass before there is a connection at all: then another attempt tells.
  std::string said = refusal(options);
  for (int attempt = 0; attempt < 20 && said.find("no connection to") != std::string::npos; ++attempt) {
    said = refusal(options);
  }
  EXPECT_THAT(said, HasSubstr("does it speak TLS on this port?"));
}

TEST_F(RedisTlsTest, AServerMayAskForOurCertificate) {
  RedisServer server(server_options(port_, "localhost.pem", "yes"));
  RedisOptions options = options_to("localhost");
  // The reset that follows the server's alert may overtake it, so that the write fails first: then another
  // attempt tells.
  std::string said;
  for (int attempt = 0; attempt < 20 && said.find("certificate required") == std::string::npos; ++attempt) {
    said = refusal(options);
  }
  EXPECT_THAT(said, HasSubstr("certificate required"));
  options.tls()->use_certificate_chain_file(file("localhost.pem"));
  options.tls()->use_private_key_file(file("leaf.key"), ssl::context::pem);
  Daemon daemon(io_, options);
  daemon.add(1, 0, 3);
  run_until_drained_after_first(daemon);
  RedisClient redis = server.client();
  expect_complete(redis, daemon, 1);
}

}  // namespace
}  // namespace atcd::state
