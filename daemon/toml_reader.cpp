#include "daemon/toml_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <utility>

namespace atcd::daemon {
namespace {

constexpr std::size_t kShownCharacters = 60;

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, changed}));
    }
  }
  return row[b.size()];
}

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

}  // namespace

std::string suggestion(std::string_view word, std::span<const std::string_view> known) {
  if (word.size() > kShownCharacters) return "";
  std::string_view best;
  std::size_t least = word.size() / 3 + 2;  // farther away it is another word
  for (const std::string_view candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      best = candidate;
    }
  }
  return best.empty() ? "" : "; did you mean " + std::string(best) + "?";
}

std::string TomlReader::full(std::string_view key) const {
  if (key.empty()) return path_;
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const toml::node* TomlReader::node(std::string_view key) {
  known_.push_back(key);
  return table_.get(key);
}

int TomlReader::line(std::string_view key) const {
  const toml::node* found = key.empty() ? nullptr : table_.get(key);
  const auto& source = found != nullptr ? found->source() : table_.source();
  return static_cast<int>(source.begin.line);
}

void TomlReader::fault(std::string_view key, const std::string& message) {
  errors_.push_back({line(key), full(key), message});
}

void TomlReader::wrong_type(std::string_view key, std::string_view wanted) {
  fault(key, "is " + shown(*table_.get(key)) + ": it must be " + std::string(wanted));
}

void TomlReader::text(std::string_view key, std::string& value) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  if (const auto* read = found->as_string()) {
    value = read->get();
  } else {
    wrong_type(key, "a text in quotes");
  }
}

void TomlReader::choice(std::string_view key, std::span<const std::string_view> names, std::size_t& value) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  const auto* read = found->as_string();
  const auto at = read == nullptr ? names.end() : std::find(names.begin(), names.end(), read->get());
  if (at == names.end()) {
    wrong_type(key, "one of " + listed(names) + (read == nullptr ? "" : suggestion(read->get(), names)));
    return;
  }
  value = static_cast<std::size_t>(at - names.begin());
}

void TomlReader::boolean(std::string_view key, bool& value) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  if (const auto* read = found->as_boolean()) {
    value = read->get();
  } else {
    wrong_type(key, "true or false");
  }
}

void TomlReader::integer(std::string_view key, std::int64_t& value, std::int64_t least, std::int64_t most) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  const auto* read = found->as_integer();
  if (read == nullptr || read->get() < least || read->get() > most) {
    wrong_type(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return;
  }
  value = read->get();
}

void TomlReader::any_number(std::string_view key, double& value) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  const auto read = found->value<double>();
  if (!found->is_number() || !read || !std::isfinite(*read)) {
    wrong_type(key, "a finite number");
    return;
  }
  value = *read;
}

void TomlReader::number(std::string_view key, double& value, double above, double most) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  const auto read = found->value<double>();
  if (!found->is_number() || !read || !(*read > above && *read <= most)) {
    wrong_type(key, "a number above " + plain(above) + " and at most " + plain(most));
    return;
  }
  value = *read;
}

void TomlReader::texts(std::string_view key, std::vector<std::string>& values) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  const auto* list = found->as_array();
  if (list == nullptr || (!list->empty() && !list->is_homogeneous<std::string>())) {
    wrong_type(key, "a list of texts, as [\"a\", \"b\"]");
    return;
  }
  values.clear();
  for (const auto& each : *list) values.push_back(each.as_string()->get());
}

void TomlReader::duration_ms(std::string_view key, std::int64_t& value, std::int64_t least,
                             std::int64_t most) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits = {
      {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}}};
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
  wrong_type(key, "a time such as \"90s\", \"30m\" or \"24h\", from " + std::to_string(least / 1000) +
                      "s to " + std::to_string(most / 3'600'000) + "h");
}

void TomlReader::table(std::string_view key, const std::function<void(TomlReader&)>& read) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  if (const auto* inner = found->as_table()) {
    TomlReader reader(*inner, full(key), errors_);
    read(reader);
    reader.finish();
  } else {
    wrong_type(key, "a table");
  }
}

void TomlReader::tables(std::string_view key, const std::function<void(TomlReader&)>& read) {
  const toml::node* found = node(key);
  if (found == nullptr) return;
  const auto* list = found->as_array();
  if (list == nullptr) {
    wrong_type(key, "written as [[" + std::string(key) + "]]");
    return;
  }
  std::size_t index = 0;
  for (const auto& each : *list) {
    const std::string path = full(key) + "[" + std::to_string(index++) + "]";
    if (const auto* inner = each.as_table()) {
      TomlReader reader(*inner, path, errors_);
      read(reader);
      reader.finish();
    } else {
      errors_.push_back({line(key), path, "must be a table: [[" + std::string(key) + "]]"});
    }
  }
}

void TomlReader::finish() {
  for (const auto& [key, value] : table_) {
    const std::string_view name = key.str();
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const std::string shown_name(name.substr(0, kShownCharacters));
    errors_.push_back({static_cast<int>(key.source().begin.line), full(shown_name),
                       "is no key that atcd knows" + suggestion(name, known_)});
  }
}

}  // namespace atcd::daemon
