#include "engine/plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "engine/growth.hpp"

namespace atcd::engine {
namespace {

constexpr double kEquityFloor = 0.25;
constexpr double kPineCut = 0.49;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
// What a Hull average of length 1 takes for half of its length.
constexpr int kHalfOfOne = 10;

double triangle(double length) { return length * (length + 1) / 2; }

struct Inverse {
  double high;
  double low;
};

/// See PlanConstants::Inverses. 0 has none.
Inverse inverse_of(double divisor) {
  if (divisor == 0) return {std::nan(""), std::nan("")};
  double high = 1 / divisor;
  double rest = std::fma(-high, divisor, 1.0);  // exact
  if (rest < 0) {
    high = std::nextafter(high, 0.0);
    rest = std::fma(-high, divisor, 1.0);
  }
  // A power of two leaves no rest: one so small keeps every quotient, and lets infinity stay infinite. A
  // smaller one would make subnormal products of usual prices, for each of which processors stop some 150
  // cycles.
  return {high, rest == 0 ? 0x1p-900 : rest / divisor};
}

void set_inverse(PlanConstants::Inverses& inverses, std::size_t i, double divisor) {
  const Inverse inverse = inverse_of(divisor);
  inverses.high[i] = inverse.high;
  inverses.low[i] = inverse.low;
}

void set_window(std::int64_t length, std::int64_t& before, double& count) {
  before = length - 1;
  count = static_cast<double>(length);
}

void set_alpha(std::int64_t length, double& count, double& alpha, double& keep) {
  count = static_cast<double>(length);
  alpha = 2.0 / (count + 1);
  keep = 1 - alpha;
}

std::int64_t integer_root(int length) {
  return static_cast<std::int64_t>(std::sqrt(static_cast<double>(length)));
}

void set_hull(PlanConstants& c, std::size_t i, int length) {
  set_window(length, c.hma_before.at[i], c.hma_count[i]);
  set_inverse(c.hma_inverse, i, c.pine ? c.hma_count[i] : triangle(c.hma_count[i]));
  set_window(length / 2 == 0 ? kHalfOfOne : length / 2, c.half_before.at[i], c.half_count[i]);
  set_inverse(c.half_inverse, i, triangle(c.half_count[i]));
  c.root_length[i] = integer_root(length);
  c.root_count[i] = static_cast<double>(c.root_length[i]);
  set_inverse(c.root_inverse, i, triangle(c.root_count[i]));
}

void set_line(PlanConstants& c, std::size_t i, int length) {
  set_window(length, c.lsma_before.at[i], c.lsma_count[i]);
  set_inverse(c.lsma_inverse, i, triangle(c.lsma_count[i]));
  set_inverse(c.lsma_mean_inverse, i, c.lsma_count[i]);
  set_inverse(c.lsma_step_inverse, i, c.lsma_count[i] - 1);
  const bool point = c.pine && length == 1;
  c.lsma_by_wma[i] = point ? 1 : 3;
  c.lsma_by_sma[i] = point ? 0 : 2;
}

bool has(const PlanConstants& c, Family family) {
  return (c.families >> static_cast<unsigned>(family) & 1) != 0;
}

void set_families(PlanConstants& c, const Parameters& parameters) {
  for (std::size_t f = 0; f < kFamilies; ++f) c.families |= (parameters.families[f] ? 1U : 0U) << f;
  c.all_families = c.families == (1U << kFamilies) - 1;
}

/// Base lengths with which every family can be computed: one that is not gets that of the first that is.
std::array<int, kFamilies> legal_lengths(const Parameters& parameters) {
  const auto first = std::find(parameters.families.begin(), parameters.families.end(), true);
  std::array<int, kFamilies> lengths = parameters.lengths;
  for (std::size_t f = 0; f < kFamilies; ++f) {
    if (!parameters.families[f])
      lengths[f] = parameters.lengths[static_cast<std::size_t>(first - parameters.families.begin())];
  }
  return lengths;
}

void set_averages(PlanConstants& c, const std::array<int, kFamilies>& bases, Robustness robustness) {
  const auto lengths = [&](Family family) {
    return family_lengths(bases[static_cast<std::size_t>(family)], robustness);
  };
  for (std::size_t i = 0; i < kLengthsPerFamily; ++i) {
    c.ema_length[i] = lengths(Family::ema)[i];
    set_alpha(c.ema_length[i], c.ema_count[i], c.ema_alpha[i], c.ema_keep[i]);
    set_hull(c, i, lengths(Family::hma)[i]);
    set_window(lengths(Family::wma)[i], c.wma_before.at[i], c.wma_count[i]);
    set_inverse(c.wma_inverse, i, triangle(c.wma_count[i]));
    c.dema_length[i] = lengths(Family::dema)[i];
    set_alpha(c.dema_length[i], c.dema_count[i], c.dema_alpha[i], c.dema_keep[i]);
    set_line(c, i, lengths(Family::lsma)[i]);
    c.kama_length[i] = lengths(Family::kama)[i];
    set_window(c.kama_length[i], c.kama_before.at[i], c.kama_count[i]);
    c.kama_oldest.at[i] = 1 - c.kama_length[i];
  }
}

std::int64_t longest(const PlanConstants::Lengths& values) {
  return *std::max_element(std::begin(values), std::begin(values) + PlanConstants::kLengths);
}

std::int64_t shortest(const PlanConstants::Lengths& values) {
  return *std::min_element(std::begin(values), std::begin(values) + PlanConstants::kLengths);
}

/// What one scan has to visit for the families that are computed.
void set_scans(PlanConstants& c) {
  struct Window {
    Family family;
    const PlanConstants::Lengths& visits;
    const PlanConstants::Places& read;  // where the partial sums are
  };
  for (PlanConstants::Places* const places :
       {&c.hma_before, &c.half_before, &c.wma_before, &c.lsma_before, &c.kama_before, &c.kama_oldest}) {
    places->least = shortest(places->at);
  }
  const Window windows[] = {{Family::hma, c.hma_before.at, c.hma_before},
                            {Family::hma, c.half_before.at, c.half_before},
                            {Family::wma, c.wma_before.at, c.wma_before},
                            {Family::lsma, c.lsma_before.at, c.lsma_before},
                            {Family::kama, c.kama_length, c.kama_before}};
  std::int64_t unread = std::numeric_limits<std::int64_t>::max();
  for (const Window& window : windows) {
    if (!has(c, window.family)) continue;
    c.scan_settled = std::max(c.scan_settled, longest(window.visits));
    unread = std::min(unread, window.read.least - 1);
  }
  c.scan_unread = c.scan_settled == 0 ? 0 : std::max<std::int64_t>(0, unread);
  c.longest_root = has(c, Family::hma) ? longest(c.root_length) : 1;
  const std::int64_t ema = has(c, Family::ema) ? longest(c.ema_length) : 0;
  const std::int64_t dema = has(c, Family::dema) ? longest(c.dema_length) : 0;
  const std::int64_t kama = has(c, Family::kama) ? longest(c.kama_length) : 0;
  c.scan_warm = std::max({c.scan_settled, ema - 1, dema - 1});
  const std::int64_t hull = has(c, Family::hma) ? longest(c.hma_before.at) + 1 + c.longest_root : 0;
  c.warm_bars = std::max({ema, (c.pine ? 2 : 1) * dema, std::min<std::int64_t>(kama, 1)});
  c.careful_bars = std::max({c.warm_bars, kama, hull});
}

/// What layer 1 is rounded to.
double two_decimals(bool pine, double value) {
  const double hundredths = value * 100;
  return (pine ? std::round(hundredths) : std::nearbyint(hundredths)) / 100;
}

/// The least of the doubles for which the condition holds, a little below or above `near`.
template <class Condition>
double least(double near, const Condition& holds) {
  while (holds(near)) near = std::nextafter(near, -kInfinity);
  while (!holds(near)) near = std::nextafter(near, kInfinity);
  return near;
}

/// The least value before rounding of which the condition holds after it; infinite where it holds of all or
/// of none. Once it holds, it holds of all that are greater.
template <class Condition>
double least_unrounded(bool pine, const Condition& holds) {
  for (int hundredths = -100; hundredths <= 100; ++hundredths) {
    if (!holds(hundredths / 100.0)) continue;
    if (hundredths == -100) return -kInfinity;
    return least((hundredths - 0.5) / 100, [&](double value) { return holds(two_decimals(pine, value)); });
  }
  return kInfinity;
}

/// Half of the way to the next lesser double.
double half_gap_below(double value) {
  return std::isfinite(value) ? (value - std::nextafter(value, -kInfinity)) / 2 : 0;
}

std::shared_ptr<const std::vector<double>> growth_since_cutout(double lambda, std::int64_t bars) {
  auto growth = std::make_shared<std::vector<double>>();
  growth->reserve(static_cast<std::size_t>(bars));
  for (std::int64_t k = 0; k < bars; ++k) growth->push_back(growth_factor(lambda / 1000, k));
  return growth;
}

void set_cuts(PlanConstants& c, double above, double below) {
  c.cut_above = above;
  c.cut_below = below;
  c.cut_least_above = least_unrounded(c.pine, [=](double value) { return value > above; });
  // Rounding knows no sign.
  c.cut_most_below = -least_unrounded(c.pine, [=](double value) { return -value < below; });
  c.cut_above_half_gap = half_gap_below(c.cut_least_above);
  c.cut_below_half_gap = half_gap_below(-c.cut_most_below);
}

}  // namespace

std::int64_t minimum_bars(const Parameters& parameters) {
  std::int64_t bars = std::max<std::int64_t>(1, parameters.cutout + 1);
  for (std::size_t f = 0; parameters.dialect == Dialect::lts && f < kFamilies; ++f) {
    if (!parameters.families[f] || static_cast<Family>(f) == Family::kama) continue;
    for (const int length : family_lengths(parameters.lengths[f], parameters.robustness))
      bars = std::max<std::int64_t>(bars, length);
  }
  return bars;
}

Plan::Plan(const Parameters& parameters, const Plan* other, bool table) : parameters_(parameters) {
  const auto errors = validate(parameters);
  if (!errors.empty()) {
    std::string message;
    for (const auto& error : errors) message += (message.empty() ? "" : "; ") + error;
    throw std::invalid_argument(message);
  }
  auto constants = std::make_unique<PlanConstants>();
  PlanConstants& c = *constants;
  c.pine = parameters.dialect == Dialect::pine;
  c.strategy_mode = parameters.strategy_mode && !c.pine;  // in pine it changes only what a chart shows
  set_families(c, parameters);
  const std::array<int, kFamilies> lengths = legal_lengths(parameters);
  c.same_lengths = std::equal(lengths.begin() + 1, lengths.end(), lengths.begin());
  const Parameters usual;
  c.usual_lengths = parameters.lengths == usual.lengths && parameters.robustness == usual.robustness;
  c.cutout = parameters.cutout;
  set_averages(c, lengths, parameters.robustness);
  set_scans(c);
  const Inverse hundredth = inverse_of(100);
  c.hundredth_high = hundredth.high;
  c.hundredth_low = hundredth.low;
  c.equity_keep = 1 - parameters.decay / 100;
  for (std::size_t f = 0; f < kFamilies; ++f) {
    if (!parameters.families[f]) {
      c.layer1_start[f] = c.layer2_start[f] = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    c.layer1_start[f] = 1;
    // The floor holds at the first bar too: in pine's vectors, and in adaptive_trend_LTS's equity_series.
    const double weight = parameters.weights[f];
    c.layer2_start[f] = weight < kEquityFloor ? kEquityFloor : weight;
  }
  set_cuts(c, c.pine ? kPineCut : parameters.long_threshold, c.pine ? -kPineCut : parameters.short_threshold);
  c.trend_above = parameters.long_threshold;
  c.trend_below = parameters.short_threshold;
  constants_ = std::move(constants);

  const bool shared = other != nullptr && other->parameters_.lambda == parameters.lambda;
  growth_ = shared ? other->growth_ : growth_since_cutout(parameters.lambda, table ? kGrowthTable : 0);
  table_ = static_cast<std::int64_t>(growth_->size());
  minimum_bars_ = engine::minimum_bars(parameters);
}

std::int64_t Plan::first_defined_bar(Family family, int length) const {
  const bool pine = parameters_.dialect == Dialect::pine;
  if (!has(*constants_, family)) return -1;
  switch (family) {
    case Family::hma: {
      if (pine) break;
      const std::int64_t half = length / 2 == 0 ? kHalfOfOne : length / 2;
      return std::max<std::int64_t>(length, half) - 1 + integer_root(length) - 1;
    }
    case Family::dema:
      return pine ? 2 * length - 2 : length - 1;
    case Family::lsma:
      return !pine && length == 1 ? -1 : length - 1;
    case Family::kama:
      return 0;
    case Family::ema:
    case Family::wma:
      break;
  }
  return length - 1;
}

double Plan::growth(std::int64_t bar_index) const {
  const std::int64_t k = bar_index - parameters_.cutout;
  if (k >= 0 && k < table_) return (*growth_)[static_cast<std::size_t>(k)];
  return growth_factor(parameters_.lambda / 1000, k);
}

std::vector<double> Plan::growth_table(std::int64_t bars) const {
  std::vector<double> table;
  table.reserve(static_cast<std::size_t>(bars));
  for (std::int64_t i = 0; i < bars; ++i) table.push_back(growth(i));
  return table;
}

}  // namespace atcd::engine
