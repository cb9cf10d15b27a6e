#include "daemon/commands/redis_reader.hpp"

#include "daemon/commands/redis_target.hpp"

namespace atcd::daemon {
namespace {

constexpr std::chrono::seconds kPatience{10};  // until a server is connected; then its own deadline holds

}  // namespace

RedisReader::RedisReader(const RedisLogin& login)
    : nodes_(io_, login.url, connection_options(login, "atcd-verify"), *this) {
  nodes_.start();
}

bool RedisReader::ask(std::string_view key, std::initializer_list<std::string_view> words,
                      const std::function<void(const state::Reply&)>& take) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  error_.clear();
  while (nodes_.serving(key) == nullptr) {
    if (!error_.empty()) return false;
    io_.restart();
    if (io_.run_one_until(deadline) == 0) {
      error_ = "no server was reached";
      return false;
    }
  }
  bool answered = false;
  const bool sent = nodes_.serving(key)->send(words, [&](const state::Reply* reply) {
    answered = true;
    if (reply == nullptr) {
      error_ = "the connection was lost";
    } else if (reply->is_error()) {
      error_ = reply->text;
    } else {
      take(*reply);
    }
  });
  while (sent && !answered) {
    io_.restart();
    io_.run_one();
  }
  return error_.empty();
}

void RedisReader::wait(std::chrono::milliseconds time) {
  io_.restart();
  io_.run_for(time);
}

}  // namespace atcd::daemon
