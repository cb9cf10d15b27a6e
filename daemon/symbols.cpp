#include "daemon/symbols.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <vector>

namespace atcd::daemon {
namespace {

bool is_pattern(std::string_view text) { return text.find('*') != std::string_view::npos; }

bool any_matches(const std::vector<std::string>& patterns, std::string_view symbol) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [symbol](const std::string& pattern) { return matches(pattern, symbol); });
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

bool has_patterns(const FeedConfig& feed) {
  return feed.top > 0 || std::any_of(feed.symbols.begin(), feed.symbols.end(), is_pattern);
}

bool may_have(const FeedConfig& feed, std::string_view symbol) {
  return any_matches(feed.symbols, symbol) && !any_matches(feed.exclude, symbol);
}

ResolvedSymbols resolve_symbols(const FeedConfig& feed, std::span<const feeds::SymbolInfo> listed) {
  ResolvedSymbols resolved;
  const std::unordered_set<std::string_view> names(feed.symbols.begin(), feed.symbols.end());
  std::vector<std::string> patterns;
  std::copy_if(feed.symbols.begin(), feed.symbols.end(), std::back_inserter(patterns), is_pattern);
  std::unordered_set<std::string_view> known;
  for (const feeds::SymbolInfo& info : listed) {
    known.insert(info.symbol);
    const bool wanted = names.contains(info.symbol) || (info.trading && any_matches(patterns, info.symbol));
    if (wanted && !any_matches(feed.exclude, info.symbol)) resolved.symbols.push_back(info);
  }
  for (const std::string& symbol : feed.symbols) {
    if (!known.contains(symbol) && !is_pattern(symbol)) resolved.unknown.push_back(symbol);
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
