#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "daemon/compute_options.hpp"
#include "daemon/csv_table.hpp"

namespace atcd::daemon {

/// Adds the next bars, at most so many, to those that are there; fewer: those were the last. A sentence where
/// they can't be had; empty when all is well.
using ReadBars = std::function<std::string(std::size_t most, CsvBars& bars)>;
/// Takes the output as it comes, in pieces of whole rows; false: it takes no more.
using WriteText = std::function<bool(std::string_view)>;

/// As many bars, or fewer, are computed as a whole, and nothing is written where they are refused.
inline constexpr std::size_t kWholeBars = std::size_t{1} << 17;

/// Writes the CSV text, header included, of the signals of all bars. More than whole_bars are computed bar by
/// bar with the path's kernel as they come: memory does not grow with their number (with live anchors it
/// holds the bars since the anchor). A sentence that names the line and the value where the input is refused:
/// what lay more than whole_bars before that is written then. Path cuda needs a planner, and refuses more
/// than whole_bars: the device has no bar by bar. The options must have passed check_options().
std::string compute_csv(const ComputeOptions& options, const ReadBars& read, const WriteText& write,
                        std::size_t whole_bars = kWholeBars);

}  // namespace atcd::daemon
