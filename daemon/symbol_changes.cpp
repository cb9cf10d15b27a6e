#include "daemon/symbol_changes.hpp"

#include <algorithm>

#include "daemon/symbols.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kLongestSymbol = 64;

std::vector<std::string> parts_of(const std::string& text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == ':') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

bool holds(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

bool erase(std::vector<std::string>& list, const std::string& text) { return std::erase(list, text) > 0; }

bool is_pattern(const std::string& text) { return text.find('*') != std::string::npos; }

bool called(const FeedConfig& feed, const std::vector<std::string>& parts) {
  return parts.size() >= 2 && parts.size() <= 4 && feed.exchange == parts[0] && feed.market == parts[1] &&
         (parts.size() < 3 || holds(feed.intervals, parts[2])) &&
         (parts.size() < 4 || holds(feed.profiles, parts[3]));
}

std::string all_feeds(const Config& config) {
  std::string list;
  for (const FeedConfig& feed : config.feeds) {
    list += (list.empty() ? "" : ", ") + feed.exchange + ":" + feed.market + ":" + feed.intervals.front() +
            ":" + feed.profiles.front();
  }
  return list;
}

/// Null with a sentence.
FeedConfig* find_feed(Config& config, const std::string& name, std::string& error) {
  const std::vector<std::string> parts = parts_of(name);
  FeedConfig* found = nullptr;
  std::size_t count = 0;
  for (FeedConfig& feed : config.feeds) {
    if (!called(feed, parts)) continue;
    found = &feed;
    ++count;
  }
  if (count == 1) return found;
  error = "\"" + name.substr(0, 80) + "\" names " +
          (count == 0 ? "no feed" : std::to_string(count) + " feeds, but must name one") +
          ": a feed is exchange:market, or exchange:market:interval:profile where several are of one market; "
          "there are " +
          all_feeds(config);
  return nullptr;
}

/// BTC/USDT, BTCUSDT and BTC-USDT: what settles a contract is left out.
bool same_letters(const std::string& one, const std::string& other) {
  const auto letters = [](const std::string& name) {
    std::string kept = name.substr(0, name.find(':'));
    std::erase_if(kept, [](char c) { return c == '/' || c == '-'; });
    return kept;
  };
  return letters(one) == letters(other);
}

std::string fault_of(const std::string& symbol) {
  const bool plain = std::none_of(symbol.begin(), symbol.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= ' ' || byte == 0x7f || c == ',' || c == '"';
  });
  if (!symbol.empty() && symbol.size() <= kLongestSymbol && plain) return {};
  return "\"" + symbol.substr(0, 80) + "\" is no symbol: it must have 1 to " +
         std::to_string(kLongestSymbol) + " characters, no space, comma or quote among them";
}

/// Calls change(feed, symbol) for each on a copy, which is taken where all went well.
template <typename Change>
std::string change_symbols(Config& config, const std::string& feed_name,
                           const std::vector<std::string>& symbols, const Change& change) {
  Config changed = config;
  std::string error;
  FeedConfig* feed = find_feed(changed, feed_name, error);
  if (feed == nullptr) return error;
  if (symbols.empty()) return "no symbol was named";
  for (const std::string& symbol : symbols) {
    error = fault_of(symbol);
    if (error.empty()) error = change(*feed, symbol);
    if (!error.empty()) return error;
  }
  if (feed->symbols.empty())
    return "no symbol would be left of " + feed_name + ": a feed goes with a reload of the configuration";
  const auto faults = check_config(changed);
  if (!faults.empty()) return faults.front().key + " " + faults.front().message;
  config = std::move(changed);
  return {};
}

}  // namespace

std::string add_symbols(Config& config, const std::string& feed_name,
                        const std::vector<std::string>& symbols) {
  return change_symbols(config, feed_name, symbols, [&](FeedConfig& feed, const std::string& symbol) {
    if (erase(feed.exclude, symbol)) {
      const bool taken = std::any_of(feed.symbols.begin(), feed.symbols.end(),
                                     [&](const std::string& each) { return matches(each, symbol); });
      if (taken) return std::string();
    }
    // Nothing would be added: the exchange's list tells that both are one instrument.
    const auto as = std::find_if(feed.exclude.begin(), feed.exclude.end(),
                                 [&](const std::string& each) { return same_letters(each, symbol); });
    if (as != feed.exclude.end())
      return symbol + " is excluded from " + feed_name + " as " + *as + ": add it by that name";
    if (holds(feed.symbols, symbol)) return symbol + " is among the symbols of " + feed_name + " already";
    feed.symbols.push_back(symbol);
    return std::string();
  });
}

std::string remove_symbols(Config& config, const std::string& feed_name,
                           const std::vector<std::string>& symbols) {
  return change_symbols(config, feed_name, symbols, [&](FeedConfig& feed, const std::string& symbol) {
    if (holds(feed.exclude, symbol)) return symbol + " is excluded from " + feed_name + " already";
    const bool named = erase(feed.symbols, symbol);
    // It may also be called by another name, or be taken by a pattern.
    const bool patterns = std::any_of(feed.symbols.begin(), feed.symbols.end(), is_pattern);
    if (!named || (patterns && !is_pattern(symbol))) feed.exclude.push_back(symbol);
    return std::string();
  });
}

}  // namespace atcd::daemon
