#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "feeds/simulator/venue.hpp"

namespace atcd::feeds::simulator {

struct ListenAddress {
  std::string host = "127.0.0.1";  // a numeric address
  std::uint16_t port = 0;          // 0: any
};

/// Faults that come by themselves.
struct FaultSchedule {
  std::chrono::milliseconds mean{0};  // between two, drawn; 0: none come
  std::uint64_t seed = 1;
  std::function<void(std::string_view target)> told;  // of each, before it happens; may be empty
};

struct ServerOptions {
  VenueOptions venue;
  ListenAddress listen;
  std::optional<ListenAddress> tls_listen;  // with both files, PEM
  std::string certificate_file, key_file;
  std::chrono::milliseconds lifetime{86'400'000};  // of a websocket, as Binance's 24 h; 0: without end
  std::chrono::milliseconds ping_period{20'000};   // a client without a pong for three of them is cut
  std::size_t messages_per_second = 10;            // from a client; more is the end of it; 0: any
  std::size_t queued_bytes = 32U << 20;            // a client with more unread is cut
  std::size_t connections = 2000;                  // at once
  FaultSchedule faults;
};

/// A local exchange in real wire formats, for trials and tests: websocket and REST on one port, plain and
/// TLS, and faults on demand, from loopback only: POST /sim/NAME?... for each row of fault_kinds.cpp, and GET
/// /sim/status for the clock, connections, and what was sent. All on the thread of the io_context; the ports
/// may be read from any.
class Server {
 public:
  /// Listens at once. Throws std::exception where it can't, and what Venue throws.
  Server(boost::asio::io_context& io, const ServerOptions& options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start();
  /// Ends every connection; the io_context runs out of work when they have gone.
  void stop();
  std::uint16_t port() const;
  std::uint16_t tls_port() const;  // 0 without TLS

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace atcd::feeds::simulator
