#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "gpu/batch.hpp"
#include "gpu/batch_layout.hpp"
#include "gpu/launch.hpp"

namespace atcd::gpu {
namespace {

using engine::BatchInput;
using engine::BatchOutput;
using engine::Incremental;

/// Adds the time until its end.
class Stopwatch {
 public:
  explicit Stopwatch(double& ms) : ms_(ms) {}
  Stopwatch(const Stopwatch&) = delete;
  Stopwatch& operator=(const Stopwatch&) = delete;
  ~Stopwatch() { ms_ += std::chrono::duration<double, std::milli>(Clock::now() - began_).count(); }

 private:
  using Clock = std::chrono::steady_clock;
  double& ms_;
  Clock::time_point began_ = Clock::now();
};

Outcome outcome_of(cudaError_t error, const char* doing) {
  if (error == cudaSuccess) return {};
  cudaGetLastError();  // or the next call, which had no error, gives this one back
  Outcome outcome{Outcome::Kind::failed, std::string("CUDA: ") + doing + ": " + cudaGetErrorString(error)};
  if (error == cudaErrorMemoryAllocation) outcome.kind = Outcome::Kind::out_of_memory;
  if (error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver) {
    outcome.kind = Outcome::Kind::no_device;
  }
  return outcome;
}

/// Memory of the device, and the same of the host at hand for the bus. Grows, never shrinks.
class Memory {
 public:
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  ~Memory() { release(); }

  Outcome reserve(std::int64_t bytes) {
    if (bytes <= bytes_) return {};
    release();
    bytes += bytes / 8;  // the next chunk may be a little longer
    void* made = nullptr;
    if (auto outcome = outcome_of(cudaMalloc(&made, static_cast<std::size_t>(bytes)), "device memory");
        !outcome.done()) {
      return outcome;
    }
    device_ = static_cast<std::byte*>(made);
    if (auto outcome = outcome_of(cudaMallocHost(&made, static_cast<std::size_t>(bytes)), "pinned memory");
        !outcome.done()) {
      release();
      return outcome;
    }
    host_ = static_cast<std::byte*>(made);
    bytes_ = bytes;
    return {};
  }
  std::byte* device() const { return device_; }
  std::byte* host() const { return host_; }

 private:
  void release() {
    cudaFree(device_);
    cudaFreeHost(host_);
    device_ = host_ = nullptr;
    bytes_ = 0;
  }

  std::byte* device_ = nullptr;
  std::byte* host_ = nullptr;
  std::int64_t bytes_ = 0;
};

/// What the workers share.
struct Job {
  const Batch& batch;
  const std::vector<Chunk>& chunks;
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex{};
  Outcome outcome{};

  void fail(Outcome with) {
    const std::lock_guard lock(mutex);
    if (outcome.done()) outcome = std::move(with);
    next = chunks.size();
    failed = true;
  }
};

/// A stream with memory of its own: one chunk on its way to the device and back.
class Slot {
 public:
  Slot() = default;
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;
  ~Slot() {
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }

  /// Packs a chunk and sends it on its way. The slot must be idle.
  Outcome start(const Batch& batch, const Chunk& chunk, WorkerTimes& times) {
    if (auto outcome = reserve(batch, chunk, times.reserve_ms); !outcome.done()) return outcome;
    {
      const Stopwatch packing(times.pack_ms);
      std::string refusal = pack(batch, chunk, layout_, memory_.host(), memory_.device());
      if (!refusal.empty()) return {Outcome::Kind::refused, std::move(refusal)};
    }
    return submit(batch, chunk, times.submit_ms);
  }

  /// Waits for the chunk, if there is one, and hands out what has come back where it is still wanted.
  Outcome finish(const Batch& batch, bool wanted, WorkerTimes& times) {
    if (chunk_ == nullptr) return {};
    const Chunk& chunk = *chunk_;
    chunk_ = nullptr;
    {
      const Stopwatch waiting(times.wait_ms);
      const cudaError_t error = cudaStreamSynchronize(stream_);
      if (error != cudaSuccess) return outcome_of(error, "computing");
    }
    const Stopwatch unpacking(times.unpack_ms);
    if (wanted) unpack(batch, chunk, layout_, memory_.host());
    return {};
  }

