#include "daemon/commands/redis_check.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <charconv>
#include <cstdio>
#include <initializer_list>
#include <set>
#include <span>
#include <string_view>

#include "daemon/commands/redis_target.hpp"
#include "state/publish_function.hpp"
#include "state/redis_nodes.hpp"

namespace atcd::daemon {
namespace {

// MEMORY USAGE of the demo's keys after three times `keep` bars, Redis 7.0.15: an entry in a series' stream
// and in its group's; a series' latest, catalogue entry and state.
constexpr std::int64_t kBytesPerBar = 553 + 72;
constexpr std::int64_t kBytesPerSeries = 984 + 322 + 155;
constexpr int kLowestVersion = 7;

std::string_view field(std::string_view info, std::string_view name) {
  for (std::size_t at = 0; at < info.size();) {
    const std::size_t end = std::min(info.find("\r\n", at), info.size());
    const std::string_view line = info.substr(at, end - at);
    if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':') {
      return line.substr(name.size() + 1);
    }
    at = end + 2;
  }
  return {};
}

std::int64_t number(std::string_view text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

class Check final : public state::NodesHandler {
 public:
  Check(const RedisConfig& config, const RedisLogin& login, std::size_t series,
        const std::vector<ContinuedSeries>& some, RedisFindings& findings)
      : keys_(config.prefix + ":1:"),
        bytes_(redis_bytes(series, config.keep)),
        some_(some),
        findings_(findings),
        nodes_(io_, login.url, connection_options(login, "atcd-check"), *this) {}

  void run() {
    nodes_.start();
    io_.run();
  }

 private:
  using Command = std::vector<std::string>;

  void on_node_ready(state::RedisNode& node) override {
    asked_.insert(node.name());
    ask(node, {"INFO"}, [this, name = node.name()](const state::Reply& info) { take_info(name, info); });
    ask(node, {"FCALL", state::kPublishFunction, "0"},
        [this, name = node.name()](const state::Reply& answer) { take_function(name, answer); });
    for (const ContinuedSeries& each : some_) ask_for_config(node, each);
    // A right that is missing is told when a command is queued; nothing is executed, since EXEC never comes.
    ask(node, {"MULTI"}, [this, &node](const state::Reply& answer) {
      if (answer.is_error())
        return add(findings_.errors, node.name() + ": MULTI: " + std::string(answer.text));
      for (const Command& command : commands()) queue(node, command);
    });
  }

  void ask_for_config(state::RedisNode& node, const ContinuedSeries& series) {
    const std::string last =
        keys_ + "{" + series.id.group() + "}:last:" + engine::percent_encode(series.id.symbol);
    ask(node, {"HMGET", last, "config"}, [this, &series](const state::Reply& answer) {
      // Rights are looked at below; another server of a cluster may have it.
      if (answer.is_error() || answer.elements.empty() || answer.elements[0].text.empty()) return;
      if (answer.elements[0].text == series.config) return;
      add(findings_.errors,
          "profile " + series.id.profile + ": " + series.id.name() +
              " was published with other parameters and would stop: give the profile its former "
              "ones or another name, or set adopt = true in [redis]");
    });
  }

  void queue(state::RedisNode& node, const Command& command) {
    const std::vector<std::string_view> words(command.begin(), command.end());
    ask(node, words, [this, what = node.name() + ": " + command[0]](const state::Reply& answer) {
      // That another server of the cluster has the key is told after the rights were looked at.
      if (!answer.is_error() || answer.text.starts_with("MOVED ")) return;
      add(findings_.errors, what + ": " + std::string(answer.text));
    });
  }

  void on_node_lost(state::RedisNode&, std::string_view reason) override {
    fail("the connection was lost: ", reason);
  }
  void on_node_unreachable(state::RedisNode&, std::string_view reason) override {
    fail("it can't be reached: ", reason);
  }
  void on_node_refused(state::RedisNode&, std::string_view error) override { fail("it refuses: ", error); }

  /// One of every kind that the daemon sends.
  std::vector<Command> commands() const {
    const std::string group = keys_ + "{check:check:1m:check}:";
    const std::string stream = group + "stream:CHECK", last = group + "last:CHECK", all = group + "all";
    const std::string hash = keys_ + "catalogue";
    return {{"XREVRANGE", stream, "+", "-", "COUNT", "1"},
            {"FCALL", std::string(state::kPublishFunction), "3", stream, last, all},
            {"XADD", stream, "*", "f", "v"},
            {"XINFO", "STREAM", stream},
            {"XLEN", all},
            {"HGETALL", last},
            {"HMGET", last, "close_ms"},
            {"PUBLISH", keys_ + "forming:check", ""},
            {"PUBLISH", keys_ + "signal:check", ""},
            {"HSET", hash, "f", "v"},
            {"HDEL", hash, "f"},
            {"HKEYS", hash},
            {"EXISTS", hash},
            {"PEXPIRE", hash, "1"},
            {"XADD", keys_ + "events", "*", "f", "v"}};
  }

  template <typename Words, typename Function>
  void ask(state::RedisNode& node, const Words& words, Function function) {
    ++waiting_;
    node.connection().send(words, [this, function = std::move(function)](const state::Reply* reply) {
      if (reply == nullptr) return;  // on_node_lost follows
      function(*reply);
      if (--waiting_ == 0 && all_asked()) io_.stop();
    });
  }
  template <typename Function>
  void ask(state::RedisNode& node, std::initializer_list<std::string_view> words, Function function) {
    ask<std::span<const std::string_view>>(node, std::span(words.begin(), words.size()), std::move(function));
  }

  bool all_asked() {
    const auto nodes = nodes_.all();
    return std::all_of(nodes.begin(), nodes.end(),
                       [this](const state::RedisNode* node) { return asked_.contains(node->name()); });
  }

  void take_info(const std::string& name, const state::Reply& info) {
    if (info.is_error()) {
      add(findings_.warnings,
          name + ": eviction policy and append-only file are unknown: " + std::string(info.text));
      return;
    }
    const std::string_view version = field(info.text, "redis_version");
    const std::string policy(field(info.text, "maxmemory_policy"));
    const bool append_only = field(info.text, "aof_enabled") == "1";
    const std::int64_t most = number(field(info.text, "maxmemory"));
    const std::int64_t used = number(field(info.text, "used_memory"));
    add(findings_.facts, name + ": Redis " + std::string(version) + ", maxmemory-policy " + policy +
                             ", append-only file " + (append_only ? "on" : "off") + ", " + bytes_text(used) +
                             " used of " + (most == 0 ? "no limit" : bytes_text(most)));
    if (number(version) < kLowestVersion) {
      add(findings_.errors,
          name + ": Redis " + std::string(version) + " has no functions: 7.0 or newer is needed");
    }
    if (policy != "noeviction") {
      add(findings_.errors, name + ": maxmemory-policy is " + policy +
                                ": Redis would throw signals away; it must be noeviction");
    }
    if (!append_only) {
      add(findings_.warnings,
          name + ": the append-only file is off: what Redis holds is lost when it stops (appendonly yes)");
    }
    if (most != 0 && bytes_ > most) {
      add(findings_.warnings,
          name + ": maxmemory is " + bytes_text(most) + ", all series together need " + bytes_text(bytes_));
    }
  }

  void take_function(const std::string& name, const state::Reply& answer) {
    if (answer.is_error() && answer.text.starts_with("ATCD ")) return;
    if (answer.is_error() && answer.text.find("Function not found") != std::string_view::npos) {
      add(findings_.warnings, name + ": the function " + std::string(state::kPublishFunction) +
                                  " is not there: atcd redis-setup loads it, or the daemon where it may");
      return;
    }
    add(findings_.errors, name + ": the function: " + std::string(answer.text));
  }

  static void add(std::vector<std::string>& list, const std::string& text) {
    if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
  }

  void fail(const std::string& what, std::string_view reason) {
    add(findings_.errors, what + std::string(reason));
    io_.stop();
  }

  boost::asio::io_context io_{1};
  std::string keys_;
  std::int64_t bytes_;
  const std::vector<ContinuedSeries>& some_;
  RedisFindings& findings_;
  state::RedisNodes nodes_;
  std::set<std::string> asked_;
  std::size_t waiting_ = 0;
};

}  // namespace

RedisFindings check_redis(const RedisConfig& config, const RedisLogin& login, std::size_t series,
                          const std::vector<ContinuedSeries>& some) {
  RedisFindings findings;
  findings.facts.push_back(std::to_string(series) + " series, the last " + std::to_string(config.keep) +
                           " bars of each: about " + bytes_text(redis_bytes(series, config.keep)));
  Check(config, login, series, some, findings).run();
  return findings;
}

std::int64_t redis_bytes(std::size_t series, std::int64_t keep) {
  return static_cast<std::int64_t>(series) * (keep * kBytesPerBar + kBytesPerSeries);
}

std::string bytes_text(std::int64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"bytes", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

}  // namespace atcd::daemon
