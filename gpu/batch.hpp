#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "engine/batch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"

namespace atcd::gpu {

/// How a computation ended.
struct Outcome {
  enum class Kind : std::uint8_t {
    done,
    refused,        // the input can't be computed on any path: check_batch's sentence
    no_device,      // none that can be used, or this program holds no CUDA code
    out_of_memory,  // of the device's or of the host's
    failed,         // the driver reports something else
  };
  Kind kind = Kind::done;
  std::string sentence;  // what happened; empty when done

  bool done() const { return kind == Kind::done; }
};

/// Computes many series of one plan on the first CUDA device: the same bits as the engine. Keeps its memory
/// on the device from call to call. One call at a time; it uses several threads of its own meanwhile, which
/// end with it. Never throws.
class BatchComputer {
 public:
  BatchComputer();
  ~BatchComputer();
  BatchComputer(BatchComputer&&) noexcept;
  BatchComputer& operator=(BatchComputer&&) noexcept;

  /// As engine::compute_batches; `outputs` may be empty where no column is wanted of any series. Only columns
  /// that some series wants cross the bus. `engines`: as many as inputs or none; those that are not null,
  /// made with the same plan, stand after their series' last bar then, as if they had been updated with each.
  /// Unless it is done, what was written is unspecified, and another path has to compute all of it.
  Outcome compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                  std::span<const engine::BatchOutput> outputs,
                  std::span<engine::Incremental* const> engines);

 private:
  struct Workers;
  std::unique_ptr<Workers> workers_;
};

}  // namespace atcd::gpu
