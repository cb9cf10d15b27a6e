#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

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
std::string compute_batch(const Plan& plan, const BatchInput& input, const BatchOutput& output);

/// Computes many series of one plan, several at once where the kernel can, on as many threads as given (at
/// least 1, the caller's among them): the same bits as one by one.
/// The sentence names the first refused series by its position; nothing is written then.
std::string compute_batches(const Plan& plan, std::span<const BatchInput> inputs,
                            std::span<const BatchOutput> outputs, const Kernel& kernel, unsigned threads = 1);

}  // namespace atcd::engine
