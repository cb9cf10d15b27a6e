#include "feeds/http_session.hpp"

#include <gtest/gtest.h>

#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "feeds/rest_client.hpp"
#include "tests/feeds/local_server.hpp"

// What a server may send beside the answers, to the byte. The rest of a session: rest_client_test.cpp.

namespace atcd::feeds {
namespace {

namespace asio = boost::asio;

/// Answers request after request with these bytes.
class ByteServer {
 public:
  ByteServer(asio::io_context& io, std::deque<std::string> answers)
      : answers_(std::move(answers)),
        acceptor_(io, asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
    accept();
  }
  Url url() const {
    std::string error;
    return *Url::parse("http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()), error);
  }
  int accepted = 0;

 private:
  struct Peer {
    asio::ip::tcp::socket socket;
    std::string request, answer;
  };

  void accept() {
    acceptor_.async_accept([this](const boost::system::error_code& error, asio::ip::tcp::socket socket) {
      if (error) return;
      ++accepted;
      serve(std::make_shared<Peer>(Peer{std::move(socket), {}, {}}));
      accept();
    });
  }
  void serve(const std::shared_ptr<Peer>& peer) {
    peer->request.clear();
    asio::async_read_until(peer->socket, asio::dynamic_buffer(peer->request), "\r\n\r\n",
                           [this, peer](const boost::system::error_code& error, std::size_t) {
                             if (error || answers_.empty()) return;
                             peer->answer = std::move(answers_.front());
                             answers_.pop_front();
                             asio::async_write(
                                 peer->socket, asio::buffer(peer->answer),
                                 [this, peer](const boost::system::error_code& failed, std::size_t) {
                                   if (!failed) serve(peer);
                                 });
                           });
  }

  std::deque<std::string> answers_;
  asio::ip::tcp::acceptor acceptor_;
};

std::string ok(const std::string& body) {
  return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::vector<RestReply> two_replies(asio::io_context& io, const ByteServer& server) {
  std::vector<RestReply> replies;
  RestOptions options;
  options.http.url = server.url();
  options.limits = std::make_shared<AddressLimits>(RestLimit{}, 0.5);
  options.connections = 1;
  RestClient client(io, options, nullptr);
  for (const char* target : {"/1", "/2"})
    client.get({target, 1, 0, [&](RestReply reply) { replies.push_back(std::move(reply)); }});
  EXPECT_TRUE(testing::run_until(io, [&] { return replies.size() == 2; }));
  replies.resize(2);
  return replies;
}

TEST(HttpSession, WhatIsAnnouncedBeforeAnAnswerIsNoAnswer) {
  asio::io_context io;
  ByteServer server(io, {"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok("[1]"), ok("[2]")});
  const auto replies = two_replies(io, server);
  EXPECT_EQ(replies[0].body, "[1]") << replies[0].message;
  EXPECT_EQ(replies[1].body, "[2]") << replies[1].message;
  EXPECT_EQ(server.accepted, 1);
}

TEST(HttpSession, WhatComesBeyondAnAnswerIsNotTheNextOne) {
  asio::io_context io;
  ByteServer server(io, {ok("[1]") + ok("[another]"), ok("[2]")});
  const auto replies = two_replies(io, server);
  EXPECT_EQ(replies[0].body, "[1]") << replies[0].message;
  EXPECT_EQ(replies[1].body, "[2]") << replies[1].message;
  EXPECT_EQ(server.accepted, 2);
}

}  // namespace
}  // namespace atcd::feeds