 private:
  Outcome reserve(const Batch& batch, const Chunk& chunk, double& ms) {
    const Stopwatch reserving(ms);
    if (stream_ == nullptr) {
      const cudaError_t error = cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking);
      if (error != cudaSuccess) return outcome_of(error, "a stream");
    }
    layout_ = lay_out(batch, chunk);
    return memory_.reserve(layout_.bytes);
  }

  Outcome submit(const Batch& batch, const Chunk& chunk, double& ms) {
    const Stopwatch submitting(ms);
    std::byte* const device = memory_.device();
    std::byte* const host = memory_.host();
    const auto in_bytes = static_cast<std::size_t>(layout_.input_bytes);
    const std::size_t results = in_bytes + static_cast<std::size_t>(layout_.crossing_bytes);
    const std::size_t out_bytes = static_cast<std::size_t>(layout_.bytes) - results;
    chunk_ = &chunk;
    cudaError_t error = cudaMemcpyAsync(device, host, in_bytes, cudaMemcpyHostToDevice, stream_);
    if (error != cudaSuccess) return outcome_of(error, "copying to the device");
    error = launch(batch.device_plan, arguments_of(batch, layout_, device),
                   static_cast<int>(chunk.members.size()), stream_);
    if (error != cudaSuccess) return outcome_of(error, "launching the kernel");
    error = cudaMemcpyAsync(host + results, device + results, out_bytes, cudaMemcpyDeviceToHost, stream_);
    return outcome_of(error, "copying from the device");
  }

  cudaStream_t stream_ = nullptr;
  Memory memory_;
  Layout layout_{};
  const Chunk* chunk_ = nullptr;  // on its way
};

/// Packs one chunk while its others are on their way.
class Worker {
 public:
  explicit Worker(std::size_t slots) : slots_(slots) {}

  /// Takes chunks until there are no more, or one of them fails.
  void work(Job& job) noexcept {
    times_ = {};
    std::size_t turn = 0;
    for (std::size_t at = job.next++; at < job.chunks.size(); at = job.next++) {
      Slot& slot = slots_[turn++ % slots_.size()];
      finish(job, slot);
      attempt(job, [&] { return slot.start(job.batch, job.chunks[at], times_); });
      ++times_.chunks;
    }
    // The oldest one first. Also after a failure: the memory must not be in use when this returns.
    for (std::size_t k = 0; k < slots_.size(); ++k) finish(job, slots_[turn++ % slots_.size()]);
  }
  const WorkerTimes& times() const { return times_; }

 private:
  void finish(Job& job, Slot& slot) {
    attempt(job, [&] { return slot.finish(job.batch, !job.failed, times_); });
  }

  template <class Work>
  static void attempt(Job& job, Work work) noexcept {
    try {
      if (Outcome outcome = work(); !outcome.done()) job.fail(std::move(outcome));
    } catch (const std::bad_alloc&) {
      job.fail({Outcome::Kind::out_of_memory, "out of memory"});
    } catch (const std::exception& error) {
      job.fail({Outcome::Kind::failed, error.what()});
    }
  }

  std::vector<Slot> slots_;
  WorkerTimes times_;
};

}  // namespace

struct BatchComputer::Workers {
  explicit Workers(const BatchOptions& options) {
    const std::size_t cores = std::max(std::thread::hardware_concurrency(), 1U);
    const std::size_t count = std::min(static_cast<std::size_t>(std::max(options.workers, 1)), cores);
    each.reserve(count);
    const auto slots = static_cast<std::size_t>(std::max(options.slots, 1));
    while (each.size() < count) each.emplace_back(slots);
    // Others may hold most of the card; half of what they leave is theirs too.
    most_chunk_bytes = options.most_chunk_bytes;
    std::size_t free = 0, all = 0;
    if (cudaMemGetInfo(&free, &all) != cudaSuccess) {
      cudaGetLastError();  // as in outcome_of()
      return;
    }
    most_chunk_bytes = std::min(most_chunk_bytes, static_cast<std::int64_t>(free / (2 * count * slots)));
  }
  std::vector<Worker> each;
  std::int64_t most_chunk_bytes = 0;
};

