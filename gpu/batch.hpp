#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"

namespace atcd::gpu {

struct Batch;

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

/// How a batch is spread over the host's threads and over its time. Less than 1 counts as 1.
struct BatchOptions {
  int workers = 8;             // threads, each with its own memory; no more than the machine has cores
  int slots = 2;               // chunks that each worker has on their way at once
  int chunks_per_worker = 16;  // as far as the sizes allow that many
  // What of a chunk crosses the bus, in both directions; less where the card has little memory left.
  std::int64_t least_chunk_bytes = std::int64_t{1} << 20;
  std::int64_t most_chunk_bytes = std::int64_t{32} << 20;
};

/// Where one worker's time went.
struct WorkerTimes {
  int chunks = 0;
  double reserve_ms = 0;  // streams, memory of the device and of the host
  double pack_ms = 0;
  double submit_ms = 0;  // copies and the kernel, which the driver only queues
  double wait_ms = 0;
  double unpack_ms = 0;
};

/// Computes many series of one plan on the first CUDA device: the same bits as the engine. Keeps its memory
/// on the device from call to call, unless there was not enough. One call at a time; it uses several threads
/// of its own meanwhile, which end with it. Never throws.
class BatchComputer {
 public:
  explicit BatchComputer(const BatchOptions& options = {});
  ~BatchComputer();

  /// As engine::compute_batches; `outputs` may be empty where no column is wanted of any series. Only columns
  /// that some series wants cross the bus. `engines`: as many as inputs or none; those that are not null,
  /// made with the same plan, stand after their series' last bar then, as if they had been updated with each.
  /// Unless it is done, what was written is unspecified, and another path has to compute all of it.
  Outcome compute(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
                  std::span<const engine::BatchOutput> outputs,
                  std::span<engine::Incremental* const> engines);

  /// As engine::compute_variants: what goes before the equities is computed once for all plans, unless
  /// averages, states or equities of layer 1 are wanted: then all is, plan by plan.
  Outcome compute_variants(std::span<const engine::Plan* const> plans,
                           std::span<const engine::BatchInput> inputs,
                           std::span<const engine::BatchOutput> outputs);

  /// Of the last call, a row for each thread that it used.
  std::span<const WorkerTimes> times() const { return times_; }

 private:
  struct Workers;
  Outcome compute(const Batch& batch);

  BatchOptions options_;
  std::vector<WorkerTimes> times_;
  std::unique_ptr<Workers> workers_;
};

}  // namespace atcd::gpu
