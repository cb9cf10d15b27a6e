#include <fnmatch.h>
#include <simdjson.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/redis_target.hpp"
#include "daemon/commands/table_text.hpp"
#include "state/redis_nodes.hpp"

namespace atcd::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kRedraw{200};
/// What is shown of a signal; all other fields are left to --json.
constexpr std::array<const char*, 7> kFields = {"series",  "close_ms", "rev",           "close",
                                                "average", "trend",    "previous_trend"};
using Row = std::map<std::string, std::string, std::less<>>;

struct TapOptions {
  RedisTarget redis;
  std::string pattern = "*";
  int seconds = 0;  // 0: until a signal ends it
  bool json = false;
};

std::int64_t number(const Row& row, std::string_view name) {
  const auto found = row.find(name);
  std::int64_t value = 0;
  if (found != row.end()) {
    std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
  }
  return value;
}

/// In its stream: a bar that was corrected has the next rev.
std::pair<std::int64_t, std::int64_t> place(const Row& row) {
  return {number(row, "close_ms"), number(row, "rev")};
}

std::string text(const Row& row, std::string_view name) {
  const auto found = row.find(name);
  return found == row.end() ? std::string() : found->second;
}

/// The fields as they stand in the JSON, so that numbers keep their digits; empty for what is no signal.
Row row_of_json(simdjson::ondemand::parser& parser, std::string_view json) {
  Row row;
  const simdjson::padded_string padded(json);
  simdjson::ondemand::document document;
  if (parser.iterate(padded).get(document) != simdjson::SUCCESS) return {};
  for (const char* name : kFields) {
    std::string_view token;
    if (document.find_field_unordered(name).raw_json_token().get(token) != simdjson::SUCCESS) return {};
    while (!token.empty() && (token.back() == ' ' || token.back() == '"')) token.remove_suffix(1);
    if (!token.empty() && token.front() == '"') token.remove_prefix(1);
    row[name] = token == "null" ? "" : std::string(token);
  }
  return row;
}

Row row_of_hash(const state::Reply& reply) {
  Row row;
  for (std::size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    row[std::string(reply.elements[i].text)] = std::string(reply.elements[i + 1].text);
  }
  return row.contains("series") ? row : Row{};
}

/// {exchange:market:interval:profile}:last:symbol from exchange:market:symbol:interval:profile.
std::string latest_key(std::string_view series) {
  std::array<std::string, 5> parts;
  for (std::string& part : parts) {
    const std::size_t end = std::min(series.find(':'), series.size());
    part = series.substr(0, end);
    series.remove_prefix(std::min(end + 1, series.size()));
  }
  return "{" + parts[0] + ":" + parts[1] + ":" + parts[3] + ":" + parts[4] + "}:last:" + parts[2];
}

/// Four decimals; empty where it is undefined.
std::string rounded(const Row& row, std::string_view name) {
  const std::string digits = text(row, name);
  double value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc()) return {};
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.4f", value);
  return buffer.data();
}

const char* heading() {
  return "close time (UTC)     series                                    close  average  trend";
}

std::string line_of(const Row& row) {
  std::array<char, 256> buffer{};
  const std::int64_t trend = number(row, "trend");
  const bool turned = trend != number(row, "previous_trend");
  const bool corrected = number(row, "rev") > 0;
  std::snprintf(buffer.data(), buffer.size(), "%-20s %-34.60s %12s %8s  %-5s%s%s",
                time_text(number(row, "close_ms")).c_str(), text(row, "series").c_str(),
                text(row, "close").c_str(), rounded(row, "average").c_str(), trend_text(trend).c_str(),
                turned ? " turned" : "", corrected ? " corrected" : "");
  return buffer.data();
}

