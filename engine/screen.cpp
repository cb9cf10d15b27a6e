#include "engine/screen.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/dispatch.hpp"

namespace atcd::engine {
namespace {

// KAMA forgets within some 250 bars whatever its length, the others within some multiples of theirs: from
// here on more bars find no more of the series that are looked for (perf/NOTES.md).
constexpr std::int64_t kFewestBars = 500;
constexpr std::int64_t kLengthsBack = 18;

// Which of a family's lengths the two estimates take: the base, and the last but one of the longer ones.
constexpr std::array<std::size_t, 2> kLengthOf = {0, 3};

ScreenConstants constants_of(const Parameters& parameters, std::size_t which) {
  ScreenConstants c{};
  c.pine = parameters.dialect == Dialect::pine;
  c.strategy_mode = parameters.strategy_mode && !c.pine;
  const auto& families = parameters.families;
  const auto first =
      static_cast<std::size_t>(std::find(families.begin(), families.end(), true) - families.begin());
  for (std::size_t f = 0; f < kFamilies; ++f) {
    c.chosen[f] = families[f];
    const int base = parameters.lengths[families[f] ? f : first];
    c.length[f] = family_lengths(base, parameters.robustness)[which];
    c.start[f] = static_cast<float>(parameters.weights[f]);
  }
  const int hull = c.length[static_cast<std::size_t>(Family::hma)];
  c.half = std::max(1, hull / 2);
  c.root = static_cast<int>(std::sqrt(static_cast<double>(hull)));
  c.longest = *std::max_element(c.length, c.length + kFamilies);
  c.keep = static_cast<float>(1 - parameters.decay / 100);
  c.cut_above = static_cast<float>(c.pine ? 0.49 : parameters.long_threshold);
  c.cut_below = static_cast<float>(c.pine ? -0.49 : parameters.short_threshold);
  return c;
}

/// The newest `bars` of a column into one lane, relative to `scale`; before its first value that one again.
void pack(std::span<const double> column, double scale, std::size_t bars, std::size_t lanes, float* to) {
  const auto newest = column.last(std::min(bars, column.size()));
  double value = scale;
  for (const double first : newest) {
    if (std::isnan(first)) continue;
    value = first;
    break;
  }
  for (std::size_t i = 0; i < bars; ++i) {
    const std::size_t back = bars - i;
    if (back <= newest.size() && !std::isnan(newest[newest.size() - back]))
      value = newest[newest.size() - back];
    to[i * lanes] = static_cast<float>(value / scale);
  }
}

double scale_of(const BatchInput& input, std::size_t bars) {
  for (const double close : input.closes.last(std::min(bars, input.closes.size()))) {
    if (!std::isnan(close)) return close;
  }
  return 1;
}

}  // namespace

Screen::Screen(const Plan& plan) : Screen(plan, best_kernel()) {}

Screen::Screen(const Plan& plan, const Kernel& kernel)
    : kernel_(kernel),
      constants_{constants_of(plan.parameters(), kLengthOf[0]),
                 constants_of(plan.parameters(), kLengthOf[1])},
      bars_(std::max<std::int64_t>(kFewestBars, kLengthsBack * constants_[0].longest)) {
  constants_[0].longest = constants_[1].longest;  // one layout for both
}

void Screen::run(std::span<const BatchInput> inputs, std::span<double> estimates) const {
  const auto lanes = static_cast<std::size_t>(kernel_.screen_lanes);
  const auto before = static_cast<std::size_t>(constants_[1].longest) + 1;
  const auto root = static_cast<std::size_t>(constants_[1].root);
  const auto bars = static_cast<std::size_t>(bars_);
  const std::size_t rows = before + bars;
  std::vector<float> closes(rows * lanes), sources(rows * lanes), raws((root + bars) * lanes);
  std::vector<float> sums(3 * before * lanes), last(lanes);
  for (std::size_t begin = 0; begin < inputs.size(); begin += lanes) {
    const auto group = inputs.subspan(begin, std::min(lanes, inputs.size() - begin));
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const BatchInput& input = group[std::min(lane, group.size() - 1)];
      const double scale = scale_of(input, bars);
      // Rows that a series does not reach back to, and those in front, are its first value.
      pack(input.closes.last(std::min(bars, input.closes.size())), scale, rows, lanes, closes.data() + lane);
      const auto source = input.sources.empty() ? input.closes : input.sources;
      pack(source.last(std::min(bars, source.size())), scale, rows, lanes, sources.data() + lane);
    }
    for (const ScreenConstants& constants : constants_) {
      kernel_.screen(constants,
                     {bars_, closes.data(), sources.data(), raws.data(), sums.data(), last.data()});
      for (std::size_t lane = 0; lane < group.size(); ++lane) {
        double& estimate = estimates[begin + lane];
        // What single precision can't hold is for the exact pass to decide.
        const double other = std::isnan(last[lane]) ? 1 : last[lane];
        estimate = &constants == &constants_[0] ? other : std::max(estimate, other);
      }
    }
  }
}

}  // namespace atcd::engine
