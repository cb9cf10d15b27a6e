#include "daemon/toml_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <sstream>
#include <utility>

#include "daemon/near_miss.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kShownCharacters = 60;
constexpr std::size_t kMostTables = 1000;  // of one name

std::string plain(double value) {
  std::array<char, 32> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

/// Appends the value as TOML has it, until there is enough for a message. (toml++ 3.3 itself has undefined
/// behaviour with lists of small numbers.)
void show(const toml::node& node, std::string& text) {
  std::string_view between;
  const auto next = [&] {
    text += std::exchange(between, ", ");
    return text.size() <= kShownCharacters;
  };
  if (const toml::array* array = node.as_array()) {
    text += '[';
    for (const toml::node& element : *array) {
      if (!next()) return;
      show(element, text);
    }
    text += ']';
  } else if (const toml::table* table = node.as_table()) {
    text += "{ ";
    for (const auto& [key, value] : *table) {
      if (!next()) return;
      text.append(key.str()).append(" = ");
      show(value, text);
    }
    text += " }";
  } else if (const auto* number = node.as_floating_point()) {
    text += plain(number->get());
  } else {
    std::ostringstream out;
    node.visit([&](const auto& value) {
      if constexpr (toml::is_value<decltype(value)>) out << value;
    });
    text += out.str();
  }
}

/// A value as the file has it, short enough for a message.
std::string shown(const toml::node& node) {
  std::string text;
  show(node, text);
  std::replace(text.begin(), text.end(), '\n', ' ');
  if (text.size() > kShownCharacters) text = text.substr(0, kShownCharacters) + "...";
  return text;
}

std::string listed(std::span<const std::string_view> names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

std::string in_quotes(std::string_view text) { return '"' + std::string(text) + '"'; }

std::string in_quotes(const std::vector<std::string>& texts) {
  std::string list;
  for (const std::string& text : texts) list += (list.empty() ? "" : ", ") + in_quotes(text);
  return '[' + list + ']';
}

std::string duration_text(std::int64_t ms) {
  if (ms % 3'600'000 == 0) return std::to_string(ms / 3'600'000) + "h";
  return ms % 60'000 == 0 ? std::to_string(ms / 60'000) + "m" : std::to_string(ms / 1000) + "s";
}

}  // namespace

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  });
}

std::string TomlReader::full(std::string_view key) const {
  if (key.empty()) return path_;
  return (path_.empty() ? std::string(key) : path_ + "." + std::string(key)) + element_place_;
}

const toml::node* TomlReader::find(std::string_view key) const {
  return element_ != nullptr ? element_ : table_.get(key);
}

void TomlReader::put_down(const std::string& path, const toml::node& node) {
  result_.keys[path].line = static_cast<int>(node.source().begin.line);
}

const toml::node* TomlReader::node(std::string_view key, std::string allowed, std::string default_value) {
  known_.push_back(key);
  const toml::node* found = find(key);
  const int line = found == nullptr ? 0 : static_cast<int>(found->source().begin.line);
  result_.keys[full(key)] = {line, std::move(allowed), std::move(default_value)};
  return found;
}

void TomlReader::fault(std::string_view key, const std::string& message) {
  result_.fault(full(key), message);
}

void TomlReader::wrong_type(std::string_view key, std::string_view wanted) {
  fault(key, "is " + shown(*find(key)) + ": it must be " + std::string(wanted));
}

void TomlReader::text(std::string_view key, std::string& value, std::string_view allowed) {
  const toml::node* found = node(key, std::string(allowed), in_quotes(value));
  if (found == nullptr) return;
  if (const auto* read = found->as_string()) {
    value = read->get();
  } else {
    wrong_type(key, "a text in quotes");
  }
}

void TomlReader::name(std::string_view key, std::string& value) {
  text(key, value, kNameRule);
  if (!is_name(value))
    fault(key, "is " + in_quotes(value.substr(0, 80)) + ": it must have " + std::string(kNameRule));
}

void TomlReader::choice(std::string_view key, std::span<const std::string_view> names, std::size_t& value) {
  const std::string allowed = "one of " + listed(names);
  const toml::node* found = node(key, allowed, in_quotes(names[value]));
  if (found == nullptr) return;
  const auto* read = found->as_string();
  const auto at = read == nullptr ? names.end() : std::find(names.begin(), names.end(), read->get());
  if (at == names.end()) {
    wrong_type(key, allowed + (read == nullptr ? "" : suggestion(read->get(), names)));
    return;
  }
  value = static_cast<std::size_t>(at - names.begin());
}

void TomlReader::boolean(std::string_view key, bool& value) {
  constexpr std::string_view kAllowed = "true or false";
  const toml::node* found = node(key, std::string(kAllowed), value ? "true" : "false");
  if (found == nullptr) return;
  if (const auto* read = found->as_boolean()) {
    value = read->get();
  } else {
    wrong_type(key, kAllowed);
  }
}

