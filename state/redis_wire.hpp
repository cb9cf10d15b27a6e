#pragma once

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/redis_url.hpp"

namespace atcd::state {

/// Told what becomes of a wire; never from inside one of its functions.
class WireHandler {
 public:
  virtual void on_wire_open() = 0;
  virtual void on_wire_input(std::string_view bytes) = 0;
  virtual void on_wire_written() = 0;
  /// It could not be opened, or it ended: a sentence. Nothing follows.
  virtual void on_wire_end(const std::string& reason) = 0;

 protected:
  ~WireHandler() = default;
};

/// The bytes to and from one Redis: a TCP or unix socket, with TLS where the address asks for it (the
/// server's certificate is verified for its host name or address). Lives for one attempt: it is opened once,
/// and closed it is silent. Always in a shared_ptr, since what is asked of the kernel ends after close().
/// Used from the io_context's thread only.
class RedisWire : public std::enable_shared_from_this<RedisWire> {
 public:
  /// `tls` may be null where the address does not ask for TLS. `names`: as ConnectionOptions'; open until
  /// close().
  RedisWire(boost::asio::io_context& io, RedisAddress address, std::shared_ptr<boost::asio::ssl::context> tls,
            boost::asio::thread_pool* names, WireHandler& handler);

  /// Of the addresses that the host's name has this one is tried first, counted from 0 and round.
  void open(std::size_t first);
  /// Nothing is told any more.
  void close();
  /// Takes the text and leaves it empty. Only when no write is under way.
  void write(std::string& text);
  /// Bytes that are being written; 0 when none are.
  std::size_t writing() const { return output_.size(); }
  /// Connected, but not yet agreed on TLS.
  bool in_handshake() const { return handshaking_; }
  /// Bytes that have arrived and were not told yet.
  bool has_input() const;

 private:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;

  void connect_to(std::size_t index);
  void connected();
  void handshake();
  void opened();
  void read();
  void end(const std::string& reason);
  template <typename Function>
  auto while_open(Function function);

  RedisAddress address_;
  std::shared_ptr<boost::asio::ssl::context> context_;
  WireHandler* handler_;  // null: closed
  Socket socket_;
  std::optional<boost::asio::ssl::stream<Socket&>> tls_;
  boost::asio::thread_pool* names_;
  std::optional<boost::asio::ip::tcp::resolver> resolver_;  // until close()
  std::vector<Endpoint> endpoints_;
  bool numeric_ = false;  // the host is an address, not a name
  bool handshaking_ = false;
  std::string output_;
  std::array<char, 65536> input_{};
};

}  // namespace atcd::state