BatchComputer::BatchComputer(const BatchOptions& options) : options_(options) {}
BatchComputer::~BatchComputer() = default;

namespace {

/// The first refused series' sentence, as compute_batches has it.
Outcome refusal_of(const engine::Plan& plan, std::span<const BatchInput> inputs, Outcome otherwise) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string refusal = engine::check_batch(plan, inputs[i]);
    if (!refusal.empty()) return {Outcome::Kind::refused, "series " + std::to_string(i) + ": " + refusal};
  }
  return otherwise;
}

/// Whether check_batch has nothing to say but about the values.
bool sizes_fit(const engine::Plan& plan, std::span<const BatchInput> inputs) {
  return std::all_of(inputs.begin(), inputs.end(), [&](const BatchInput& input) {
    const std::size_t bars = input.closes.size();
    return bars > 0 && static_cast<std::int64_t>(bars) >= plan.minimum_bars() &&
           (input.sources.empty() || input.sources.size() == bars) &&
           (input.close_times_ms.empty() || input.close_times_ms.size() == bars);
  });
}

Outcome run(std::span<Worker> workers, Job& job) {
  std::vector<std::thread> threads;
  threads.reserve(workers.size() - 1);
  try {
    for (Worker& worker : workers.subspan(1)) threads.emplace_back([&job, &worker] { worker.work(job); });
  } catch (const std::exception&) {
    // Fewer threads are slower, and no worse.
  }
  workers[0].work(job);
  for (std::thread& thread : threads) thread.join();
  return job.outcome;
}

}  // namespace

Outcome BatchComputer::compute(const Batch& batch) {
  if (auto outcome = outcome_of(cudaSetDevice(0), "the first device"); !outcome.done()) return outcome;
  if (workers_ == nullptr) workers_ = std::make_unique<Workers>(options_);
  const std::span all(workers_->each);
  const auto count = static_cast<std::int64_t>(all.size()) * std::max(options_.chunks_per_worker, 1);
  const std::vector<Chunk> chunks =
      chunks_of(batch, count, options_.least_chunk_bytes, workers_->most_chunk_bytes);
  Job job{batch, chunks};
  const std::span used = all.first(std::min(all.size(), chunks.size()));
  Outcome outcome = run(used, job);
  for (const Worker& worker : used) times_.push_back(worker.times());
  // The next call looks again how much there is.
  if (outcome.kind == Outcome::Kind::out_of_memory) workers_.reset();
  if (outcome.kind == Outcome::Kind::refused) return refusal_of(batch.plan, batch.inputs, outcome);
  return outcome;
}

Outcome BatchComputer::compute(const engine::Plan& plan, std::span<const BatchInput> inputs,
                               std::span<const BatchOutput> outputs,
                               std::span<Incremental* const> engines) try {
  times_.clear();
  if (!sizes_fit(plan, inputs)) return refusal_of(plan, inputs, {});
  if (inputs.empty()) return {};
  return compute(Batch(plan, inputs, outputs, engines));
} catch (const std::bad_alloc&) {
  return {Outcome::Kind::out_of_memory, "out of memory"};
}

Outcome BatchComputer::compute_variants(std::span<const engine::Plan* const> plans,
                                        std::span<const BatchInput> inputs,
                                        std::span<const BatchOutput> outputs) try {
  times_.clear();
  for (const engine::Plan* const plan : plans) {
    if (!sizes_fit(*plan, inputs)) return refusal_of(*plan, inputs, {});
  }
  if (inputs.empty() || plans.empty()) return {};
  const auto wants_averages = [](const BatchOutput& output) { return !output.averages.empty(); };
  if (std::none_of(outputs.begin(), outputs.end(), wants_averages)) {
    return compute(Batch(plans, inputs, outputs));
  }
  Outcome outcome;
  for (std::size_t v = 0; v < plans.size() && outcome.done(); ++v) {
    outcome = compute(*plans[v], inputs, outputs.subspan(v * inputs.size(), inputs.size()), {});
  }
  return outcome;
} catch (const std::bad_alloc&) {
  return {Outcome::Kind::out_of_memory, "out of memory"};
}

}  // namespace atcd::gpu
