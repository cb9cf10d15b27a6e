#include "state/redis_connection.hpp"

#include <gmock/gmock.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>

#include "tests/names.hpp"
#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

using ::testing::HasSubstr;
using tests::kTwoAddresses;
using tests::kUnanswered;
using tests::unanswered;

struct Heard final : ConnectionHandler {
  void on_ready() override { ++ready; }
  void on_lost(std::string_view reason) override { lost.emplace_back(reason); }
  void on_unreachable(std::string_view reason) override { unreachable.emplace_back(reason); }
  void on_refused(std::string_view error) override { refused.emplace_back(error); }
  void on_push(const Reply& reply) override { pushed.emplace_back(reply.elements[0].text); }

  int ready = 0;
  std::vector<std::string> lost, unreachable, refused, pushed;
};

ConnectionOptions to(const std::string& url) {
  ConnectionOptions options;
  std::string error;
  options.address = parse_redis_url(url, error)->addresses.at(0);
  options.client_name = "atcd-test";
  options.first_backoff = std::chrono::milliseconds(2);
  options.longest_backoff = std::chrono::milliseconds(20);
  return options;
}

class RedisConnectionTest : public PublisherTest {
 protected:
  Heard heard_;
};

TEST_F(RedisConnectionTest, RepliesComeInOrderOverAUnixSocket) {
  RedisServer server;
  RedisConnection connection(io_, to(server.url() + "?db=3"), heard_);
  EXPECT_FALSE(connection.send({"PING"}, nullptr)) << "not ready yet";
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  std::vector<std::string> replies;
  for (int i = 0; i < 1000; ++i) {
    connection.send({"ECHO", std::to_string(i)}, [&](const Reply* reply) {
      replies.emplace_back(reply == nullptr ? "lost" : reply->text);
    });
  }
  EXPECT_EQ(connection.in_flight(), 1000U);
  std::string list;
  connection.send({"CLIENT", "LIST"}, [&](const Reply* reply) { list = reply->text; });
  run_until([&] { return !list.empty(); }, "all replies");
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(replies[static_cast<std::size_t>(i)], std::to_string(i));
  EXPECT_THAT(list, HasSubstr("name=atcd-test"));
  EXPECT_THAT(list, HasSubstr("db=3"));
  run_until([&] { return connection.output_bytes() == 0; }, "the last write is told");
}

