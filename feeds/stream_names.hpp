#pragma once

#include <cstddef>
#include <functional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "feeds/exchange.hpp"
#include "feeds/feed.hpp"

namespace atcd::feeds {

/// Finds a stream by the symbol and interval of a frame without building a string.
class StreamNames {
 public:
  /// False when the name is there already.
  bool add(const StreamName& name, StreamIndex stream) { return streams_.emplace(name, stream).second; }
  void erase(const StreamName& name) { streams_.erase(name); }
  /// Null for a name that was not added.
  const StreamIndex* find(std::string_view symbol, std::string_view interval) const {
    const auto found = streams_.find(View(symbol, interval));
    return found == streams_.end() ? nullptr : &found->second;
  }

 private:
  using View = std::pair<std::string_view, std::string_view>;
  static View view(const View& name) { return name; }
  static View view(const StreamName& name) { return {name.symbol, name.interval}; }

  struct Hash {
    using is_transparent = void;
    template <class Name>
    std::size_t operator()(const Name& name) const {
      const std::hash<std::string_view> hash;
      return hash(view(name).first) * 31 + hash(view(name).second);
    }
  };
  struct Equal {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return view(a) == view(b);
    }
  };

  std::unordered_map<StreamName, StreamIndex, Hash, Equal> streams_;
};

}  // namespace atcd::feeds
