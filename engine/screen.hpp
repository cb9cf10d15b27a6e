#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "engine/batch.hpp"
#include "engine/kernel.hpp"
#include "engine/plan.hpp"

namespace atcd::engine {

/// An estimate of each series' last average signal, for screening only (design, section 2): never published,
/// always followed by the exact pass for the candidates. Two lengths a family, its base and a longer one,
/// each by itself, of which the larger estimate counts; single precision; the newest bars alone. The same
/// bits from every kernel. Immutable: any number of threads may share it.
class Screen {
 public:
  explicit Screen(const Plan& plan);  // with the fastest kernel of this processor
  Screen(const Plan& plan, const Kernel& kernel);

  /// So many of a series' newest bars are read; a shorter one is taken to have stood still before.
  std::int64_t bars() const { return bars_; }

  /// Estimates in -1..1, as many as inputs; a missing value counts as the one before it.
  void run(std::span<const BatchInput> inputs, std::span<double> estimates) const;

 private:
  const Kernel& kernel_;
  std::array<ScreenConstants, 2> constants_;
  std::int64_t bars_;
};

}  // namespace atcd::engine
