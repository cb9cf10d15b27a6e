#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace atcd::feeds::simulator {

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any
  int tls_port = -1;       // below 0: no TLS; 0: any
  std::string certificate_file, key_file;
  std::uint64_t seed = 1;
  std::size_t symbols = 20;
  std::int64_t start_ms = 0;  // 0: now
  double speed = 1;
  std::chrono::milliseconds update{250};  // of forming bars, real time
  std::chrono::milliseconds lifetime{0};  // of a connection; 0: without end
  std::int64_t weight_limit = 6000;       // REST, per real minute
  std::vector<std::string> frame_files;   // play these back instead of the market
  double playback_speed = 1;              // 0: as fast as it goes
};

/// A local exchange in Binance's wire formats: websocket and REST on one port, plain and TLS, and POST
/// /sim/... to make it misbehave. For trials and tests; listens on loopback unless told otherwise. One
/// thread, that of the io_context.
class Server {
 public:
  /// Throws where it can't listen or read its files.
  Server(boost::asio::io_context& io, const ServerOptions& options);
  ~Server();

  void start();
  void stop();
  std::uint16_t port() const;
  std::uint16_t tls_port() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace atcd::feeds::simulator