TEST_F(RedisConnectionTest, ConnectsOverTcpByNameWithAUserAndPassword) {
  const ReservedPort port;
  RedisServer server({"--port", port.text(), "--bind", "127.0.0.1"});
  server.client().command({"ACL", "SETUSER", "bot", "on", ">p@ss", "~*", "&*", "+@all"});
  RedisConnection connection(io_, to("redis://bot:p%40ss@localhost:" + port.text()), heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  std::string who;
  connection.send({"ACL", "WHOAMI"}, [&](const Reply* reply) { who = reply->text; });
  run_until([&] { return !who.empty(); }, "a reply");
  EXPECT_EQ(who, "bot");
}

TEST_F(RedisConnectionTest, EveryCommandInFlightIsToldOnceThatItIsLost) {
  RedisServer server;
  RedisConnection connection(io_, to(server.url()), heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  server.signal(SIGSTOP);
  std::vector<int> told(100);
  for (std::size_t i = 0; i < told.size(); ++i) {
    connection.send({"PING"}, [&told, i](const Reply* reply) {
      EXPECT_EQ(reply, nullptr);
      ++told[i];
    });
  }
  server.kill();
  run_until([&] { return heard_.lost.size() == 1; }, "lost");
  EXPECT_EQ(told, std::vector<int>(100, 1));
  server.start();
  run_until([&] { return heard_.ready == 2; }, "ready again");
  EXPECT_EQ(told, std::vector<int>(100, 1));
}

TEST_F(RedisConnectionTest, ACommandWithoutAnAnswerEndsTheConnection) {
  RedisServer server;
  ConnectionOptions options = to(server.url());
  options.command_timeout = std::chrono::milliseconds(100);
  RedisConnection connection(io_, options, heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  bool lost = false;
  connection.send({"BLPOP", "nothing", "0"}, [&](const Reply* reply) { lost = reply == nullptr; });
  run_until([&] { return lost; }, "dropped");
  EXPECT_THAT(heard_.lost.at(0), HasSubstr("did not answer within 100 ms"));
  run_until([&] { return heard_.ready == 2; }, "ready again");
}

TEST_F(RedisConnectionTest, WhoAnswersOneAfterTheOtherIsSlowNotGone) {
  RedisServer server;
  ConnectionOptions options = to(server.url());
  options.command_timeout = std::chrono::milliseconds(1000);
  RedisConnection connection(io_, options, heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  int answered = 0, lost = 0;
  for (int i = 0; i < 8; ++i) {
    connection.send({"BLPOP", "nothing", "0.25"},
                    [&](const Reply* reply) { ++(reply != nullptr ? answered : lost); });
  }
  run_until([&] { return answered + lost == 8; }, "all told");
  ASSERT_EQ(answered, 8) << "twice the time that one may take, together";
  bool gone = false;
  connection.send({"BLPOP", "nothing", "0"}, [&](const Reply* reply) { gone = reply == nullptr; });
  run_until([&] { return gone; }, "dropped");
}

TEST_F(RedisConnectionTest, OfANameTheNextAddressIsTriedWhereOneDropsWhatIsSentToIt) {
  const ReservedPort port;
  RedisServer server({"--port", port.text(), "--bind", "127.0.0.1"});
  // Listens, takes one that nobody fetches and drops all others.
  const auto number = static_cast<std::uint16_t>(std::stoi(port.text()));
  using boost::asio::ip::tcp;
  tcp::acceptor silent(io_);
  silent.open(tcp::v4());
  silent.bind({boost::asio::ip::make_address("127.0.0.2"), number});
  silent.listen(0);
  tcp::socket first(io_);
  first.connect(silent.local_endpoint());
  ConnectionOptions options = to("redis://" + std::string(kTwoAddresses) + ":" + port.text());
  options.command_timeout = std::chrono::milliseconds(1000);
  RedisConnection connection(io_, options, heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1 || heard_.unreachable.size() == 5; }, "ready");
  ASSERT_EQ(heard_.ready, 1);
  ASSERT_FALSE(heard_.unreachable.empty()) << "the first address must be the silent one";
  const std::size_t before = heard_.unreachable.size();
  server.client().command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
  run_until([&] { return heard_.ready == 2; }, "ready again");
  EXPECT_EQ(heard_.unreachable.size(), before) << "it stays with the one that answers";
}

TEST_F(RedisConnectionTest, ANameThatNobodyAnswersForHoldsUpNoRedis) {
  const ReservedPort port;
  RedisServer server({"--port", port.text(), "--bind", "127.0.0.1"});
  unanswered = true;
  boost::asio::ip::tcp::resolver of_an_exchange(io_);
  of_an_exchange.async_resolve(kUnanswered, "443", [](const auto&, const auto&) {});
  RedisOptions options;
  options.url = redis_url("redis://localhost:" + port.text());
  Daemon daemon(io_, options);
  run_until([&] { return daemon.publisher->connected(); }, "connected");
  unanswered = false;
  unanswered.notify_all();
}

TEST_F(RedisConnectionTest, WhoNeverAnswersTheGreetingIsGivenUp) {
  RedisServer server;
  server.signal(SIGSTOP);
  ConnectionOptions options = to(server.url());
  options.command_timeout = std::chrono::milliseconds(50);
  RedisConnection connection(io_, options, heard_);
  connection.start();
  run_until([&] { return heard_.unreachable.size() == 2; }, "tried twice");
  server.signal(SIGCONT);
  run_until([&] { return heard_.ready == 1; }, "ready");
}

TEST_F(RedisConnectionTest, TheOutputIsBounded) {
  RedisServer server;
  ConnectionOptions options = to(server.url());
  options.output_limit = 4 << 20;
  RedisConnection connection(io_, options, heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  server.signal(SIGSTOP);
  const std::string big(1 << 20, 'x');
  int accepted = 0;
  while (accepted < 100 && connection.send({"ECHO", big}, nullptr)) {
    ++accepted;
    io_.restart();
    io_.poll();
  }
  EXPECT_LT(accepted, 20);
  EXPECT_GE(accepted, 4);
  server.signal(SIGCONT);
  run_until([&] { return connection.in_flight() == 0; }, "all answered");
  EXPECT_TRUE(connection.can_send());
}

TEST_F(RedisConnectionTest, ACallbackMayDropOrDestroyTheConnection) {
  RedisServer server;
  auto connection = std::make_unique<RedisConnection>(io_, to(server.url()), heard_);
  connection->start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  int lost = 0;
  connection->send({"PING"}, [&](const Reply*) { connection->drop("because"); });
  connection->send({"PING"}, [&](const Reply* reply) { lost += reply == nullptr ? 1 : 0; });
  run_until([&] { return heard_.ready == 2; }, "ready again");
  EXPECT_EQ(lost, 1);
  EXPECT_EQ(heard_.lost.at(0), "because");
  bool called = false;
  connection->send({"PING"}, [&](const Reply*) { connection.reset(); });
  connection->send({"PING"}, [&](const Reply*) { called = true; });
  run_until([&] { return connection == nullptr; }, "destroyed");
  io_.restart();
  io_.run();
  EXPECT_FALSE(called);
}

TEST_F(RedisConnectionTest, MessagesOfASubscriptionArePushed) {
  RedisServer server;
  RedisConnection connection(io_, to(server.url()), heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  bool subscribed = false;
  connection.send({"PSUBSCRIBE", "a*"}, [&](const Reply* reply) { subscribed = reply != nullptr; });
  run_until([&] { return subscribed; }, "subscribed");
  server.client().command({"PUBLISH", "ab", "text"});
  run_until([&] { return !heard_.pushed.empty(); }, "the message");
  EXPECT_EQ(heard_.pushed[0], "pmessage");
}

TEST_F(RedisConnectionTest, APasswordThatRedisQuotesIsNotPassedOn) {
  RedisServer server({"--rename-command", "AUTH", "HIDDEN"});
  RedisConnection connection(io_, to("unix://bot:secret-word@" + server.path()), heard_);
  connection.start();
  run_until([&] { return !heard_.refused.empty() && !heard_.unreachable.empty(); }, "refused");
  EXPECT_THAT(heard_.refused[0], HasSubstr("AUTH"));
  EXPECT_THAT(heard_.refused[0], ::testing::Not(HasSubstr("secret-word")));
  EXPECT_THAT(heard_.unreachable[0], ::testing::Not(HasSubstr("secret-word")));
}

TEST_F(RedisConnectionTest, AUserWithoutAPasswordIsNotTheDefaultUser) {
  RedisServer server;
  server.client().command({"ACL", "SETUSER", "bot", "on", "nopass", "~*", "+@all"});
  RedisConnection connection(io_, to("unix://bot@" + server.path()), heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  std::string name;
  connection.send({"ACL", "WHOAMI"}, [&](const Reply* reply) { name = reply->text; });
  run_until([&] { return !name.empty(); }, "who we are");
  EXPECT_EQ(name, "bot");

  server.client().command({"ACL", "SETUSER", "bot", "resetpass", ">secret-word"});
  connection.drop("anew");
  run_until([&] { return !heard_.refused.empty(); }, "refused");
  EXPECT_THAT(heard_.refused[0], HasSubstr("WRONGPASS"));
}

TEST_F(RedisConnectionTest, WhatWaitedToBeWrittenIsNotWrittenToTheNextConnection) {
  RedisServer server;
  RedisConnection connection(io_, to(server.url()), heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  server.signal(SIGSTOP);
  const std::string big(4 << 20, 'x');
  for (int i = 0; i < 3; ++i) connection.send({"ECHO", big}, nullptr);  // the first is being written
  server.kill();
  run_until([&] { return heard_.lost.size() == 1; }, "lost");
  server.start();
  run_until([&] { return heard_.ready == 2; }, "ready again");
  std::string echo;
  connection.send({"ECHO", "mine"}, [&](const Reply* reply) { echo = reply->text; });
  run_until([&] { return !echo.empty(); }, "a reply");
  EXPECT_EQ(echo, "mine");
}

TEST_F(RedisConnectionTest, HalfAReplyIsForgottenWithItsConnection) {
  using boost::asio::local::stream_protocol;
  const std::string path = ::testing::TempDir() + "/half-a-redis-" + std::to_string(getpid());
  stream_protocol::acceptor acceptor(io_, path);
  std::vector<stream_protocol::socket> peers;
  const std::function<void()> accept = [&] {
    acceptor.async_accept([&](const boost::system::error_code& error, stream_protocol::socket peer) {
      if (error) return;
      const bool first = peers.empty();
      peers.push_back(std::move(peer));
      const std::string_view text = first ? "+OK\r\n$1000\r\nhalf" : "+OK\r\n+PONG\r\n";
      boost::asio::write(peers.back(), boost::asio::buffer(text));
      if (first) peers.back().close();
      accept();
    });
  };
  accept();
  RedisConnection connection(io_, to("unix://" + path), heard_);
  connection.start();
  run_until([&] { return heard_.ready == 1; }, "ready");
  EXPECT_EQ(heard_.unreachable.size(), 1U);
  std::filesystem::remove(path);
}

TEST_F(RedisConnectionTest, WhoSpeaksNoRespIsDropped) {
  const std::string path = ::testing::TempDir() + "/no-redis-" + std::to_string(getpid());
  boost::asio::local::stream_protocol::acceptor acceptor(io_, path);
  boost::asio::local::stream_protocol::socket peer(io_);
  acceptor.async_accept(peer, [&](const boost::system::error_code&) {
    boost::asio::write(peer, boost::asio::buffer(std::string_view("HTTP/1.1 400 Bad Request\r\n\r\n")));
  });
  RedisConnection connection(io_, to("unix://" + path), heard_);
  connection.start();
  run_until([&] { return !heard_.unreachable.empty(); }, "dropped");
  EXPECT_THAT(heard_.unreachable[0], HasSubstr("bad reply"));
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace atcd::state
