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

/// What is to be computed, as BatchComputer::compute is given it, and what is made of it once.
struct Batch {
  Batch(const engine::Plan& plan, std::span<const engine::BatchInput> inputs,
        std::span<const engine::BatchOutput> outputs, std::span<engine::Incremental* const> engines);

  const engine::Plan& plan;
  std::span<const engine::BatchInput> inputs;
  std::span<const engine::BatchOutput> outputs;   // may be empty
  std::span<engine::Incremental* const> engines;  // likewise
  DevicePlan device_plan;
  ColumnPlaces places;
  std::vector<double> growth;  // as many factors as the longest series has bars
};

/// Series that one launch computes.
struct Chunk {
  std::vector<std::size_t> members;  // positions in the batch
};

/// Offsets in bytes; -1: nothing.
struct SeriesPlace {
  std::int64_t closes, sources, columns, trend, end, raws;
};

struct Layout {
  std::int64_t tasks, growth;
  std::vector<SeriesPlace> series;  // by the chunk's members
  std::int64_t input_bytes;         // what goes to the device; the rest comes back
  std::int64_t bytes;
};

template <class T>
T* at(std::byte* memory, std::int64_t offset) {
  return reinterpret_cast<T*>(memory + offset);
}
template <class T>
const T* at(const std::byte* memory, std::int64_t offset) {
  return reinterpret_cast<const T*>(memory + offset);
}

/// The longest series first, so that the last to end are short; in about `count` chunks of so many bytes.
std::vector<Chunk> chunks_of(const Batch& batch, std::int64_t count, std::int64_t least_bytes,
                             std::int64_t most_bytes);

Layout lay_out(const Batch& batch, const Chunk& chunk);

/// Writes a chunk's inputs to `host`, as they are to lie at `device`. Gives back the sentence of check_batch
/// for a series with values that are refused.
std::string pack(const Batch& batch, const Chunk& chunk, const Layout& layout, std::byte* host,
                 std::byte* device);

/// Hands out what has come back of a chunk.
void unpack(const Batch& batch, const Chunk& chunk, const Layout& layout, const std::byte* host);

}  // namespace atcd::gpu
