#include <iostream>
#include <string>

#include "daemon/commands/commands.hpp"
#include "daemon/config.hpp"
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

int check(const std::string& path) {
  const ConfigResult result = load_config(path);
  print_errors(path, result);
  if (!result.errors.empty()) return kBadUsage;
  print_summary(result.config);
  return kDone;
}

}  // namespace

void add_check_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand("check", "Validates a configuration file: every error at once");
  auto* path = command->add_option("--config", "The configuration file")->required()->type_name("FILE");
  command->callback([path, &status] { status = check(path->as<std::string>()); });
}

}  // namespace atcd::daemon
