#include <algorithm>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "daemon/pages.hpp"
#include "daemon/roff.hpp"

namespace atcd::daemon {
namespace {

/// Reads the sample line by line. Its form: comments, then the key or table that they are about; a key with a
/// value behind a # may be left out; an empty line ends a comment about the file as a whole.
class Sample {
 public:
  explicit Sample(const ConfigKeys& known) : known_(known) {}

  void take(std::string_view line) {
    if (line.empty()) return end_of_comment();
    if (line.front() == '[') return take_table(line);
    const bool comment = line.starts_with("# ");
    if (comment) line.remove_prefix(2);
    const std::size_t equals = line.find(" = ");
    if (is_key(line.substr(0, equals)))
      return take_key(line.substr(0, equals), line.substr(equals + 3), comment);
    if (!comment) throw std::runtime_error("the sample has a line that is none: " + std::string(line));
    comment_ += std::string(line) + '\n';
  }

  std::string page() const {
    for (const auto& [path, key] : known_) {
      if (!key.allowed.empty() && !shown(path)) throw std::runtime_error("the sample lacks " + path);
    }
    return roff_title("atcd.toml", 5, "configuration of atcd") + roff_heading("Description") + about_ +
           roff_heading("At the top") + entries_ + roff_heading("Example") +
           "The least that a file must say:\n" + roff_lines(example_) + roff_heading("See also") +
           roff("atcd(1), atcd-redis(7)") + '\n';
  }

 private:
  static bool is_key(std::string_view text) {
    return text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos;
  }

  void end_of_comment() {
    if (!comment_.empty()) about_ += ".PP\n" + take_comment();
  }

  void take_table(std::string_view line) {
    const bool several = line.starts_with("[[");
    const std::string name(line.substr(several ? 2 : 1, line.find(']') - (several ? 2 : 1)));
    table_ = name + (several ? "[0]." : ".");
    entries_ += roff_heading("Table " + std::string(line));
    if (!comment_.empty()) entries_ += take_comment();
    header_ = std::string(line) + '\n';
  }

  void take_key(std::string_view key, std::string_view value, bool optional) {
    const std::string path = table_ + std::string(key);
    const ConfigKey& known = known_of(path);
    shown_.insert(path);
    entries_ += ".TP\n" + bold(key) + roff(" = ") + roff(value) + '\n' + take_comment() + allowed(path);
    if (optional) {
      entries_ += "It may be left out.\n";
    } else if (known.default_value == value ||
               (known.default_value != "\"\"" && known.default_value != "[]")) {
      entries_ += "This is the default.\n";
    } else {
      entries_ += "It is needed.\n";
      example_ += std::exchange(header_, "") + std::string(key) + " = " + std::string(value) + '\n';
    }
  }

  const ConfigKey& known_of(const std::string& path) const {
    const auto found = known_.find(path);
    if (found == known_.end()) throw std::runtime_error("the sample has " + path + ", which is no key");
    return found->second;
  }

  /// Of a table of values what holds for its first one.
  std::string allowed(const std::string& path) const {
    const ConfigKey& key = known_of(path);
    if (!key.allowed.empty()) return roff("It must be " + key.allowed + ".") + '\n';
    const auto first = known_.upper_bound(path + ".");
    return roff("Each must be " + first->second.allowed + ".") + '\n';
  }

  bool shown(const std::string& path) const {
    return shown_.contains(path) || shown_.contains(path.substr(0, path.rfind('.')));
  }

  std::string take_comment() {
    std::string text = roff_inline(comment_);
    comment_.clear();
    return text;
  }

  const ConfigKeys& known_;
  std::string comment_, table_, header_, about_, entries_, example_;
  std::set<std::string> shown_;
};

}  // namespace

std::string config_page(std::string_view text, const ConfigKeys& known) {
  Sample sample(known);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    sample.take(line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return sample.page();
}

}  // namespace atcd::daemon
