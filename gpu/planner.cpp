#include "gpu/planner.hpp"

#include <new>
#include <string>
#include <utility>

#include "engine/dispatch.hpp"

namespace atcd::gpu {
namespace {

Outcome outcome_of(std::string refusal) {
  return {refusal.empty() ? Outcome::Kind::done : Outcome::Kind::refused, std::move(refusal)};
}

}  // namespace

Planner::Planner(const Options& options)
    : kernel_(options.kernel != nullptr ? *options.kernel : engine::best_kernel()),
      threads_(options.threads) {}

Outcome Planner::compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                         std::span<const engine::BatchOutput> outputs,
                         std::span<engine::Incremental* const> engines) try {
  return outcome_of(engine::compute_batches(plan, inputs, outputs, kernel_, threads_, engines));
} catch (const std::bad_alloc&) {
  return {Outcome::Kind::out_of_memory, "out of memory"};
}

Outcome Planner::compute_variants(std::span<const engine::Plan* const> plans,
                                  std::span<const engine::BatchInput> inputs,
                                  std::span<const engine::BatchOutput> outputs) try {
  return outcome_of(engine::compute_variants(plans, inputs, outputs, kernel_, threads_));
} catch (const std::bad_alloc&) {
  return {Outcome::Kind::out_of_memory, "out of memory"};
}

}  // namespace atcd::gpu