/// Latest signals first, then every push. A connection that is lost is made again, and the latest are read
/// again then. What goes wrong is said once until it works again.
class Tap final : state::NodesHandler, state::ConnectionHandler {
 public:
  Tap(const TapOptions& options, const RedisAccess& redis)
      : options_(options),
        keys_(redis.config.prefix + ":1:"),
        servers_(io_, redis.login.url, connection_options(redis.login, "atcd-tap"), *this),
        listener_(io_, listener_options(redis.login), *this),
        end_(io_),
        redraw_(io_),
        signals_(io_, SIGINT, SIGTERM),
        table_(!options.json && isatty(STDOUT_FILENO) == 1) {}

  /// False when Redis could never be reached.
  bool run() {
    signals_.async_wait([this](const boost::system::error_code&, int) { io_.stop(); });
    if (options_.seconds > 0) {
      end_.expires_after(std::chrono::seconds(options_.seconds));
      end_.async_wait([this](const boost::system::error_code&) { io_.stop(); });
    }
    if (table_) draw_later();
    servers_.start();
    io_.run();
    if (table_) draw();
    return connected_;
  }

 private:
  /// Every server of a cluster passes on what is pushed: one that is ready will do.
  state::ConnectionOptions listener_options(const RedisLogin& login) {
    state::ConnectionOptions options = connection_options(login, "atcd-tap");
    options.address = login.url.addresses.front();
    options.locate = [this](state::Located located) {
      asio::post(io_, [this, located = std::move(located)] {
        for (state::RedisNode* node : servers_.all()) {
          if (node->connection().ready()) return located(&node->connection().address(), "");
        }
        located(nullptr, "no server is ready");
      });
    };
    return options;
  }

  void on_node_ready(state::RedisNode&) override { listener_.ready() ? read_latest() : listener_.start(); }
  void on_node_lost(state::RedisNode&, std::string_view reason) override {
    on_trouble("lost: " + std::string(reason));
  }
  void on_node_unreachable(state::RedisNode&, std::string_view reason) override {
    on_trouble(std::string(reason));
  }
  void on_node_refused(state::RedisNode&, std::string_view error) override {
    on_trouble("refused: " + std::string(error));
  }

  /// The whole prefix: a narrow user may ask for no other pattern than the one it was given.
  void on_ready() override {
    listener_.send({"PSUBSCRIBE", keys_ + "signal:*"}, [this](const state::Reply* reply) {
      if (reply == nullptr) return;
      if (reply->is_error()) return on_trouble("refused: " + std::string(reply->text));
      connected_ = true;
      trouble_.clear();
      told_.clear();
      read_latest();
    });
  }
  void on_lost(std::string_view reason) override { on_trouble("lost: " + std::string(reason)); }
  void on_unreachable(std::string_view) override {}  // the servers' own connections say why
  void on_refused(std::string_view error) override { on_trouble("refused: " + std::string(error)); }
  void on_push(const state::Reply& reply) override {
    // pmessage, pattern, channel, text
    if (reply.elements.size() == 4 && reply.elements[0].text == "pmessage") on_signal(reply.elements[3].text);
  }

  /// From the catalogue, the latest of every series; in JSON mode only what is pushed is shown.
  void read_latest() {
    const std::string catalogue = keys_ + "catalogue";
    state::RedisConnection* connection = servers_.serving(catalogue);
    if (options_.json || connection == nullptr) return;
    connection->send({"HKEYS", catalogue}, [this](const state::Reply* reply) {
      if (reply == nullptr || reply->is_error()) return;
      for (const state::Reply& name : reply->elements) {
        if (wanted(std::string(name.text))) read_latest_of(name.text);
      }
    });
  }

  void read_latest_of(std::string_view series) {
    const std::string key = keys_ + latest_key(series);
    state::RedisConnection* connection = servers_.serving(key);
    if (connection == nullptr) return;
    connection->send({"HGETALL", key}, [this](const state::Reply* reply) {
      if (reply == nullptr || reply->is_error()) return;
      show(row_of_hash(*reply));
    });
  }

