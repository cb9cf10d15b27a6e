#include "daemon/http_server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <stdexcept>

#include "daemon/http_listen.hpp"
#include "tests/deadline.hpp"

namespace atcd::daemon {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using tcp = asio::ip::tcp;

/// The server and its clients on one io_context, the test's.
class HttpServerTest : public testing::Test {
 protected:
  void begin(HttpLimits limits = {}) {
    server_.emplace(io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0), limits);
    server_->serve({{"/hello",
                     [] {
                       return HttpAnswer{200, "text/plain", "hello\n"};
                     }},
                    {"/long",
                     [this] {
                       return HttpAnswer{200, "text/plain", std::string(long_, 'x')};
                     }},
                    {"/broken", []() -> HttpAnswer { throw std::runtime_error("out of order"); }}});
    const std::string address = server_->address();
    endpoint_ = {asio::ip::address_v4::loopback(),
                 static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))};
  }

  template <class Condition>
  bool run_until(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + tests::deadline();
    while (!condition() && std::chrono::steady_clock::now() < end) {
      if (io_.stopped()) io_.restart();
      io_.run_one_for(std::chrono::milliseconds(20));
    }
    return condition();
  }

  struct Client {
    explicit Client(asio::io_context& io) : socket(io) {}
    tcp::socket socket;
    std::string received;
    bool ended = false;
    std::array<char, 4096> buffer;

    void read() {
      socket.async_read_some(asio::buffer(buffer), [this](const error_code& error, std::size_t bytes) {
        received.append(buffer.data(), bytes);
        if (error) {
          ended = true;
        } else {
          read();
        }
      });
    }
  };

  std::unique_ptr<Client> connect(const std::string& text, bool reads = true) {
    auto client = std::make_unique<Client>(io_);
    client->socket.connect(endpoint_);
    error_code ignored;
    asio::write(client->socket, asio::buffer(text), ignored);
    if (reads) client->read();
    return client;
  }

  /// All that is answered until the server closes.
  std::string answer(const std::string& text) {
    const auto client = connect(text);
    EXPECT_TRUE(run_until([&] { return client->ended; })) << "never closed after: " << text.substr(0, 100);
    return client->received;
  }

  std::string closing(const std::string& line) {
    return answer(line + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  }

  asio::io_context io_;
  std::optional<HttpServer> server_;
  tcp::endpoint endpoint_;
  std::size_t long_ = 100;
};

