#pragma once

#include <cstdint>
#include <string>

#include "daemon/pipeline_status.hpp"

namespace atcd::daemon {

/// The status as one JSON object with a line's end: what /status serves. Times are UTC in milliseconds, null
/// where there is none; durations are in seconds.
std::string status_json(const PipelineStatus& status, std::int64_t now_us);

}  // namespace atcd::daemon
