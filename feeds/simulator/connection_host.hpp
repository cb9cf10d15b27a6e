#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "feeds/simulator/subscriptions.hpp"
#include "feeds/simulator/wire.hpp"
#include "feeds/stream.hpp"

// Between the server and its connections; only they include this.

namespace atcd::feeds::simulator {

using HttpRequest = boost::beast::http::request<boost::beast::http::string_body>;
using HttpResponse = boost::beast::http::response<boost::beast::http::string_body>;

enum class Cut : std::uint8_t {
  close,  // with the protocol's goodbye
  reset,  // the socket alone, as a dead machine would
};

/// How a websocket falls silent.
enum class Hush : std::uint8_t {
  none,
  stall,   // what is to be sent waits, and comes afterwards
  frames,  // frames are lost; requests and pings are answered
  all,     // as a dead machine: nothing is sent or read, and at last it is reset
};

/// How a client that wants a websocket is received.
struct Welcome {
  enum class Kind : std::uint8_t { open, status, reset, hang } kind = Kind::open;
  int status = 0;
  std::chrono::milliseconds left{0};  // until clients are received again
};

/// What is answered to a request, and how that goes.
struct Answer {
  HttpResponse response;
  std::chrono::milliseconds after{0};  // it is held back for so long
  bool cut = false;                    // the connection ends in the middle of it
};

/// A connection of any kind, while it lives.
class Connection {
 public:
  virtual void cut(Cut how) = 0;

 protected:
  ~Connection() = default;
};

/// A connection that has become a websocket.
class WebsocketClient : public Connection, public Subscriber {
 public:
  /// Sends the text and then closes.
  virtual void close_after(std::string_view text) = 0;
  virtual void hush(Hush how, std::chrono::milliseconds time) = 0;

 protected:
  ~WebsocketClient() = default;
};

struct ConnectionLimits {
  std::size_t queued_bytes = 32U << 20;             // of frames that a client has not read yet
  std::chrono::milliseconds lifetime{86'400'000};   // of a websocket; 0: without end
  std::chrono::milliseconds ping_period{20'000};    // from ping to ping
  std::chrono::milliseconds pong_deadline{60'000};  // without a pong for so long: cut
  std::size_t messages_per_second = 10;             // from a client, pings included; 0: any
};

/// What the connections ask of their server, all on its thread.
class ConnectionHost {
 public:
  virtual ~ConnectionHost() = default;
  virtual const ConnectionLimits& limits() const = 0;
  virtual void began(Connection& connection) = 0;
  virtual void ended(Connection& connection) = 0;
  virtual Answer answer(const HttpRequest& request, bool from_loopback) = 0;
  virtual Welcome welcome() const = 0;
  virtual std::optional<WireOpening> open(std::string_view target) = 0;
  virtual void joined(WebsocketClient& client, const WireOpening& opening) = 0;
  virtual void left(WebsocketClient& client) = 0;
  virtual void on_message(WebsocketClient& client, std::string_view text) = 0;
  virtual void count_slow_client() = 0;
};

/// Serves requests on an accepted connection until it ends or becomes a websocket.
void serve_http(std::shared_ptr<ConnectionHost> host, Stream stream);

/// Goes on with a connection whose client asked for a websocket.
void serve_websocket(std::shared_ptr<ConnectionHost> host, Stream stream, HttpRequest request,
                     WireOpening opening);

}  // namespace atcd::feeds::simulator
