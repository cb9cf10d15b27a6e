#pragma once

// A simulator in a thread of its own, and clients that talk to it as any program would. Every wait has a
// deadline.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/websocket/error.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "feeds/simulator/server.hpp"
#include "tests/deadline.hpp"

namespace atcd::feeds::simulator::testing {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using ErrorCode = boost::system::error_code;

/// Polls until the condition holds; false at the deadline.
template <class Condition>
bool eventually(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + tests::deadline();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class RunningServer {
 public:
  explicit RunningServer(const ServerOptions& options) : server_(io_, options) {
    server_.start();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~RunningServer() {
    io_.stop();
    thread_.join();
  }
  std::uint16_t port() const { return server_.port(); }
  std::uint16_t tls_port() const { return server_.tls_port(); }

 private:
  asio::io_context io_{1};
  Server server_;
  std::thread thread_;
};

/// One HTTP connection, over TLS where a context is given.
class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port, asio::ssl::context* tls = nullptr);
  ~HttpClient();

  http::response<http::string_body> ask(http::verb verb, const std::string& target);
  /// Sends bytes as they are and reads until the server ends the connection.
  std::string raw(std::string_view bytes);

  ErrorCode error;  // of the last step

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// GET or POST on a connection of its own.
http::response<http::string_body> get(std::uint16_t port, const std::string& target);
http::response<http::string_body> post(std::uint16_t port, const std::string& target);

/// A number in /sim/status: "websockets", or "closing_frames/BTCUSDT".
std::int64_t status(std::uint16_t port, const std::string& name);

/// One websocket, over TLS where a context is given.
class WebsocketClient {
 public:
  WebsocketClient(std::uint16_t port, const std::string& target, asio::ssl::context* tls = nullptr);
  ~WebsocketClient();

  /// False when the connection has ended; `error` says how.
  bool send(const std::string& text);
  /// Empty when the connection has ended.
  std::string read();
  /// The next text that is no frame of a running bar.
  std::string read_but_forming();
  /// Subscribes and returns the answer, passing over frames.
  std::string subscribe(const std::vector<std::string>& streams, const std::string& method = "SUBSCRIBE");
  websocket::close_reason reason() const;

  ErrorCode error;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atcd::feeds::simulator::testing
