#pragma once

#include <cstdint>
#include <string>

#include "daemon/pipeline_status.hpp"
#include "daemon/process_stats.hpp"

namespace atcd::daemon {

/// All metrics in Prometheus' text format (deploy/metrics.md lists them). Every family is there from the
/// start; none has a label for a series, so that their number does not grow with the symbols.
std::string metrics_text(const PipelineStatus& status, const ProcessStats& process, std::int64_t now_us);

}  // namespace atcd::daemon
