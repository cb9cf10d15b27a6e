#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace atcd::daemon {

struct ControlLimits {
  std::size_t line_bytes = 131'072;  // of a request
  std::size_t connections = 16;
  std::chrono::milliseconds idle{60'000};  // without a request, or while an answer is not taken
};

/// Listens at a unix socket, reads requests line by line and writes the answers: one request of a connection
/// at a time. Only processes of our own user and root are heard. Used from the one thread that runs the
/// io_context.
class ControlServer {
 public:
  /// One line without its end. To be called once, at any time, from the same thread; after the connection is
  /// gone it does nothing.
  using Answer = std::function<void(std::string json)>;
  using Handler = std::function<void(std::string_view line, Answer answer)>;

  ControlServer(boost::asio::io_context& io, Handler handler, const ControlLimits& limits = {});
  ~ControlServer();

  /// Listens at DIRECTORY/INSTANCE.sock. What a process that is gone has left there is replaced; that of a
  /// living one is not touched. A sentence where it can't be had; empty when all is well.
  std::string listen(const std::string& directory, const std::string& instance);
  /// Empty while it does not listen.
  const std::string& path() const;
  /// Hears nobody any more and calls `done` when the answers that were given are written, or a second later.
  void stop(std::function<void()> done);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace atcd::daemon
