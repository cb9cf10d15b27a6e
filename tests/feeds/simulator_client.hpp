#pragma once

// A simulator in a thread of its own, and clients that talk to it as any program would. Every wait has a
// deadline.

#include <simdjson.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "feeds/simulator/server.hpp"

namespace atcd::feeds::simulator::testing {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using ErrorCode = boost::system::error_code;

inline constexpr std::chrono::seconds kDeadline{60};

/// Polls until the condition holds; false at the deadline.
template <class Condition>
bool eventually(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
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

/// Runs one asynchronous operation to its end; `start` is given what to call then.
inline ErrorCode wait_for(asio::io_context& io,
                          const std::function<void(std::function<void(ErrorCode)>)>& start) {
  std::optional<ErrorCode> result;
  start([&](ErrorCode error) { result = error; });
  io.restart();
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (!result && std::chrono::steady_clock::now() < end) io.run_one_for(kDeadline);
  if (!result) throw std::runtime_error("nothing came before the deadline");
  return *result;
}

template <class Stream>
struct Handshake {
  static Stream connect(asio::io_context& io, std::uint16_t port, asio::ssl::context*, ErrorCode& error) {
    Stream stream(io);
    const asio::ip::tcp::endpoint endpoint(asio::ip::make_address("127.0.0.1"), port);
    error = wait_for(io, [&](auto done) { stream.async_connect(endpoint, done); });
    return stream;
  }
};

template <>
struct Handshake<beast::ssl_stream<beast::tcp_stream>> {
  using Stream = beast::ssl_stream<beast::tcp_stream>;
  static Stream connect(asio::io_context& io, std::uint16_t port, asio::ssl::context* tls, ErrorCode& error) {
    Stream stream(Handshake<beast::tcp_stream>::connect(io, port, nullptr, error), *tls);
    stream.set_verify_callback(asio::ssl::host_name_verification("127.0.0.1"));
    if (!error)
      error = wait_for(io, [&](auto done) { stream.async_handshake(asio::ssl::stream_base::client, done); });
    return stream;
  }
};

/// One HTTP connection.
template <class Stream = beast::tcp_stream>
class HttpClient {
 public:
  explicit HttpClient(std::uint16_t port, asio::ssl::context* tls = nullptr)
      : stream_(Handshake<Stream>::connect(io_, port, tls, error)) {}

  http::response<http::string_body> ask(http::verb verb, const std::string& target) {
    http::request<http::string_body> request(verb, target, 11);
    request.set(http::field::host, "127.0.0.1");
    request.prepare_payload();
    http::response<http::string_body> response;
    error = wait_for(io_, [&](auto done) {
      http::async_write(stream_, request, [done](ErrorCode each, std::size_t) { done(each); });
    });
    if (error) return response;
    error = wait_for(io_, [&](auto done) {
      http::async_read(stream_, buffer_, response, [done](ErrorCode each, std::size_t) { done(each); });
    });
    return response;
  }
  /// Sends bytes as they are and reads until the server ends the connection.
  std::string raw(std::string_view bytes) {
    error = wait_for(io_, [&](auto done) {
      asio::async_write(stream_, asio::buffer(bytes), [done](ErrorCode each, std::size_t) { done(each); });
    });
    std::string answer;
    while (!error) {
      std::array<char, 4096> part{};
      std::size_t size = 0;
      error = wait_for(io_, [&](auto done) {
        stream_.async_read_some(asio::buffer(part), [done, &size](ErrorCode each, std::size_t read) {
          size = read;
          done(each);
        });
      });
      answer.append(part.data(), size);
    }
    return answer;
  }

 private:
  asio::io_context io_{1};

 public:
  ErrorCode error;  // of the last step

 private:
  Stream stream_;
  beast::flat_buffer buffer_;
};

/// GET or POST on a connection of its own.
http::response<http::string_body> get(std::uint16_t port, const std::string& target);
http::response<http::string_body> post(std::uint16_t port, const std::string& target);

/// A number in /sim/status: "websockets", or "closing_frames/BTCUSDT".
inline std::int64_t status(std::uint16_t port, const std::string& name) {
  const simdjson::padded_string body(get(port, "/sim/status").body());
  simdjson::dom::parser parser;
  std::int64_t value = -1;
  const auto error = parser.parse(body).at_pointer("/" + name).get(value);
  return error == simdjson::SUCCESS ? value : -1;
}

/// One websocket.
template <class Stream = beast::tcp_stream>
class WebsocketClient {
 public:
  WebsocketClient(std::uint16_t port, const std::string& target, asio::ssl::context* tls = nullptr)
      : socket_(Handshake<Stream>::connect(io_, port, tls, error)) {
    socket_.read_message_max(1U << 20);
    if (!error) error = wait_for(io_, [&](auto done) { socket_.async_handshake("127.0.0.1", target, done); });
  }

  /// False when the connection has ended; `error` says how.
  bool send(const std::string& text) {
    error = wait_for(io_, [&](auto done) {
      socket_.async_write(asio::buffer(text), [done](ErrorCode each, std::size_t) { done(each); });
    });
    return !error;
  }
  /// Empty when the connection has ended.
  std::string read() {
    buffer_.clear();
    error = wait_for(io_, [&](auto done) {
      socket_.async_read(buffer_, [done](ErrorCode each, std::size_t) { done(each); });
    });
    return error ? "" : beast::buffers_to_string(buffer_.data());
  }
  /// The next text that is no frame of a running bar.
  std::string read_but_forming() {
    std::string text = read();
    while (text.find("\"x\":false") != std::string::npos) text = read();
    return text;
  }
  /// Subscribes and returns the answer, passing over frames.
  std::string subscribe(const std::vector<std::string>& streams, const std::string& method = "SUBSCRIBE") {
    std::string text = "{\"method\":\"" + method + "\",\"params\":[";
    for (const std::string& stream : streams) text += (text.back() == '[' ? "\"" : ",\"") + stream + "\"";
    if (!send(text + "],\"id\":7}")) return "";
    std::string answer = read();
    while (!error && answer.find("\"id\":7") == std::string::npos) answer = read();
    return answer;
  }
  websocket::close_reason reason() const { return socket_.reason(); }

 private:
  asio::io_context io_{1};

 public:
  ErrorCode error;

 private:
  websocket::stream<Stream> socket_;
  beast::flat_buffer buffer_;
};

// Compiled once, in simulator_client.cpp: Beast is slow to compile.
using TlsClientStream = beast::ssl_stream<beast::tcp_stream>;
extern template class HttpClient<beast::tcp_stream>;
extern template class HttpClient<TlsClientStream>;
extern template class WebsocketClient<beast::tcp_stream>;
extern template class WebsocketClient<TlsClientStream>;

}  // namespace atcd::feeds::simulator::testing
