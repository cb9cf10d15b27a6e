#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/clock.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/commands/exchange_check.hpp"
#include "daemon/commands/redis_check.hpp"
#include "daemon/config.hpp"
#include "daemon/config_warnings.hpp"
#include "daemon/market_load.hpp"
#include "daemon/symbols.hpp"

namespace atcd::daemon {
namespace {

/// What the configuration comes to, as far as it can be said without the exchange.
void print_summary(const Config& config) {
  for (const ProfileConfig& profile : config.profiles) {
    std::cout << "profile " << profile.name << ": configuration " << config_hash(profile) << '\n';
  }
  for (const FeedConfig& feed : config.feeds) {
    std::cout << "feed " << feed.exchange << ' ' << feed.market << ": ";
    if (has_patterns(feed)) {
      std::cout << "symbols by pattern, resolved from the exchange's list when it runs";
    } else {
      std::cout << feed.symbols.size() * feed.intervals.size() * feed.profiles.size() << " series";
    }
    std::cout << '\n';
  }
}

void print(std::ostream& out, const char* kind, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) out << kind << line << '\n';
}

/// What the configuration will run into with these symbols; the exit status does not change for it.
void warn(const std::string& path, const ConfigResult& read, const SymbolLists& symbols) {
  std::vector<ConfigError> warnings = config_warnings(read, utc_ms());
  for (ConfigError& each : load_warnings(read, symbols, utc_ms())) warnings.push_back(std::move(each));
  print_warnings(path, warnings);
}

/// Of every interval and profile of a feed the first symbol: where its parameters are others, so are all its
/// series'.
std::vector<ContinuedSeries> one_of_each(const Config& config, const SymbolLists& symbols) {
  std::vector<ContinuedSeries> some;
  for (std::size_t i = 0; i < config.feeds.size(); ++i) {
    const FeedConfig& feed = config.feeds[i];
    if (config.redis.adopt || !symbols[i] || symbols[i]->empty()) continue;
    for (const std::string& interval : feed.intervals) {
      for (const ProfileConfig& profile : config.profiles) {
        const bool named =
            std::find(feed.profiles.begin(), feed.profiles.end(), profile.name) != feed.profiles.end();
        if (!named) continue;
        some.push_back({{feed.exchange, feed.market, symbols[i]->front(), interval, profile.name},
                        config_hash(profile)});
      }
    }
  }
  return some;
}

/// What only the exchanges and Redis can tell.
int connect(const std::string& path, const ConfigResult& read) {
  const Config& config = read.config;
  const ExchangeFindings exchanges = check_exchanges(config);
  warn(path, read, exchanges.symbols);
  print(std::cout, "", exchanges.facts);
  print(std::cerr, "error: ", exchanges.errors);
  std::string error;
  const auto login = redis_login(config.redis, error);
  if (!login) {
    std::cerr << path << ": " << error << '\n';
    return kBadUsage;
  }
  const RedisFindings redis =
      check_redis(config.redis, *login, exchanges.series, one_of_each(config, exchanges.symbols));
  print(std::cout, "redis: ", redis.facts);
  print(std::cerr, "warning: redis: ", redis.warnings);
  print(std::cerr, "error: redis: ", redis.errors);
  return exchanges.errors.empty() && redis.errors.empty() ? kDone : kFailed;
}

int check(const std::string& path, bool connecting) {
  const ConfigResult read = load_config_to_run(path);
  print_errors(path, read);
  if (!read.errors.empty()) return kBadUsage;
  print_summary(read.config);
  if (connecting) return connect(path, read);
  warn(path, read, named_symbols(read.config));
  return kDone;
}

}  // namespace

void add_check_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand(
      "check", "Validates a configuration file: every error at once, and what to be warned of");
  struct Typed {
    std::string path;
    bool connect = false;
  };
  auto typed = std::make_shared<Typed>();
  command->add_option("--config", typed->path, "The configuration file")->required()->type_name("FILE");
  command->add_flag("--connect", typed->connect,
                    "Also ask the exchanges (symbols, warm-up time) and Redis (eviction, append-only file, "
                    "memory, rights)");
  command->callback([typed, &status] { status = check(typed->path, typed->connect); });
}

}  // namespace atcd::daemon