void TomlReader::integer(std::string_view key, std::int64_t& value, std::int64_t least, std::int64_t most) {
  const std::string allowed = "a whole number from " + std::to_string(least) + " to " + std::to_string(most);
  const toml::node* found = node(key, allowed, std::to_string(value));
  if (found == nullptr) return;
  const auto* read = found->as_integer();
  if (read == nullptr || read->get() < least || read->get() > most) {
    wrong_type(key, allowed);
    return;
  }
  value = read->get();
}

void TomlReader::any_number(std::string_view key, double& value) {
  constexpr std::string_view kAllowed = "a finite number";
  const toml::node* found = node(key, std::string(kAllowed), plain(value));
  if (found == nullptr) return;
  const auto read = found->value<double>();
  if (!found->is_number() || !read || !std::isfinite(*read)) {
    wrong_type(key, kAllowed);
    return;
  }
  value = *read;
}

void TomlReader::number(std::string_view key, double& value, double above, double most) {
  std::string allowed = "a number above " + plain(above);
  if (most < std::numeric_limits<double>::max()) allowed += " and at most " + plain(most);
  const toml::node* found = node(key, allowed, plain(value));
  if (found == nullptr) return;
  const auto read = found->value<double>();
  if (!found->is_number() || !read || !(*read > above && *read <= most)) {
    wrong_type(key, allowed);
    return;
  }
  value = *read;
}

void TomlReader::texts(std::string_view key, std::vector<std::string>& values) {
  constexpr std::string_view kAllowed = "a list of texts, as [\"a\", \"b\"]";
  const toml::node* found = node(key, std::string(kAllowed), in_quotes(values));
  if (found == nullptr) return;
  const auto* list = found->as_array();
  if (list == nullptr || (!list->empty() && !list->is_homogeneous<std::string>())) {
    wrong_type(key, kAllowed);
    return;
  }
  values.clear();
  for (const auto& each : *list) values.push_back(each.as_string()->get());
}

void TomlReader::duration_ms(std::string_view key, std::int64_t& value, std::int64_t least,
                             std::int64_t most) {
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
  const std::string allowed = "a time such as \"90s\", \"30m\" or \"24h\", from " + duration_text(least) +
                              " to " + duration_text(most);
  const toml::node* found = node(key, allowed, in_quotes(duration_text(value)));
  if (found == nullptr) return;
  const auto* read = found->as_string();
  if (read != nullptr) {
    const std::string_view text = read->get();
    std::int64_t count = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
    const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
    for (const auto& [name, unit_ms] : kUnits) {
      const bool fits = error == std::errc{} && name == unit && count >= 0 && count <= most / unit_ms;
      if (!fits || count * unit_ms < least) continue;
      value = count * unit_ms;
      return;
    }
  }
  wrong_type(key, allowed);
}

void TomlReader::table(std::string_view key, const std::function<void(TomlReader&)>& read) {
  static const toml::table kEmpty;
  const toml::node* found = node(key, "", "");
  const toml::table* inner = found == nullptr ? &kEmpty : found->as_table();
  if (inner == nullptr) return wrong_type(key, "a table");
  TomlReader reader(*inner, full(key), result_);
  read(reader);
  reader.finish();
}

void TomlReader::tables(std::string_view key, const std::function<void(TomlReader&)>& read) {
  const toml::node* found = node(key, "", "");
  if (found == nullptr) return;
  const auto* list = found->as_array();
  if (list == nullptr) {
    wrong_type(key, "written as [[" + std::string(key) + "]]");
    return;
  }
  if (list->size() > kMostTables) {
    return fault(key, "is there " + std::to_string(list->size()) + " times: it may be " +
                          std::to_string(kMostTables) + " times at most");
  }
  std::size_t index = 0;
  for (const auto& each : *list) {
    const std::string path = full(key) + "[" + std::to_string(index++) + "]";
    put_down(path, each);
    if (const auto* inner = each.as_table()) {
      TomlReader reader(*inner, path, result_);
      read(reader);
      reader.finish();
    } else {
      result_.fault(path, "must be a table: [[" + std::string(key) + "]]");
    }
  }
}

void TomlReader::each(std::string_view key, const std::function<void(TomlReader&)>& read) {
  const toml::node* found = node(key, "", "");
  if (found == nullptr) return;
  const toml::array* list = found->as_array();
  if (list == nullptr) return read(*this);
  if (list->empty()) return wrong_type(key, "a value, or a list of at least one");
  for (std::size_t i = 0; i < list->size(); ++i) {
    TomlReader reader(table_, path_, result_);
    reader.element_ = list->get(i);
    reader.element_place_ = "[" + std::to_string(i) + "]";
    read(reader);
  }
}

void TomlReader::finish() {
  for (const auto& [key, value] : table_) {
    const std::string_view name = key.str();
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const std::string shown_name(name.substr(0, kShownCharacters));
    result_.errors.push_back({static_cast<int>(key.source().begin.line), full(shown_name),
                              "is no key that atcd knows" + suggestion(name, known_)});
  }
}

}  // namespace atcd::daemon
