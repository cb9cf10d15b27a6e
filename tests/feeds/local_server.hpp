#pragma once

// A local exchange of a few lines for tests: one port that speaks HTTP and websocket, plain or over TLS, on
// the test's own io_context. What it answers is the test's.

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/certificates.hpp"
#include "tests/deadline.hpp"

namespace atcd::feeds::testing {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using tests::Certificates;

/// Runs the io_context until the condition holds; false at the deadline.
template <class Condition>
bool run_until(asio::io_context& io, Condition&& condition,
               std::chrono::seconds deadline = tests::deadline()) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    if (io.stopped()) io.restart();
    io.run_one_for(std::chrono::milliseconds(20));
  }
  return true;
}

/// One accepted connection.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual void send(std::string text) = 0;
  /// Drops the socket without a websocket close.
  virtual void cut() = 0;
  virtual void close(std::uint16_t code, const std::string& reason) = 0;
  virtual bool open() const = 0;
  std::vector<std::string> received;
  std::string target;
};

class LocalServer {
 public:
  using Request = http::request<http::string_body>;
  using Response = http::response<http::string_body>;

  /// `certificate`: the name of a leaf of Certificates, or empty for a plain server.
  explicit LocalServer(asio::io_context& io, const std::string& certificate = {},
                       const tcp::endpoint& endpoint = {asio::ip::address_v4::loopback(), 0})
      : io_(io), acceptor_(io, endpoint) {
    if (!certificate.empty()) {
      tls_.emplace(asio::ssl::context::tls_server);
      tls_->use_certificate_chain_file(Certificates::get().file(certificate + ".pem"));
      tls_->use_private_key_file(Certificates::get().file("leaf.key"), asio::ssl::context::pem);
    }
    accept();
  }
  ~LocalServer() { cut_all(); }

  /// Drops every connection, HTTP ones included.
  void cut_all() {
    for (const auto& each : accepted_peers_) {
      if (const auto peer = each.lock()) peer->cut();
    }
  }

  std::string websocket_url() const { return std::string(tls_ ? "wss" : "ws") + host(); }
  std::string rest_url() const { return std::string(tls_ ? "https" : "http") + host(); }

  /// What the test answers; called on the io_context.
  std::function<void(Peer&)> on_open = [](Peer&) {};
  std::function<void(Peer&, const std::string&)> on_text = [](Peer&, const std::string&) {};
  /// Nothing: the request is never answered.
  std::function<std::optional<Response>(const Request&)> on_request = [](const Request&) {
    return Response(http::status::not_found, 11);
  };
  /// The answer to a handshake other than the websocket's own.
  std::optional<Response> decline;
  bool answer_handshakes = true;

  std::vector<std::shared_ptr<Peer>> peers;  // websockets, in their order, ended ones included
  std::size_t accepted = 0;                  // TCP connections

 private:
  class Session;

  std::string host() const {
    return std::string(tls_ ? "://localhost:" : "://127.0.0.1:") +
           std::to_string(acceptor_.local_endpoint().port());
  }

  void accept() {
    acceptor_.async_accept([this](const error_code& error, tcp::socket socket) {
      if (error) return;
      ++accepted;
      begin(std::move(socket));
      accept();
    });
  }
  void begin(tcp::socket socket);

  asio::io_context& io_;
  tcp::acceptor acceptor_;
  std::optional<asio::ssl::context> tls_;
  std::vector<std::weak_ptr<Peer>> accepted_peers_;
};

}  // namespace atcd::feeds::testing
