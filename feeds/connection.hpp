#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "feeds/first_address.hpp"
#include "feeds/tls.hpp"
#include "feeds/url.hpp"

namespace atcd::feeds {

/// Where one websocket leads, and how long each of its phases may take.
struct ConnectionOptions {
  Url url;
  /// Of url.host; copies of these options share it.
  std::shared_ptr<FirstAddress> first_address = std::make_shared<FirstAddress>();
  std::string path = "/";                            // behind url.path
  std::shared_ptr<boost::asio::ssl::context> tls;    // needed for wss only
  std::size_t largest_message = 1U << 20;            // bytes; a larger one ends the connection
  std::chrono::milliseconds setup_timeout{15'000};   // from resolving to the websocket's handshake, in all
  std::chrono::milliseconds idle_timeout{30'000};    // without any frame, pongs included
  std::chrono::milliseconds closing_timeout{2'000};  // for the exchange's answer to our close
  std::string ping_text;  // sent when nothing came for a third of idle_timeout; empty: websocket pings
};

/// How a connection ended, or why it never began.
struct ConnectionEnd {
  std::string reason;                   // a sentence
  bool refused_location = false;        // HTTP 403 or 451
  bool message_refused = false;         // one was dropped unread: too large, or not UTF-8
  std::chrono::seconds retry_after{0};  // what the exchange asked for; 0: nothing
};

/// Told what one connection does, from its io_context. It may destroy the connection in any of these.
class ConnectionHandler {
 public:
  virtual void on_open() = 0;
  /// One whole message, followed by readable padding as FrameParser wants it; valid during the call.
  /// `received_us`: UTC when its last byte had been read.
  virtual void on_message(std::string_view message, std::int64_t received_us) = 0;
  /// The last call; also when the connection never opened.
  virtual void on_end(const ConnectionEnd& end) = 0;

 protected:
  ~ConnectionHandler() = default;
};

/// One websocket's life: resolves, connects, verifies the host over TLS (or plain, for ws://), reads until it
/// ends. One io_context, its thread only. Begins with its construction; destroying it closes the websocket in
/// the background, within closing_timeout, and no callback comes after that.
class Connection {
 public:
  Connection(boost::asio::io_context& io, ConnectionOptions options, ConnectionHandler& handler);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Queues a text message. Before on_open and after on_end it is dropped.
  void send(std::string text);

  /// When something last came: a message, a ping, an answer to one; before the first of them, when it opened
  /// or began.
  std::chrono::steady_clock::time_point heard_at() const;

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace atcd::feeds
