#include "daemon/symbols.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <numeric>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace atcd::daemon {
namespace {

bool is_pattern(std::string_view text) { return text.find('*') != std::string_view::npos; }

/// An instrument by all its names.
struct Named {
  explicit Named(const feeds::SymbolInfo& symbol)
      : info(symbol),
        pair(symbol.base.empty() ? "" : symbol.base + "/" + symbol.quote),
        common(common_symbol(symbol)) {}

  bool called(std::string_view text) const {
    if (!is_common(text)) return matches(text, info.symbol);
    return !pair.empty() && (matches(text, pair) || matches(text, common));
  }
  bool called_any(const std::vector<std::string>& texts) const {
    return std::any_of(texts.begin(), texts.end(), [this](const std::string& text) { return called(text); });
  }

  const feeds::SymbolInfo& info;
  std::string pair, common;
};

constexpr std::size_t kFarthest = 2;  // edits between a name and one that may have been meant

char capital(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

/// How many characters have to be put in, left out or exchanged; whether they are capitals does not count.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t before = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t exchanged = before + (capital(a[i]) == capital(b[j]) ? 0U : 1U);
      before = row[j + 1];
      row[j + 1] = std::min({exchanged, before + 1, row[j] + 1});
    }
  }
  return row[b.size()];
}

/// The listed name that is nearest; empty where none is near.
std::string near_miss(std::string_view text, const std::vector<Named>& listed) {
  std::string nearest;
  std::size_t least = kFarthest + 1;
  const auto look_at = [&](const std::string& name) {
    const std::size_t longer = std::max(name.size(), text.size()),
                      shorter = std::min(name.size(), text.size());
    if (name.empty() || longer - shorter >= least) return;
    if (const std::size_t far = distance(text, name); far < least) {
      least = far;
      nearest = name;
    }
  };
  for (const Named& each : listed) look_at(is_common(text) ? each.common : each.info.symbol);
  const std::size_t colon = text.find(':');
  if (!nearest.empty() || !is_common(text)) return nearest;
  for (const Named& each : listed) {  // what is settled otherwise, or not at all
    if (!each.pair.empty() && each.pair == text.substr(0, colon)) return each.common;
  }
  for (const Named& each : listed) look_at(each.pair);
  return nearest;
}

Unresolved unknown(const std::string& text, const std::vector<Named>& listed) {
  const std::string near = near_miss(text, listed);
  return {text, "does not list " + text + (near.empty() ? "" : " (near is " + near + ")")};
}

constexpr std::size_t kMostNamed = 10;  // in one sentence

Unresolved several(const std::string& text, const std::vector<const Named*>& called) {
  Unresolved unresolved{
      text, "lists " + std::to_string(called.size()) + " instruments as " + text + ", name one: "};
  for (std::size_t i = 0; i < called.size(); ++i) {
    unresolved.instruments.push_back(called[i]->info);
    if (i == kMostNamed) unresolved.reason += ", ...";
    if (i >= kMostNamed) continue;
    unresolved.reason += (i == 0 ? "" : ", ") + called[i]->info.symbol + " (" + called[i]->common + ")";
  }
  return unresolved;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view symbol) {
  std::size_t p = 0, s = 0, star = std::string_view::npos, resume = 0;
  while (s < symbol.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = s;
    } else if (p < pattern.size() && pattern[p] == symbol[s]) {
      ++p;
      ++s;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      s = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_common(std::string_view text) { return text.find('/') != std::string_view::npos; }

bool has_patterns(const FeedConfig& feed) {
  return feed.top > 0 || std::any_of(feed.symbols.begin(), feed.symbols.end(), is_pattern);
}

bool may_have(const FeedConfig& feed, const feeds::SymbolInfo& symbol) {
  const Named named(symbol);
  return named.called_any(feed.symbols) && !named.called_any(feed.exclude);
}

std::string common_symbol(const feeds::SymbolInfo& symbol) {
  if (symbol.base.empty()) return "";
  std::string text = symbol.base + "/" + symbol.quote;
  if (!symbol.settle.empty()) text += ":" + symbol.settle;
  if (symbol.delivery_ms == 0) return text;
  using namespace std::chrono;
  const year_month_day date(floor<days>(sys_time<milliseconds>(milliseconds(symbol.delivery_ms))));
  std::array<char, 32> digits{};
  std::snprintf(digits.data(), digits.size(), "-%02d%02u%02u", static_cast<int>(date.year()) % 100,
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
  return text + digits.data();
}

ResolvedSymbols resolve_symbols(const FeedConfig& feed, std::span<const feeds::SymbolInfo> listed) {
  const std::vector<Named> all(listed.begin(), listed.end());
  ResolvedSymbols resolved;
  // The instruments that are named outright, of each text the one that it names.
  std::vector<std::string> patterns;
  std::unordered_set<std::string_view> named;
  std::unordered_map<std::string_view, std::vector<const Named*>> by_name;
  for (const Named& each : all) {
    by_name[each.info.symbol].push_back(&each);
    if (!each.pair.empty()) by_name[each.pair].push_back(&each);
    if (each.common != each.pair) by_name[each.common].push_back(&each);
  }
  for (const std::string& text : feed.symbols) {
    if (is_pattern(text)) {
      patterns.push_back(text);
      continue;
    }
    const std::vector<const Named*>& called = by_name[text];
    if (called.size() == 1) {
      named.insert(called[0]->info.symbol);
    } else {
      resolved.unresolved.push_back(called.empty() ? unknown(text, all) : several(text, called));
    }
  }
  for (const Named& each : all) {
    const bool wanted = named.contains(each.info.symbol) || (each.info.trading && each.called_any(patterns));
    if (wanted && !each.called_any(feed.exclude)) resolved.symbols.push_back(each.info);
  }
  const auto top = static_cast<std::size_t>(feed.top);
  if (top > 0 && resolved.symbols.size() > top) {
    std::stable_sort(resolved.symbols.begin(), resolved.symbols.end(),
                     [](const feeds::SymbolInfo& a, const feeds::SymbolInfo& b) {
                       return a.quote_volume_24h > b.quote_volume_24h;
                     });
    resolved.symbols.resize(top);
  }
  return resolved;
}

}  // namespace atcd::daemon