  void on_signal(std::string_view json) {
    Row row = row_of_json(parser_, json);
    if (row.empty() || !wanted(text(row, "series"))) return;
    ++pushed_;
    if (options_.json) {
      print(json);
    } else {
      show(std::move(row));
    }
  }

  void show(Row row) {
    if (row.empty()) return;
    Row& shown = rows_[text(row, "series")];
    if (place(row) < place(shown)) return;
    const bool same = place(row) == place(shown);
    // A turn is against what was shown before: a new run or a correction may turn where its own bar before
    // had.
    if (!shown.empty()) row["previous_trend"] = shown[same ? "previous_trend" : "trend"];
    shown = std::move(row);
    if (table_ || same) return;
    if (!std::exchange(headed_, true)) print(heading());
    print(line_of(shown));
  }

  /// A file that takes no more, as on a full disk, would lack signals and nobody would be told.
  void print(std::string_view line) {
    std::cout << line << '\n' << std::flush;
    if (!std::cout) io_.stop();
  }

  void on_trouble(std::string why) {
    trouble_ = std::move(why);
    if (!table_ && told_.insert(trouble_).second) {
      std::cerr << "atcd: Redis " << trouble_ << "; trying again, signals pushed meanwhile are not shown\n";
    }
  }

  bool wanted(const std::string& series) const {
    return fnmatch(options_.pattern.c_str(), series.c_str(), FNM_NOESCAPE) == 0;
  }

  void draw_later() {
    redraw_.expires_after(kRedraw);
    redraw_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      draw();
      draw_later();
    });
  }

  void draw() {
    winsize size{};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    const std::size_t height = known && size.ws_row > 4 ? size.ws_row : 24;
    // A line that wraps takes the place of two.
    const std::size_t width = known && size.ws_col > 0 ? size.ws_col : std::string::npos;
    const std::size_t shown = std::min(rows_.size(), height - 3);
    std::string out = "\x1b[H\x1b[2J" + std::string(heading()).substr(0, width) + '\n';
    auto row = rows_.begin();
    for (std::size_t i = 0; i < shown; ++i, ++row) out += line_of(row->second).substr(0, width) + '\n';
    std::string last = std::to_string(rows_.size()) + " series, " + std::to_string(pushed_) + " signals";
    if (shown < rows_.size())
      last += ", " + std::to_string(rows_.size() - shown) + " series below the screen";
    if (!trouble_.empty()) last += "; Redis " + trouble_;
    print(out + last.substr(0, width));
  }

  TapOptions options_;
  std::string keys_;
  asio::io_context io_{1};
  state::RedisNodes servers_;
  state::RedisConnection listener_;
  asio::steady_timer end_;
  asio::steady_timer redraw_;
  asio::signal_set signals_;
  bool table_;
  bool headed_ = false;
  bool connected_ = false;
  std::uint64_t pushed_ = 0;
  std::string trouble_;
  std::set<std::string> told_;  // servers and listener may have troubles of their own, in turn
  std::map<std::string, Row> rows_;
  simdjson::ondemand::parser parser_;
};

int tap(const TapOptions& options) {
  const auto redis = redis_access(options.redis);
  if (!redis) return kBadUsage;
  return Tap(options, *redis).run() ? kDone : kFailed;
}

}  // namespace

void add_tap_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("tap", "Follows signals from Redis as a table or JSON lines");
  auto options = std::make_shared<TapOptions>();
  command->add_option("PATTERN", options->pattern, "Series to show, as in binance:spot:BTC*:1m:*");
  command->add_flag("--json", options->json, "Each pushed signal as one line of JSON");
  command->add_option("--seconds", options->seconds, "End after so long [until Ctrl-C]")
      ->check(CLI::Range(1, 1'000'000'000));
  add_redis_options(*command, options->redis);
  command->callback([options, &status] { status = tap(*options); });
}

}  // namespace atcd::daemon
