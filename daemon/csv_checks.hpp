#pragma once

#include <cstddef>
#include <string>

#include "daemon/csv_table.hpp"
#include "engine/interval.hpp"
#include "engine/parameters.hpp"

namespace atcd::daemon {

/// Why values of the bars from `begin` on, or their times, are refused: a sentence that names line and value;
/// empty when they are not. The bar before `begin`, if any, has passed.
std::string check_values(const CsvBars& bars, std::size_t begin, engine::Dialect dialect);
std::string check_times(const CsvBars& bars, std::size_t begin, const engine::Interval& interval);
/// The same where the interval is not known.
std::string check_order_of_times(const CsvBars& bars, std::size_t begin);

}  // namespace atcd::daemon
