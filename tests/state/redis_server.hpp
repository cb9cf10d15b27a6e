#pragma once

#include <hiredis/hiredis.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdarg>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/deadline.hpp"

extern char** environ;

namespace atcd::state {

using Fields = std::map<std::string, std::string>;
struct Entry {
  std::string id;
  Fields fields;
};

/// A blocking client for looking at Redis from a test; an error reply is an exception.
class RedisClient {
 public:
  using ReplyPointer = std::unique_ptr<redisReply, void (*)(void*)>;

  explicit RedisClient(const std::string& path) : context_(redisConnectUnix(path.c_str()), redisFree) {
    if (!context_ || context_->err != 0) throw std::runtime_error("no connection to " + path);
    // A server that is cut off or stands still is an exception too, no signal and no wait without end.
    signal(SIGPIPE, SIG_IGN);
    redisSetTimeout(context_.get(), {30, 0});
  }

  ReplyPointer raw(const std::vector<std::string>& arguments) {
    std::vector<const char*> texts;
    std::vector<std::size_t> lengths;
    for (const auto& argument : arguments) {
      texts.push_back(argument.data());
      lengths.push_back(argument.size());
    }
    void* reply =
        redisCommandArgv(context_.get(), static_cast<int>(texts.size()), texts.data(), lengths.data());
    if (reply == nullptr) throw std::runtime_error(std::string("redis: ") + context_->errstr);
    return {static_cast<redisReply*>(reply), freeReplyObject};
  }

  ReplyPointer command(const std::vector<std::string>& arguments) {
    auto reply = raw(arguments);
    if (reply->type == REDIS_REPLY_ERROR) throw std::runtime_error(reply->str);
    return reply;
  }

  /// Flat: of arrays the texts of the elements.
  std::vector<std::string> texts(const std::vector<std::string>& arguments) {
    const auto reply = command(arguments);
    std::vector<std::string> found;
    for (std::size_t i = 0; i < reply->elements; ++i) {
      const redisReply& element = *reply->element[i];
      found.emplace_back(element.str == nullptr ? "" : std::string(element.str, element.len));
    }
    return found;
  }

  std::string text(const std::vector<std::string>& arguments) {
    const auto reply = command(arguments);
    if (reply->type == REDIS_REPLY_INTEGER) return std::to_string(reply->integer);
    return reply->str == nullptr ? "" : std::string(reply->str, reply->len);
  }

  std::vector<Entry> stream(const std::string& key) {
    const auto reply = command({"XRANGE", key, "-", "+"});
    std::vector<Entry> entries;
    for (std::size_t i = 0; i < reply->elements; ++i) {
      const redisReply& entry = *reply->element[i];
      entries.push_back({entry.element[0]->str, fields_of(*entry.element[1])});
    }
    return entries;
  }

  Fields hash(const std::string& key) { return fields_of(*command({"HGETALL", key})); }

  /// The next message of a subscription.
  ReplyPointer next_message() {
    void* reply = nullptr;
    if (redisGetReply(context_.get(), &reply) != REDIS_OK) throw std::runtime_error("subscription lost");
    return {static_cast<redisReply*>(reply), freeReplyObject};
  }

  static Fields fields_of(const redisReply& flat) {
    Fields fields;
    for (std::size_t i = 0; i + 1 < flat.elements; i += 2) {
      fields[flat.element[i]->str] = std::string(flat.element[i + 1]->str, flat.element[i + 1]->len);
    }
    return fields;
  }

 private:
  std::unique_ptr<redisContext, void (*)(redisContext*)> context_;
};

/// A TCP port on the loopback on which nobody listens, and that the kernel gives to nobody else while this
/// object lives: it is bound. Who sets SO_REUSEADDR, as Redis does, can listen there all the same.
class ReservedPort {
 public:
  ReservedPort() {
    socket_.open(boost::asio::ip::tcp::v4());
    socket_.set_option(boost::asio::socket_base::reuse_address(true));
    socket_.bind({boost::asio::ip::address_v4::loopback(), 0});
  }
  std::string text() const { return std::to_string(socket_.local_endpoint().port()); }

 private:
  boost::asio::io_context io_{1};
  boost::asio::ip::tcp::acceptor socket_{io_};
};

/// The library that stands beside this program, preloaded into redis-server; empty where a good disk will do.
inline std::string bad_disk() {
  const std::filesystem::path name = ATCD_BAD_DISK;
  return name.empty() ? name : std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

/// A redis-server of our own on a unix socket in a temporary directory; gone with this object.
class RedisServer {
 public:
  /// `file`: an empty configuration file of this name is given to it (a Sentinel writes to its own).
  explicit RedisServer(std::vector<std::string> options = {}, const std::string& file = "")
      : options_(std::move(options)), file_(file) {
    std::string pattern = (std::filesystem::temp_directory_path() / "atcd-redis-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary directory");
    directory_ = pattern;
    start();
  }
  ~RedisServer() {
    kill();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string path() const { return directory_ + "/redis.sock"; }
  const std::string& directory() const { return directory_; }
  std::string url() const { return "unix://" + path(); }
  RedisClient client() const { return RedisClient(path()); }

  void start() {
    // With a disk that goes bad when a file says so: see tests/bad_disk.cpp.
    std::vector<std::string> arguments = {"env", "LD_PRELOAD=" + bad_disk(), "ATCD_BAD_DISK=" + directory_,
                                          "redis-server"};
    if (!file_.empty()) {
      arguments.push_back(directory_ + "/" + file_);
      std::ofstream(arguments.back(), std::ios::app).flush();
    }
    const std::vector<std::string> own = {
        "--port", "0", "--unixsocket", path(), "--dir",     directory_,
        "--save", "",  "--daemonize",  "no",   "--logfile", directory_ + "/redis.log"};
    arguments.insert(arguments.end(), own.begin(), own.end());
    arguments.insert(arguments.end(), options_.begin(), options_.end());
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    if (posix_spawnp(&process_, "env", nullptr, nullptr, pointers.data(), environ) != 0) {
      throw std::runtime_error("redis-server does not start: is the package redis-server installed?");
    }
    wait_until_it_answers();
  }

  /// After SIGSTOP it stands still.
  void signal(int number) const {
    ::kill(process_, number);
    if (number == SIGSTOP) waitpid(process_, nullptr, WUNTRACED);
  }

  /// "slow": syncing takes 700 ms; "full": the append-only file takes no more.
  void spoil_disk(const std::string& how) const { std::ofstream(directory_ + "/" + how).flush(); }
  void mend_disk(const std::string& how) const { std::filesystem::remove(directory_ + "/" + how); }

  /// As a crash: SIGKILL.
  void kill() {
    if (process_ == 0) return;
    ::kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
    std::filesystem::remove(path());
  }

 private:
  void wait_until_it_answers() const {
    const auto deadline = std::chrono::steady_clock::now() + tests::deadline();
    for (;;) {
      try {
        const auto reply = client().raw({"PING"});
        if (reply->type != REDIS_REPLY_ERROR || std::string_view(reply->str).starts_with("NOAUTH")) return;
      } catch (const std::runtime_error&) {
        if (std::chrono::steady_clock::now() > deadline) throw;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  std::vector<std::string> options_;
  std::string file_;
  std::string directory_;
  pid_t process_ = 0;
};

}  // namespace atcd::state
