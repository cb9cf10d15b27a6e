#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "engine/incremental.hpp"
#include "engine/kernel.hpp"
#include "engine/plan.hpp"

namespace atcd::engine {

/// One series to compute. Values in bar order from bar 0.
struct BatchInput {
  std::span<const double> closes;                  // finite and positive; lts: NaN is a missing one
  std::span<const double> sources{};               // MA source, as many; empty: the closes
  std::span<const std::int64_t> close_times_ms{};  // only for trend_since_ms; as many
};

/// Where the columns go: each span has one value a bar, or is empty where the column is not wanted.
/// The first Plan::leading_undefined() values of layer 1 and of the equities are NaN (in pine of the average
/// too; in lts it is 0 there); averages are NaN before Plan::first_defined_bar().
/// Columns of families that the plan leaves out are NaN throughout.
struct BatchOutput {
  std::array<std::span<double>, kFamilies> layer1{};
  std::array<std::span<double>, kFamilies> equity{};
  std::span<double> average{};
  std::span<std::int8_t> trend{};
  std::span<std::int64_t> trend_since_ms{};  // needs trend and close_times_ms
  // kAverages columns each, one after the other, in the order of families and lengths; all three or none.
  std::span<double> averages{};
  std::span<double> states{};
  std::span<double> equities{};
};

/// Why so many bars are too few, as a sentence; empty when they are not.
std::string check_bars(const Plan& plan, std::int64_t bars);

/// Why the input can't be computed, as a sentence that names the bar and the value; empty when it can.
std::string check_batch(const Plan& plan, const BatchInput& input);

/// Fills the output's trend_since_ms, where it is wanted, from its trend.
void fill_trend_since(const BatchInput& input, const BatchOutput& output);

/// Computes one series. Gives back check_batch's sentence, with nothing written, where the input is refused.
std::string compute_batch(const Plan& plan, const BatchInput& input, const BatchOutput& output,
                          const Kernel& kernel);

/// Computes many series of one plan, several at once where the kernel can, on as many threads as given (at
/// least 1, the caller's among them): the same bits as one by one. `outputs`: as many as inputs, or none
/// where no column is wanted. `engines`: as many as inputs or none; those that are not null, made with the
/// same plan, stand after their series' last bar then, as if they had been updated with each. The sentence
/// names the first refused series by its position; nothing is written then.
std::string compute_batches(const Plan& plan, std::span<const BatchInput> inputs,
                            std::span<const BatchOutput> outputs, const Kernel& kernel, unsigned threads = 1,
                            std::span<Incremental* const> engines = {});

/// Whether two sets of parameters have the same 54 averages, so that they differ in the layers only.
bool same_averages(const Parameters& a, const Parameters& b);

/// Computes many series under several plans, all of the same_averages(), which are computed once for all of
/// them: the same bits as plan by plan. `outputs`: plan by plan, for each as many as inputs. Refused is as
/// with compute_batches; the sentence names the first refused series of the first plan that refuses one.
std::string compute_variants(std::span<const Plan* const> plans, std::span<const BatchInput> inputs,
                             std::span<const BatchOutput> outputs, const Kernel& kernel,
                             unsigned threads = 1);

}  // namespace atcd::engine
