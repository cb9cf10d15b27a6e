#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/constants.hpp"
#include "engine/parameters.hpp"

namespace atcd::engine {

/// The fewest bars that can be computed with valid parameters: see Plan::minimum_bars.
std::int64_t minimum_bars(const Parameters& parameters);

/// One set of parameters compiled to the constants that the kernels read. Immutable, so any number of series
/// and threads may share it.
class Plan {
 public:
  /// Growth factors held as a table, in 64 KB; later ones are computed when they are asked for (the same
  /// bits).
  static constexpr std::int64_t kGrowthTable = 8192;

  /// Throws std::invalid_argument with the sentences of validate() where there are any. `other`: a plan whose
  /// growth table is shared where it has the same lambda, for the table takes most of the time; may be null.
  /// `table`: false where plans are so many that none may have a table of its own.
  explicit Plan(const Parameters& parameters, const Plan* other = nullptr, bool table = true);

  const Parameters& parameters() const { return parameters_; }
  const PlanConstants& constants() const { return *constants_; }

  /// The fewest bars that the contract accepts: lts the longest length of the chosen families outside KAMA
  /// (1 where only KAMA is chosen), pine 1; in both more than the cutout.
  std::int64_t minimum_bars() const { return minimum_bars_; }
  /// Bars before the first defined layer-1 value and equity (in pine of the average too): the cutout.
  std::int64_t leading_undefined() const { return parameters_.cutout; }
  /// The first bar at which an average over complete input has a value; -1: never (LSMA(1) in lts, and
  /// families that are not chosen).
  std::int64_t first_defined_bar(Family family, int length) const;

  /// exp(lambda * (bar_index - cutout)); 1 before the cutout. Fixed work.
  double growth(std::int64_t bar_index) const;
  /// growth() of bars 0 .. bars-1.
  std::vector<double> growth_table(std::int64_t bars) const;

 private:
  Parameters parameters_;
  std::unique_ptr<const PlanConstants> constants_;
  std::shared_ptr<const std::vector<double>> growth_;  // by bars since the cutout
  std::int64_t table_;                                 // how many it has: all or none
  std::int64_t minimum_bars_;
};

}  // namespace atcd::engine
