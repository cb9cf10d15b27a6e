#include "feeds/connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <string>

#include "tests/feeds/local_server.hpp"

namespace atcd::feeds {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using testing::Certificates;
using ::testing::HasSubstr;
using testing::LocalServer;
using testing::Peer;
using testing::run_until;

struct Recorder final : ConnectionHandler {
  void on_open() override { open = true; }
  void on_message(std::string_view message, std::int64_t received_us) override {
    messages.emplace_back(message);
    // The padding that the parser is promised can be read.
    for (std::size_t i = 0; i < 64; ++i) padding += message.data()[message.size() + i];
    last_received_us = received_us;
    if (then) then();
  }
  void on_end(const ConnectionEnd& reported) override {
    end = reported;
    ++ends;
  }

  bool open = false;
  std::vector<std::string> messages;
  int padding = 0;
  std::int64_t last_received_us = 0;
  ConnectionEnd end;
  int ends = 0;
  std::function<void()> then;
};

ConnectionOptions options_for(const std::string& url) {
  std::string error;
  ConnectionOptions options;
  options.url = *Url::parse(url, error);
  options.path = "/stream";
  return options;
}

class ConnectionTest : public ::testing::Test {
 protected:
  /// Connects and waits for the end.
  std::string end_of(const ConnectionOptions& options) {
    Connection connection(io_, options, recorder_);
    EXPECT_TRUE(run_until(io_, [&] { return recorder_.ends > 0; }));
    return recorder_.end.reason;
  }
  void connect(const ConnectionOptions& options) {
    connection_ = std::make_unique<Connection>(io_, options, recorder_);
    ASSERT_TRUE(run_until(io_, [&] { return recorder_.open || recorder_.ends > 0; }));
    ASSERT_TRUE(recorder_.open) << recorder_.end.reason;
  }

