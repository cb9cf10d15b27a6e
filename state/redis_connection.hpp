#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "state/latency_histogram.hpp"
#include "state/redis_url.hpp"
#include "state/resp_reader.hpp"
#include "state/tls_source.hpp"

namespace boost::asio {
class thread_pool;
}

namespace atcd::state {

/// Told what becomes of a connection. Called from the thread that runs the io_context, never from inside a
/// call of start(), send() or committed(); from inside drop() it may be.
class ConnectionHandler {
 public:
  /// Connected, authenticated, the database selected: commands may be sent.
  virtual void on_ready() = 0;
  /// A ready connection is gone; every command in flight has been told before. It reconnects by itself.
  virtual void on_lost(std::string_view reason) = 0;
  /// An attempt to connect failed; the next follows after a pause.
  virtual void on_unreachable(std::string_view reason) = 0;
  /// Redis answered, but does not let us in (wrong password, missing right). Tried again all the same.
  virtual void on_refused(std::string_view error) = 0;
  /// A message that answers no command (pub/sub).
  virtual void on_push(const Reply&) {}

 protected:
  ~ConnectionHandler() = default;
};

/// Given the address to connect to, or null and why there is none.
using Located = std::function<void(const RedisAddress* address, const std::string& error)>;

/// How one Redis is reached, and how long it may take.
struct ConnectionOptions {
  RedisAddress address;
  /// Where set, asked for host and port before every attempt to connect; it calls back later, once.
  std::function<void(Located)> locate;
  TlsSource tls;  // for an address that asks for it
  /// Where names are looked up; outlives the connection. Null: by the io_context, which looks up one after
  /// the other, whoever asks, and each may take half a minute.
  boost::asio::thread_pool* names = nullptr;
  std::string client_name;                          // for CLIENT LIST
  std::chrono::milliseconds command_timeout{5000};  // from sending a command, or the reply to the one before
                                                    // it, to its reply; also of connecting
  std::chrono::milliseconds first_backoff{50};      // doubles with each failure, half of it is chance
  std::chrono::milliseconds longest_backoff{3000};
  std::size_t output_limit = std::size_t{64} << 20;  // bytes waiting to be written
  ReplyLimits reply_limits;
  LatencyHistogram* command_times =
      nullptr;  // counts every command that is answered; outlives the connection
};

/// One connection to one Redis, kept up for ever. Commands are pipelined: written at once when nothing is
/// being written, else gathered into the next write. Replies come in order. When no command is answered for
/// too long the connection is dropped. Text for events never holds the password. Used from
/// the io_context's thread only; after destruction no callback is called.
class RedisConnection {
 public:
  /// The reply, valid during the call; null when the connection was lost before it came.
  using Callback = std::function<void(const Reply*)>;

  RedisConnection(boost::asio::io_context& io, ConnectionOptions options, ConnectionHandler& handler);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  void start();
  const RedisAddress& address() const;
  bool ready() const;
  /// Ready, and the bytes waiting to be written are fewer than the limit.
  bool can_send() const;
  /// False (and the callback is never called) when !can_send().
  bool send(std::span<const std::string_view> arguments, Callback callback);
  bool send(std::initializer_list<std::string_view> arguments, Callback callback) {
    return send(std::span(arguments.begin(), arguments.size()), std::move(callback));
  }

  /// For commands that are formatted in place: append exactly one whole command to output() and call
  /// committed(), both only while can_send(), or right behind one that it belongs to.
  std::string& output();
  void committed(Callback callback);

  /// Commands not answered yet.
  std::size_t in_flight() const;
  /// Bytes accepted and not yet given to the kernel.
  std::size_t output_bytes() const;
  /// Drops the connection as if it had been lost; it reconnects after a pause.
  void drop(std::string_view reason);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

/// Appends the command in Redis' wire form.
void append_command(std::string& out, std::span<const std::string_view> arguments);

}  // namespace atcd::state