TEST_F(HttpServerTest, PagesAreServedToGetAndTheirHeadToHead) {
  begin();
  const std::string page = closing("GET /hello");
  EXPECT_THAT(page, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(page, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(page, HasSubstr("Content-Length: 6\r\n"));
  EXPECT_TRUE(page.ends_with("\r\n\r\nhello\n")) << page;
  EXPECT_THAT(closing("GET /hello?x=1"), HasSubstr("hello\n"));
  const std::string head = closing("HEAD /hello");
  EXPECT_THAT(head, HasSubstr("Content-Length: 6\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n")) << head;
  EXPECT_THAT(closing("GET /broken"), HasSubstr("500 "));
  EXPECT_THAT(answer("GET /hello HTTP/1.0\r\n\r\n"), HasSubstr("hello\n"));
}

TEST_F(HttpServerTest, WhatIsNotThereIsNotFoundAndNothingCanBeChanged) {
  begin();
  const std::string missing = closing("GET /nothing");
  EXPECT_THAT(missing, StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(missing, HasSubstr("/hello"));
  EXPECT_THAT(closing("POST /nothing"), HasSubstr("404 "));
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"}) {
    const std::string refused = closing(std::string(method) + " /hello");
    EXPECT_THAT(refused, StartsWith("HTTP/1.1 405 Method Not Allowed\r\n")) << method;
    EXPECT_THAT(refused, HasSubstr("Allow: GET, HEAD\r\n"));
  }
}

TEST_F(HttpServerTest, OneConnectionServesManyRequestsAlsoSentAtOnce) {
  begin();
  const std::string get = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto client = connect(get + get);
  const auto count = [&] {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = client->received.find("hello\n", at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_TRUE(run_until([&] { return count() == 2; }));
  asio::write(client->socket, asio::buffer(get));
  EXPECT_TRUE(run_until([&] { return count() == 3; }));
  EXPECT_FALSE(client->ended);
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(HttpServerTest, WhatIsNotHttpOrTooLargeIsRefusedWithTheReason) {
  begin();
  EXPECT_THAT(answer("\x16\x03\x01 a TLS client\r\n\r\n"), StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(answer("GET /hello HTTP/9.9\r\n\r\n"), HasSubstr("400 "));
  EXPECT_THAT(answer("GET /hello HTTP/1.1\r\nno colon here\r\n\r\n"), HasSubstr("400 "));
  EXPECT_THAT(answer("GET /hello HTTP/1.1\r\nContent-Length: -1\r\n\r\n"), HasSubstr("400 "));
  EXPECT_THAT(answer("GET /hello HTTP/1.1\r\nX: " + std::string(20'000, 'a') + "\r\n\r\n"),
              StartsWith("HTTP/1.1 431 "));
  EXPECT_THAT(answer("GET /" + std::string(9'000, 'a') + " HTTP/1.1\r\n\r\n"), HasSubstr("431 "));
  EXPECT_THAT(answer("GET " + std::string(1'000'000, 'a')), HasSubstr("431 "));
  EXPECT_THAT(answer("POST /hello HTTP/1.1\r\nContent-Length: 1000000\r\n\r\nabc"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(answer("GET /hello HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
              HasSubstr("413 "));
  EXPECT_TRUE(run_until([&] { return server_->connections() == 0; }));
  EXPECT_THAT(closing("GET /hello"), HasSubstr("hello\n")) << "goes on";
}

TEST_F(HttpServerTest, SilentSlowAndUnreadingClientsAreDropped) {
  begin({8192, 32, std::chrono::milliseconds(100), std::chrono::milliseconds(100)});
  const auto silent = connect("");
  const auto slow = connect("GET /hello HTTP/1.1\r\nX: ");
  EXPECT_TRUE(run_until([&] { return silent->ended && slow->ended; }));
  EXPECT_EQ(slow->received, "");
  long_ = 50'000'000;  // more than the sockets hold
  const auto unreading = connect("GET /long HTTP/1.1\r\n\r\n", false);
  EXPECT_TRUE(run_until([&] { return server_->connections() == 1; }));
  EXPECT_TRUE(run_until([&] { return server_->connections() == 0; }));
}

TEST_F(HttpServerTest, OfTooManyConnectionsTheOneThatIsSilentLongestMakesRoom) {
  begin({8192, 4, std::chrono::seconds(60), std::chrono::seconds(60)});
  const std::string get = "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n";
  const auto scraper = connect(get);
  EXPECT_TRUE(run_until([&] { return !scraper->received.empty(); }));
  std::vector<std::unique_ptr<Client>> others;
  for (std::size_t i = 0; i < 20; ++i) {
    others.push_back(connect(""));
    EXPECT_TRUE(run_until([&] { return server_->connections() == std::min<std::size_t>(2 + i, 4); }));
    scraper->received.clear();
    asio::write(scraper->socket, asio::buffer(get));  // asks again and again
    EXPECT_TRUE(run_until([&] { return scraper->received.ends_with("hello\n") || scraper->ended; }));
  }
  EXPECT_FALSE(scraper->ended);
  EXPECT_LE(server_->connections(), 4U);
  EXPECT_TRUE(run_until([&] { return others.front()->ended; }));
  EXPECT_FALSE(others.back()->ended);
}

TEST_F(HttpServerTest, APortThatIsTakenIsToldInASentence) {
  begin();
  try {
    HttpServer second(io_, endpoint_);
    FAIL() << "two listen on one port";
  } catch (const std::runtime_error& error) {
    EXPECT_THAT(error.what(), HasSubstr(server_->address()));
    EXPECT_THAT(error.what(), HasSubstr("Address already in use"));
    EXPECT_THAT(error.what(), HasSubstr("listen = \"off\""));
  }
}

TEST_F(HttpServerTest, AnAddressThatNoInterfaceHasYetIsNoReasonNotToBegin) {
  begin();
  EXPECT_FALSE(server_->early());
  for (const char* address : {"192.0.2.7", "2001:db8::7"}) {
    const HttpServer early(io_, {asio::ip::make_address(address), 0});
    EXPECT_TRUE(early.early()) << address;
    EXPECT_THAT(early.address(), HasSubstr(address));
  }
}

TEST_F(HttpServerTest, ItsEndDropsItsConnections) {
  begin();
  const auto client = connect("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(run_until([&] { return !client->received.empty(); }));
  server_.reset();
  EXPECT_TRUE(run_until([&] { return client->ended; }));
}

TEST(HttpListen, IsOffOrAnAddressAndAPort) {
  EXPECT_FALSE(parse_http_listen("off")->endpoint);
  EXPECT_EQ(parse_http_listen("127.0.0.1:9464")->endpoint->port(), 9464);
  EXPECT_TRUE(parse_http_listen("[::1]:0")->endpoint->address().is_loopback());
  for (const char* wrong :
       {"", "9464", ":9464", "localhost:9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1",
        "127.0.0.1:94x", "::1:9464", "[127.0.0.1]:9464", "[::1]", "Off"}) {
    EXPECT_FALSE(parse_http_listen(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace atcd::daemon
