#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "daemon/log.hpp"
#include "state/publisher.hpp"

namespace atcd::daemon {

// What the publisher tells, as it stands in the log.

inline Level level_of(state::PublishEvent event) {
  switch (event) {
    case state::PublishEvent::refused:
    case state::PublishEvent::instance_taken:
    case state::PublishEvent::stopped:
    case state::PublishEvent::conflict:
      return Level::error;
    case state::PublishEvent::disconnected:
    case state::PublishEvent::unknown:
      return Level::warning;
    case state::PublishEvent::connected:
    case state::PublishEvent::moved:
    case state::PublishEvent::backfilled:
      return Level::info;
    case state::PublishEvent::published:
    case state::PublishEvent::same:
    case state::PublishEvent::behind:
      break;
  }
  return Level::debug;
}

inline constexpr std::array<std::string_view, 12> kPublishEventNames = {
    "redis_connected", "redis_disconnected", "redis_refused", "instance_taken",    "redis_moved",
    "series_stopped",  "conflict",           "published",     "published_already", "behind",
    "unknown",         "backfilled"};
static_assert(static_cast<std::size_t>(state::PublishEvent::backfilled) + 1 == kPublishEventNames.size());

inline std::string_view name_of(state::PublishEvent event) {
  return kPublishEventNames[static_cast<std::size_t>(event)];
}

}  // namespace atcd::daemon
