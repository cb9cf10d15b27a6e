#pragma once

#include <string>
#include <utility>
#include <vector>

#include "state/publish_function.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::state {

using Answer = std::vector<std::string>;
using Pairs = std::vector<std::pair<std::string, std::string>>;

inline constexpr const char* kStream = "atc:1:{g}:stream:S";
inline constexpr const char* kLast = "atc:1:{g}:last:S";
inline constexpr const char* kAll = "atc:1:{g}:all";
inline constexpr const char* kChannel = "atc:1:signal:s";

/// One call of the publish function, as the daemon makes it but with few fields.
struct Call {
  std::string close_ms, prev;
  std::string average = "0.5";
  std::string replaces = "-";
  bool push = false;
  std::string keep = "1000", group_keep = "1000";
  std::string gap_from_ms = {};
  std::string source = "live";

  std::vector<std::string> command() const {
    Pairs content = {{"close", "100.5"}, {"average", average}, {"trend", "1"}, {"previous_trend", "-1"}};
    Pairs others = {{"symbol", "S"}, {"close_ms", close_ms}, {"source", source}};
    if (!gap_from_ms.empty()) others.emplace_back("gap_from_ms", gap_from_ms);
    std::vector<std::string> command = {"FCALL",   std::string(kPublishFunction),
                                        "3",       kStream,
                                        kLast,     kAll,
                                        close_ms,  prev,
                                        replaces,  push ? "1" : "0",
                                        kChannel,  keep,
                                        group_keep};
    for (const Pairs& pairs : {content, others}) {
      command.push_back(std::to_string(pairs.size()));
      for (const auto& [name, value] : pairs) {
        command.push_back(name);
        command.push_back(value);
      }
    }
    command.push_back(R"({"close_ms":)" + close_ms + R"(,"rev":0,"text":"\"rev\":0"})");
    return command;
  }
};

}  // namespace atcd::state
