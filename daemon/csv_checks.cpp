#include "daemon/csv_checks.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace atcd::daemon {
namespace {

constexpr std::int64_t kLastTimeMs = 253'402'300'799'999;  // the end of the year 9999

std::string shortest(double value) {
  std::array<char, 32> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value).ptr};
}

/// `check`: what is wrong with a time that is neither too late nor out of order; the end of a sentence.
template <class Check>
std::string check_each_time(const CsvBars& bars, std::size_t begin, const Check& check) {
  for (std::size_t i = begin; i < bars.size(); ++i) {
    const std::int64_t open_ms = bars.open_ms[i];
    const bool far = open_ms < -kLastTimeMs || open_ms > kLastTimeMs;  // there is no abs() of the least
    std::string wrong = far ? ", but must lie before the year 10000" : check(open_ms);
    if (wrong.empty() && i > 0 && open_ms <= bars.open_ms[i - 1])
      wrong = ", but must be later than that of the bar before";
    if (!wrong.empty())
      return "line " + std::to_string(bars.lines[i]) + ": open_ms is " + std::to_string(open_ms) + wrong;
  }
  return {};
}

}  // namespace

std::string check_values(const CsvBars& bars, std::size_t begin, engine::Dialect dialect) {
  const bool pine = dialect == engine::Dialect::pine;
  const auto refuse = [&](const char* column, std::size_t i, double value, const char* allowed) {
    return "line " + std::to_string(bars.lines[i]) + ": " + column + " is " +
           (std::isnan(value) ? "missing" : shortest(value)) + ", but must be " + allowed;
  };
  for (std::size_t i = begin; i < bars.size(); ++i) {
    const double close = bars.closes[i];
    if (std::isnan(close) ? pine : !(std::isfinite(close) && close > 0)) {
      return refuse("close", i, close,
                    pine ? "a finite number above 0" : "a finite number above 0, or empty");
    }
    if (bars.sources.empty()) continue;
    const double source = bars.sources[i];
    if (std::isinf(source) || (pine && std::isnan(source)))
      return refuse("src", i, source, pine ? "a finite number" : "a finite number, or empty");
  }
  return {};
}

std::string check_times(const CsvBars& bars, std::size_t begin, const engine::Interval& interval) {
  if (bars.open_ms.empty()) return "--live-anchors needs a column open_ms, which the header does not have";
  return check_each_time(bars, begin, [&](std::int64_t open_ms) {
    return interval.is_boundary(open_ms) ? std::string() : ", which is no boundary of " + interval.text();
  });
}

std::string check_order_of_times(const CsvBars& bars, std::size_t begin) {
  if (bars.open_ms.empty()) return "the times are needed: a column open_ms, which the header does not have";
  return check_each_time(bars, begin, [](std::int64_t) { return std::string(); });
}

}  // namespace atcd::daemon