  asio::io_context io_;
  Recorder recorder_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(ConnectionTest, BringsWholeMessagesAndSendsInOrder) {
  LocalServer server(io_);
  const std::string large(300'000, 'x');
  server.on_open = [&](Peer& peer) {
    peer.send("one");
    peer.send(large);
    peer.send("");
  };
  connect(options_for(server.websocket_url()));
  connection_->send("first");
  connection_->send("second");
  ASSERT_TRUE(run_until(io_, [&] { return recorder_.messages.size() == 3; }));
  EXPECT_EQ(recorder_.messages, (std::vector<std::string>{"one", large, ""}));
  EXPECT_EQ(recorder_.padding, 0);
  EXPECT_GT(recorder_.last_received_us, 1'700'000'000'000'000);
  ASSERT_TRUE(run_until(io_, [&] { return server.peers[0]->received.size() == 2; }));
  EXPECT_EQ(server.peers[0]->received, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(server.peers[0]->target, "/stream");
}

TEST_F(ConnectionTest, PathOfTheUrlStandsBeforeTheExchangesOwn) {
  LocalServer server(io_);
  connect(options_for(server.websocket_url() + "/proxy"));
  EXPECT_EQ(server.peers[0]->target, "/proxy/stream");
}

TEST_F(ConnectionTest, AMessageBeyondTheLimitEndsTheConnectionUnread) {
  LocalServer server(io_);
  server.on_open = [](Peer& peer) { peer.send(std::string(100'000'000, 'x')); };
  connect(options_for(server.websocket_url()));
  ASSERT_TRUE(run_until(io_, [&] { return recorder_.ends > 0; }));
  EXPECT_TRUE(recorder_.end.message_refused);
  EXPECT_EQ(recorder_.end.reason, "a message had more than 1048576 bytes");
  EXPECT_TRUE(recorder_.messages.empty());
}

/// Bytes that the program has allocated; a sanitizer's allocator says 0.
std::size_t in_use() {
  const struct mallinfo2 told = mallinfo2();
  return told.uordblks + told.hblkhd;
}

TEST_F(ConnectionTest, TheMemoryOfAHugeMessageIsGivenBack) {
  LocalServer server(io_);
  connect(options_for(server.websocket_url()));
  const auto hear = [&](std::size_t bytes) {
    server.peers[0]->send(std::string(bytes, 'x'));
    ASSERT_TRUE(run_until(io_, [&] { return recorder_.messages.size() == 1; }));
    EXPECT_EQ(recorder_.messages[0].size(), bytes);
    recorder_.messages.clear();
  };
  hear(100);
  const std::size_t before = in_use();
  hear(1'000'000);
  hear(100);
  EXPECT_LT(in_use(), before + 200'000);
}

TEST_F(ConnectionTest, TheReasonOfAnEndIsTold) {
  LocalServer server(io_);
  server.on_open = [](Peer& peer) { peer.close(1001, "going away"); };
  EXPECT_EQ(end_of(options_for(server.websocket_url())),
            "the exchange closed the connection, code 1001: going away");
  recorder_.ends = 0;
  server.on_open = [](Peer& peer) { peer.cut(); };
  EXPECT_EQ(end_of(options_for(server.websocket_url())), "the connection was cut without a websocket close");
}

TEST_F(ConnectionTest, RefusedLocationsAreNamed) {
  LocalServer server(io_);
  for (const auto status : {http::status::forbidden, http::status::unavailable_for_legal_reasons}) {
    server.decline = LocalServer::Response(status, 11);
    recorder_ = {};
    EXPECT_THAT(end_of(options_for(server.websocket_url())), HasSubstr("the exchange refuses this location"));
    EXPECT_TRUE(recorder_.end.refused_location);
    EXPECT_FALSE(recorder_.open);
  }
}

TEST_F(ConnectionTest, TooManyConnectsAreNamedWithTheWait) {
  LocalServer server(io_);
  server.decline = LocalServer::Response(http::status::too_many_requests, 11);
  server.decline->set(http::field::retry_after, "17");
  EXPECT_THAT(end_of(options_for(server.websocket_url())), HasSubstr("HTTP 429"));
  EXPECT_EQ(recorder_.end.retry_after, std::chrono::seconds(17));
  EXPECT_FALSE(recorder_.end.refused_location);
}

TEST_F(ConnectionTest, NobodyIsKeptAwayForMoreThanAnHour) {
  LocalServer server(io_);
  server.decline = LocalServer::Response(http::status::service_unavailable, 11);
  for (const char* seconds : {"2147483647", "99999999999", "3601"}) {
    server.decline->set(http::field::retry_after, seconds);
    recorder_.ends = 0;
    end_of(options_for(server.websocket_url()));
    EXPECT_EQ(recorder_.end.retry_after, std::chrono::hours(1)) << seconds;
  }
}

TEST_F(ConnectionTest, SilenceWithoutAnswersToPingsEndsIt) {
  LocalServer server(io_);
  ConnectionOptions options = options_for(server.websocket_url());
  options.idle_timeout = std::chrono::milliseconds(300);
  // A server that stops reading answers no pings: a blocked io_context does the same, so it runs elsewhere.
  asio::io_context other;
  LocalServer frozen(other);
  options.url = options_for(frozen.websocket_url()).url;
  connection_ = std::make_unique<Connection>(io_, options, recorder_);
  ASSERT_TRUE(run_until(io_, [&] {
    if (!recorder_.open) {
      other.restart();
      other.poll();
    }
    return recorder_.ends > 0;
  }));
  EXPECT_TRUE(recorder_.open);
  EXPECT_THAT(recorder_.end.reason, HasSubstr("nothing came for 0.3 s"));
}

TEST_F(ConnectionTest, AQuietConnectionIsKeptByPings) {
  LocalServer server(io_);
  ConnectionOptions options = options_for(server.websocket_url());
  // So long that a busy machine stands still for less than half of it: the server runs on the same thread.
  options.idle_timeout = std::chrono::seconds(2);
  connect(options);
  // The server's answers to pings are all that moves for three times the timeout.
  const auto until = connection_->heard_at() + 3 * options.idle_timeout;
  run_until(io_, [&] { return recorder_.ends > 0 || connection_->heard_at() > until; });
  EXPECT_EQ(recorder_.ends, 0) << recorder_.end.reason;
  EXPECT_TRUE(recorder_.messages.empty());
  EXPECT_GT(connection_->heard_at(), until) << "an answer to a ping was heard";
}

TEST_F(ConnectionTest, TextPingsAreSentWhenNothingComes) {
  LocalServer server(io_);
  server.on_text = [](Peer& peer, const std::string& text) {
    if (text == "ping") peer.send("pong");
  };
  ConnectionOptions options = options_for(server.websocket_url());
  options.ping_text = "ping";
  options.idle_timeout = std::chrono::seconds(2);  // as above
  connect(options);
  ASSERT_TRUE(run_until(io_, [&] { return recorder_.messages.size() >= 3 || recorder_.ends > 0; }));
  EXPECT_EQ(recorder_.ends, 0) << recorder_.end.reason;
}

TEST_F(ConnectionTest, AHandshakeThatIsNotAnsweredEnds) {
  LocalServer server(io_);
  server.answer_handshakes = false;
  ConnectionOptions options = options_for(server.websocket_url());
  options.setup_timeout = std::chrono::milliseconds(200);
  EXPECT_THAT(end_of(options), HasSubstr("not connected to 127.0.0.1"));
}

TEST_F(ConnectionTest, AnUnreachablePortAndAnUnknownHostAreTold) {
  std::string url;
  {
    LocalServer gone(io_);
    url = gone.websocket_url();
  }
  EXPECT_THAT(end_of(options_for(url)), HasSubstr("cannot connect to 127.0.0.1"));
  recorder_ = {};
  ConnectionOptions unknown = options_for("ws://host.invalid:1");
  unknown.setup_timeout = std::chrono::seconds(50);  // where no name server answers that takes long
  EXPECT_THAT(end_of(unknown), HasSubstr("cannot resolve host.invalid"));
}

TEST_F(ConnectionTest, AServerThatIsNoWebsocketIsTold) {
  LocalServer server(io_);
  server.decline = LocalServer::Response(http::status::ok, 11);
  EXPECT_THAT(end_of(options_for(server.websocket_url())), HasSubstr("HTTP 200 from 127.0.0.1"));
}

TEST_F(ConnectionTest, DestroyingItSaysGoodbyeAndCallsNothing) {
  LocalServer server(io_);
  connect(options_for(server.websocket_url()));
  server.peers[0]->send("late");
  connection_.reset();
  EXPECT_TRUE(run_until(io_, [&] { return !server.peers[0]->open(); }));
  EXPECT_TRUE(recorder_.messages.empty());
  EXPECT_EQ(recorder_.ends, 0);
}

TEST_F(ConnectionTest, DestroyingItInsideACallbackIsFine) {
  LocalServer server(io_);
  server.on_open = [](Peer& peer) {
    for (int i = 0; i < 10; ++i) peer.send("message");
  };
  recorder_.then = [&] { connection_.reset(); };
  connect(options_for(server.websocket_url()));
  EXPECT_TRUE(run_until(io_, [&] { return !server.peers[0]->open(); }));
  EXPECT_EQ(recorder_.messages.size(), 1U);
  EXPECT_EQ(recorder_.ends, 0);
}

TEST_F(ConnectionTest, AServerThatDoesNotSayGoodbyeIsDropped) {
  asio::io_context other;
  LocalServer frozen(other);
  ConnectionOptions options = options_for(frozen.websocket_url());
  options.closing_timeout = std::chrono::milliseconds(200);
  connection_ = std::make_unique<Connection>(io_, options, recorder_);
  ASSERT_TRUE(run_until(io_, [&] {
    other.restart();
    other.poll();
    return recorder_.open;
  }));
  connection_.reset();
  io_.restart();
  io_.run_for(std::chrono::seconds(30));
  EXPECT_TRUE(io_.stopped()) << "nothing is left to wait for";
}

// ---- TLS

class TlsConnection : public ConnectionTest {
 protected:
  std::string end_with(const std::string& certificate, const std::string& ca_file) {
    LocalServer server(io_, certificate);
    server.on_open = [](Peer& peer) { peer.close(1000, "verified"); };
    ConnectionOptions options = options_for(server.websocket_url());
    options.tls = make_tls_context({ca_file.empty() ? "" : Certificates::get().file(ca_file), "", ""});
    return end_of(options);
  }
};

TEST_F(TlsConnection, ItsOwnAuthorityAndHostAreAccepted) {
  EXPECT_EQ(end_with("localhost", "ca.pem"), "the exchange closed the connection, code 1000: verified");
}

TEST_F(TlsConnection, AnotherHostIsRefused) {
  const std::string reason = end_with("example.org", "ca.pem");
  EXPECT_THAT(reason, HasSubstr("the certificate of localhost:"));
  EXPECT_THAT(reason, HasSubstr("is refused: hostname mismatch"));
  EXPECT_FALSE(recorder_.open);
}

TEST_F(TlsConnection, AnotherAuthorityIsRefused) {
  EXPECT_THAT(end_with("localhost", "other-ca.pem"), HasSubstr("is refused: unable to get local issuer"));
  EXPECT_FALSE(recorder_.open);
  recorder_ = {};
  EXPECT_THAT(end_with("localhost", ""), HasSubstr("is refused: "));
  EXPECT_FALSE(recorder_.open);
}

TEST_F(TlsConnection, AnAddressMustBeInTheCertificateToo) {
  LocalServer server(io_, "localhost");
  ConnectionOptions options = options_for(server.websocket_url());
  options.url.host = "127.0.0.1";
  options.tls = make_tls_context({Certificates::get().file("ca.pem"), "", ""});
  EXPECT_THAT(end_of(options), HasSubstr("is refused: IP address mismatch"));
}

TEST_F(TlsConnection, APlainServerIsNotTakenForASecureOne) {
  LocalServer server(io_);
  ConnectionOptions options = options_for(server.websocket_url());
  options.url.scheme = "wss";
  options.tls = make_tls_context({Certificates::get().file("ca.pem"), "", ""});
  options.setup_timeout = std::chrono::milliseconds(500);
  const std::string reason = end_of(options);
  EXPECT_FALSE(recorder_.open) << reason;
}

TEST(TlsContext, AFileThatIsNoCertificateIsNamed) {
  EXPECT_THROW(
      {
        try {
          make_tls_context({"/nowhere/ca.pem", "", ""});
        } catch (const std::runtime_error& error) {
          EXPECT_THAT(error.what(), HasSubstr("/nowhere/ca.pem"));
          throw;
        }
      },
      std::runtime_error);
}

}  // namespace
}  // namespace atcd::feeds
