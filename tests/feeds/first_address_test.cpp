// An exchange's name has two addresses, and the first lets everybody connect and brings nothing: as where
// large packets get lost on the way there, those of a certificate.
#include <gtest/gtest.h>

#include <boost/asio/ip/tcp.hpp>
#include <string>
#include <vector>

#include "feeds/address_limits.hpp"
#include "feeds/connection.hpp"
#include "feeds/rest_client.hpp"
#include "feeds/url.hpp"
#include "tests/feeds/feed_rig.hpp"
#include "tests/names.hpp"

namespace atcd::feeds {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using std::chrono::milliseconds;
using testing::LocalServer;
using testing::run_until;

class FirstAddressTest : public testing::FeedTest {
 protected:
  void SetUp() override {
    start();
    server_->on_request = [](const LocalServer::Request&) {
      LocalServer::Response response(http::status::ok, 11);
      response.body() = "[]";
      return response;
    };
    std::string error;
    port_ = Url::parse(server_->websocket_url(), error)->port;
    useless_.open(asio::ip::tcp::v4());
    useless_.bind({asio::ip::make_address("127.0.0.2"), port_});
    useless_.listen();
    take();
  }

  std::string url(const std::string& scheme) const {
    return scheme + "://" + std::string(tests::kTwoAddresses) + ":" + std::to_string(port_);
  }

  /// Held and never read, or dropped at once.
  void take() {
    useless_.async_accept([this](const auto& error, asio::ip::tcp::socket socket) {
      if (error) return;
      ++taken_;
      if (holds_) held_.push_back(std::move(socket));
      take();
    });
  }

  asio::ip::tcp::acceptor useless_{io_};
  std::vector<asio::ip::tcp::socket> held_;
  std::uint16_t port_ = 0;
  bool holds_ = true;
  std::size_t taken_ = 0;
};

struct Ends final : ConnectionHandler {
  void on_open() override { ++opened; }
  void on_message(std::string_view, std::int64_t) override { ++messages; }
  void on_end(const ConnectionEnd&) override { ++ended; }
  int opened = 0, ended = 0, messages = 0;
};

TEST_F(FirstAddressTest, AConnectionBeginsBehindTheOneThatBroughtNothing) {
  server_->on_open = [](testing::Peer& peer) { peer.send("something"); };
  ConnectionOptions options;
  std::string error;
  options.url = *Url::parse(url("ws"), error);
  options.setup_timeout = milliseconds(500);
  Ends ends;
  for (int attempt = 0; ends.messages == 0 && attempt < 5; ++attempt) {
    const Connection connection(io_, options, ends);
    ASSERT_TRUE(run_until(io_, [&] { return ends.messages + ends.ended > attempt; }));
  }
  EXPECT_EQ(ends.messages, 1);
  EXPECT_EQ(taken_, 1U) << "the first address must be the useless one";
  options.setup_timeout = std::chrono::seconds(30);
  const Connection another(io_, options, ends);
  ASSERT_TRUE(run_until(io_, [&] { return ends.messages == 2; }));
  EXPECT_EQ(taken_, 1U) << "it stays with the one that answers";
}

TEST_F(FirstAddressTest, ARequestBeginsBehindTheOneThatBroughtNothing) {
  RestOptions options;
  std::string error;
  options.http.url = *Url::parse(url("http"), error);
  options.http.deadline = milliseconds(500);
  options.connections = 2;
  options.limits = std::make_shared<AddressLimits>(RestLimit{}, 1.0);
  RestClient client(io_, options, nullptr);
  std::vector<RestError> answers;
  for (std::size_t asked = 0; asked < 6; asked += 2) {  // both at once count once
    for (int i = 0; i < 2; ++i)
      client.get({"/x", 1, 0, [&](const RestReply& reply) { answers.push_back(reply.error); }});
    ASSERT_TRUE(run_until(io_, [&] { return answers.size() == asked + 2; }));
  }
  EXPECT_EQ(taken_, 2U) << "the first address must be the useless one";
  EXPECT_EQ(answers[0], RestError::timeout);
  for (std::size_t i = 2; i < answers.size(); ++i) EXPECT_EQ(answers[i], RestError::none) << i;
}

TEST_F(FirstAddressTest, AnOpenConnectionWithoutAMessageWasOfNoUse) {
  server_->on_open = [](testing::Peer& peer) { peer.send("something"); };
  useless_.close();
  const LocalServer silent(io_, {}, {asio::ip::make_address("127.0.0.2"), port_});
  ConnectionOptions options;
  std::string error;
  options.url = *Url::parse(url("ws"), error);
  Ends ends;
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const Connection connection(io_, options, ends);  // given up by us, as where no request is answered
    ASSERT_TRUE(run_until(io_, [&] { return ends.opened == attempt && ends.messages >= attempt - 1; }));
  }
  EXPECT_EQ(silent.accepted, 1U);
}

TEST_F(FirstAddressTest, WhoLetsNobodyConnectIsTriedOnce) {
  useless_.close();
  ConnectionOptions options;
  std::string error;
  options.url = *Url::parse(url("ws"), error);
  Ends ends;
  const Connection connection(io_, options, ends);
  ASSERT_TRUE(run_until(io_, [&] { return ends.opened == 1; }));
  EXPECT_EQ(options.first_address->number(), 1U);
}

TEST_F(FirstAddressTest, AFeedComesUpByTheOtherOne) {
  holds_ = false;
  FeedOptions options;
  options.websocket_url = url("ws");
  options.rest_url = url("http");
  feed_ = std::make_unique<Feed>(io_, exchange_, options, recorder_);
  add(1, 1);
  wait([&] { return up() == std::set<StreamIndex>{1}; });
  EXPECT_GT(taken_, 0U) << "the first address must be the useless one";
}

}  // namespace
}  // namespace atcd::feeds
