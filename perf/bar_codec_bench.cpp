// Claim: real bars compress at least 6.5 times in total and 3.8 times in the worst file against columns of 8
// bytes (time, four prices, volume), and are read back at more than 1 GB/s of those columns on one core.
// Blosc (zstd and lz4 over byte-shuffled columns, blocks of as many bars) stands beside it in the same run.
// Needs ../shared/data/ohlcv. Every block is decoded and compared with the bars before anything is timed.
#include <benchmark/benchmark.h>
#include <blosc.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <span>
#include <string>
#include <vector>

#include "state/bar_codec.hpp"
#include "tests/state/bars.hpp"

namespace {

using atcd::engine::Bar;
using atcd::state::kBlockBars;
constexpr std::size_t kColumns = 6;
constexpr std::size_t kBarBytes = kColumns * 8;

struct File {
  std::string name;
  std::vector<Bar> bars;
};

const std::vector<File>& files() {
  static const std::vector<File> found = [] {
    std::vector<File> read;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(ATCD_SHARED_DIR "/data/ohlcv")) {
      if (entry.path().extension() == ".gz") {
        read.push_back({entry.path().filename().string(), atcd::state::read_real_bars(entry.path())});
      }
    }
    return read;
  }();
  return found;
}

template <class Function>
void for_each_block(std::span<const Bar> bars, const Function& function) {
  for (std::size_t at = 0; at < bars.size(); at += kBlockBars) {
    function(bars.subspan(at, std::min(kBlockBars, bars.size() - at)));
  }
}

std::vector<std::uint64_t> columns_of(std::span<const Bar> bars) {
  std::vector<std::uint64_t> columns(kColumns * bars.size());
  const auto put = [&](std::size_t column, std::size_t row, const void* value) {
    std::memcpy(&columns[column * bars.size() + row], value, 8);
  };
  for (std::size_t i = 0; i < bars.size(); ++i) {
    put(0, i, &bars[i].open_time_ms);
    put(1, i, &bars[i].open);
    put(2, i, &bars[i].high);
    put(3, i, &bars[i].low);
    put(4, i, &bars[i].close);
    put(5, i, &bars[i].volume);
  }
  return columns;
}

[[noreturn]] void wrong(const std::string& what) {
  std::cerr << what << " is not what went in\n";
  std::abort();
}

/// One block in its compressed form.
struct Packed {
  std::string bytes;
  std::size_t bars = 0;
};

Packed pack(std::span<const Bar> block, const char* blosc_compressor) {
  Packed packed{{}, block.size()};
  if (blosc_compressor == nullptr) {
    atcd::state::encode_bars(block, packed.bytes);
    std::vector<Bar> again(block.size());
    if (!atcd::state::decode_bars(packed.bytes, again) ||
        std::memcmp(again.data(), block.data(), block.size_bytes()) != 0) {
      wrong("a block");
    }
    return packed;
  }
  const auto columns = columns_of(block);
  const std::size_t size = columns.size() * 8;
  packed.bytes.resize(size + BLOSC_MAX_OVERHEAD);
  const int length = blosc_compress_ctx(9, BLOSC_SHUFFLE, 8, size, columns.data(), packed.bytes.data(),
                                        packed.bytes.size(), blosc_compressor, 0, 1);
  packed.bytes.resize(static_cast<std::size_t>(length));
  std::vector<std::uint64_t> again(columns.size());
  if (blosc_decompress_ctx(packed.bytes.data(), again.data(), size, 1) != static_cast<int>(size) ||
      again != columns) {
    wrong("a block of blosc's");
  }
  return packed;
}

/// Decodes all blocks of all files, one after the other.
void read_back(benchmark::State& state, const char* blosc_compressor) {
  if (!std::filesystem::exists(ATCD_SHARED_DIR "/data/ohlcv")) {
    state.SkipWithError("../shared/data/ohlcv is absent");
    return;
  }
  std::vector<Packed> blocks;
  double plain = 0, bytes = 0, worst = 1e9;
  for (const File& file : files()) {
    double file_bytes = 0;
    for_each_block(file.bars, [&](std::span<const Bar> block) {
      blocks.push_back(pack(block, blosc_compressor));
      file_bytes += static_cast<double>(blocks.back().bytes.size());
    });
    const double file_plain = static_cast<double>(file.bars.size() * kBarBytes);
    plain += file_plain;
    bytes += file_bytes;
    worst = std::min(worst, file_plain / file_bytes);
  }
  std::vector<Bar> bars(kBlockBars);
  std::vector<std::uint64_t> columns(kBlockBars * kColumns);
  for (auto _ : state) {
    for (const Packed& block : blocks) {
      if (blosc_compressor == nullptr) {
        const bool good = atcd::state::decode_bars(block.bytes, std::span(bars).first(block.bars));
        benchmark::DoNotOptimize(good);
      } else {
        benchmark::DoNotOptimize(
            blosc_decompress_ctx(block.bytes.data(), columns.data(), columns.size() * 8, 1));
      }
      benchmark::ClobberMemory();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(plain));
  state.counters["ratio"] = plain / bytes;
  state.counters["worst"] = worst;
}

BENCHMARK_CAPTURE(read_back, history, nullptr);
BENCHMARK_CAPTURE(read_back, blosc_zstd, "zstd");
BENCHMARK_CAPTURE(read_back, blosc_lz4, "lz4");

}  // namespace
