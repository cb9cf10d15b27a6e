#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "state/redis_connection.hpp"

namespace atcd::state {

/// Asks Sentinels who the master is: one after the other until one knows, beginning with the one that
/// answered last, to which the connection is kept. They are asked without user or password. Used from the
/// io_context's thread only; after destruction nothing is called.
class Sentinels final : ConnectionHandler {
 public:
  /// The master's host and port, or none and why.
  using Found = std::function<void(const RedisAddress*, const std::string& error)>;

  /// `url` is of the kind sentinel; of `options` the TLS settings and the client's name are used.
  Sentinels(boost::asio::io_context& io, const RedisUrl& url, const ConnectionOptions& options);

  /// One question at a time: a new one takes the place of an unanswered one. `found` is called later, never
  /// from inside this call.
  void find_master(Found found);
  bool asking() const { return found_ != nullptr; }

 private:
  void on_ready() override;
  void on_lost(std::string_view reason) override { next(std::string(reason)); }
  void on_unreachable(std::string_view reason) override { next(std::string(reason)); }
  void on_refused(std::string_view error) override;

  void ask();
  void next(const std::string& error);
  void answer(const Reply& reply);
  void finish(const RedisAddress* master, const std::string& error);

  boost::asio::io_context& io_;
  std::vector<RedisAddress> addresses_;
  std::string master_;
  ConnectionOptions options_;
  std::unique_ptr<RedisConnection> connection_;
  std::size_t current_ = 0;
  std::size_t asked_ = 0;  // for this question
  std::string errors_;
  Found found_;
};

}  // namespace atcd::state
