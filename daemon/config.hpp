#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/anchor.hpp"
#include "engine/parameters.hpp"

namespace atcd::daemon {

struct ProfileConfig {
  std::string name = "default";
  engine::Parameters parameters;
  engine::AnchorRule anchor;
};

enum class FeedSource : std::uint8_t { klines, trades };

struct FeedConfig {
  std::string exchange;
  std::string market;
  std::vector<std::string> symbols;  // native symbols, or patterns with *
  std::vector<std::string> exclude;
  std::int64_t top = 0;  // 0: all
  std::int64_t refresh_ms = 86'400'000;
  std::vector<std::string> intervals;
  std::vector<std::string> profiles = {"default"};
  FeedSource source = FeedSource::klines;  // or trades: bars are built here
  bool provisional = false;
  double rest_share = 0.5;
  std::string websocket_url;
  std::string rest_url;
  std::string ca_file;
};

struct RedisConfig {
  std::string url = "redis://127.0.0.1:6379";
  std::string username;
  std::string password_file;
  std::string ca_file;    // for rediss://: trusted instead of the system's authorities
  std::string cert_file;  // for a Redis that asks its clients for a certificate
  std::string key_file;
  std::string prefix = "atc";
  std::int64_t keep = 500;
  bool adopt = false;

  bool operator==(const RedisConfig&) const = default;
};

struct LogConfig {
  std::string level = "info";     // debug, info, warning, error
  std::string format = "logfmt";  // or json

  bool operator==(const LogConfig&) const = default;
};

struct Config {
  std::string instance = "main";
  std::int64_t threads = 1;  // that the symbols are divided over
  std::vector<ProfileConfig> profiles;
  std::vector<FeedConfig> feeds;
  RedisConfig redis;
  std::string state_directory = "/var/lib/atcd";
  std::string http_listen = "127.0.0.1:9464";
  LogConfig log;
};

/// One thing wrong with a configuration file.
struct ConfigError {
  int line = 0;         // 0: the file as a whole
  std::string key;      // "feed[0].rest_share"
  std::string message;  // names the value and what is allowed
  int column = 0;       // 0: the line says enough
};

/// A key that atcd looks for, whether the file has it or not.
struct ConfigKey {
  int line = 0;               // 0: the file does not have it
  std::string allowed;        // "a number above 0 and at most 1"; of a table empty
  std::string default_value;  // as TOML writes it
};

/// By path, as "feed[0].rest_share".
using ConfigKeys = std::map<std::string, ConfigKey, std::less<>>;

struct ConfigResult {
  Config config;
  std::vector<ConfigError> errors;  // all of them at once; empty when all is well
  ConfigKeys keys;

  /// The line of a key, or where the file leaves it out that of the table it belongs in; 0: there is none.
  int line_of(std::string_view path) const;
  /// Adds an error of a key that was read, or of a table.
  void fault(std::string path, std::string message);
};

/// Bytes; a longer file is refused.
inline constexpr std::size_t kLargestConfig = std::size_t{1} << 20;

/// Reads a configuration from TOML text. Never throws for what the text says; unknown keys are errors.
ConfigResult parse_config(std::string_view text);
/// Reads the file; a file that can't be read is an error of line 0.
ConfigResult load_config(const std::string& path);
/// The same for a daemon that starts with it or takes it up: what its feeds read from files must be there
/// too.
ConfigResult load_config_to_run(const std::string& path);

/// What is wrong between the tables of a configuration, as reading it says it (line 0).
std::vector<ConfigError> check_config(const Config& config);

/// Every key that a file may have, with [0] behind the tables of which it may have several.
ConfigKeys known_keys();

/// The errors, a line each: FILE:LINE: key message.
std::vector<std::string> error_lines(const std::string& path, const ConfigResult& result);
/// Writes them to standard error.
void print_errors(const std::string& path, const ConfigResult& result);
/// The same with "warning: " before the key.
void print_warnings(const std::string& path, const std::vector<ConfigError>& warnings);

/// The hash that signals carry: FNV-1a-64, in hex, of everything a profile's signals depend on but the bars.
std::string config_hash(const ProfileConfig& profile);
/// What is published under that hash.
std::string config_json(const ProfileConfig& profile);

}  // namespace atcd::daemon
