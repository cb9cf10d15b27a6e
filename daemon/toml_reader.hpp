#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/toml.hpp"

namespace atcd::daemon {

/// What may be part of a key in Redis.
inline constexpr std::string_view kNameRule = "1 to 64 of the characters a-z A-Z 0-9 . _ -";
bool is_name(std::string_view text);

/// Reads one TOML table key by key into fields, which hold the defaults, and says at the end which keys
/// nobody asked for. Every fault becomes a ConfigError with its line; reading goes on. What was asked for is
/// put down in the result's `keys`.
class TomlReader {
 public:
  TomlReader(const toml::table& table, std::string path, ConfigResult& result)
      : table_(table), path_(std::move(path)), result_(result) {}

  void text(std::string_view key, std::string& value, std::string_view allowed = "a text in quotes");
  /// A text that may be part of a key in Redis.
  void name(std::string_view key, std::string& value);
  /// One of `names`; `value` becomes its index.
  void choice(std::string_view key, std::span<const std::string_view> names, std::size_t& value);
  void boolean(std::string_view key, bool& value);
  void integer(std::string_view key, std::int64_t& value, std::int64_t least, std::int64_t most);
  void number(std::string_view key, double& value, double above, double most);
  void any_number(std::string_view key, double& value);
  void texts(std::string_view key, std::vector<std::string>& values);
  /// "24h", "30m", "90s", "500ms".
  void duration_ms(std::string_view key, std::int64_t& value, std::int64_t least, std::int64_t most);
  /// Reads the table under the key; where there is none, an empty one.
  void table(std::string_view key, const std::function<void(TomlReader&)>& read);
  void tables(std::string_view key, const std::function<void(TomlReader&)>& read);
  const toml::node* node(std::string_view key, std::string allowed, std::string default_value);
  /// The key may have a list of values: gives `read` for each a reader that finds it under the key; where
  /// there is no such key, none.
  void each(std::string_view key, const std::function<void(TomlReader&)>& read);

  /// A fault of a key of this table; "" is the table itself.
  void fault(std::string_view key, const std::string& message);
  /// That the value of a key, which is there, is not what is wanted.
  void wrong_type(std::string_view key, std::string_view wanted);
  /// Reports every key that was not asked for.
  void finish();

 private:
  std::string full(std::string_view key) const;
  void put_down(const std::string& path, const toml::node& node);
  const toml::node* find(std::string_view key) const;

  const toml::table& table_;
  const toml::node* element_ = nullptr;  // of each(): what is found, whatever the key
  std::string element_place_;            // "[2]"
  std::string path_;
  ConfigResult& result_;
  std::vector<std::string_view> known_;
};

}  // namespace atcd::daemon
