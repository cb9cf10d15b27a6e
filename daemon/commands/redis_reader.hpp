#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "daemon/redis_login.hpp"
#include "state/redis_nodes.hpp"

namespace atcd::daemon {

/// Questions to the configured Redis, one at a time, each waited for: for commands, not for the daemon.
class RedisReader final : state::NodesHandler {
 public:
  explicit RedisReader(const RedisLogin& login);

  /// Sends a command to the server of the key and gives its reply to `take`. False, with error(), when it
  /// can't be reached, does not answer, or answers with an error.
  bool ask(std::string_view key, std::initializer_list<std::string_view> words,
           const std::function<void(const state::Reply&)>& take);
  const std::string& error() const { return error_; }
  /// Lets time pass.
  void wait(std::chrono::milliseconds time);

 private:
  void on_node_ready(state::RedisNode&) override {}
  void on_node_lost(state::RedisNode&, std::string_view reason) override { error_ = reason; }
  void on_node_unreachable(state::RedisNode&, std::string_view reason) override { error_ = reason; }
  void on_node_refused(state::RedisNode&, std::string_view error) override { error_ = error; }

  boost::asio::io_context io_{1};
  state::RedisNodes nodes_;
  std::string error_;
};

}  // namespace atcd::daemon
