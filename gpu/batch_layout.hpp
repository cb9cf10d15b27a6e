#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "gpu/series_kernel_types.hpp"

// How a batch is divided, where its parts lie in memory (the same on the host and on the device), and how its
// values come there and back. Needs no CUDA, so that the stand-in of the tests has it too.

namespace atcd::gpu {

/// What is to be computed, as BatchComputer is given it, and what is made of it once.
struct Batch {
  Batch(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
        std::span<const engine::BatchOutput> outputs, std::span<engine::Incremental* const> engines);
  /// Of several plans that share their averages; `outputs` plan by plan.
  Batch(std::span<const engine::Plan* const> plans, std::span<const engine::BatchInput> inputs,
        std::span<const engine::BatchOutput> outputs);

  std::size_t variants() const { return plans.size(); }
  /// Where a series' columns go under the plan number `variant`; there are outputs.
  const engine::BatchOutput& output(std::size_t variant, std::size_t series) const {
    return outputs[variant * inputs.size() + series];
  }
  const double* growth_of(std::size_t variant) const {
    return growth.data() + growth_at[variant] * static_cast<std::size_t>(longest);
  }

  std::vector<const engine::Plan*> plans;
  const engine::Plan& plan;  // the first
  std::span<const engine::BatchInput> inputs;
  std::span<const engine::BatchOutput> outputs;   // may be empty
  std::span<engine::Incremental* const> engines;  // likewise
  DevicePlan device_plan;                         // of the first plan
  std::vector<DevicePlan> device_plans;           // of several plans
  ColumnPlaces places;
  std::int64_t longest;                // bars
  std::vector<double> growth;          // tables of so many factors; plans that grow alike share one
  std::vector<std::size_t> growth_at;  // which one, by plan
};

/// Series that one launch computes.
struct Chunk {
  std::vector<std::size_t> members;  // positions in the batch
};

/// Offsets in bytes; -1: nothing.
struct SeriesPlace {
  std::int64_t closes, sources, end, raws, crossings;
};
/// The same of what one plan gives of one series.
struct ResultPlace {
  std::int64_t columns, trend;
};

/// Where the parts of a chunk lie in its memory: offsets and sizes in bytes, the same on device and host.
struct Layout {
  std::int64_t tasks, growth, plans;
  std::vector<SeriesPlace> series;   // by the chunk's members
  std::vector<ResultPlace> results;  // member by member, for each as many as plans
  std::int64_t input_bytes;          // what goes to the device;
  std::int64_t crossing_bytes;       // what stays there;
  std::int64_t bytes;                // and the rest of all comes back
};

template <class T>
T* at(std::byte* memory, std::int64_t offset) {
  return reinterpret_cast<T*>(memory + offset);
}
template <class T>
const T* at(const std::byte* memory, std::int64_t offset) {
  return reinterpret_cast<const T*>(memory + offset);
}

/// The longest series first, so that the last to end are short; in about `count` chunks of so many bytes,
/// beside what all chunks have a copy of.
std::vector<Chunk> chunks_of(const Batch& batch, std::int64_t count, std::int64_t least_bytes,
                             std::int64_t most_bytes);

Layout lay_out(const Batch& batch, const Chunk& chunk);

/// What the kernel is given for a chunk that lies at `device`.
KernelArguments arguments_of(const Batch& batch, const Layout& layout, const std::byte* device);

/// Writes a chunk's inputs to `host`, as they are to lie at `device`. Gives back the sentence of check_batch
/// for a series with values that are refused.
std::string pack(const Batch& batch, const Chunk& chunk, const Layout& layout, std::byte* host,
                 std::byte* device);

/// Hands out what has come back of a chunk.
void unpack(const Batch& batch, const Chunk& chunk, const Layout& layout, const std::byte* host);

}  // namespace atcd::gpu
