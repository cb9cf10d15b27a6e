// Claim: what a snapshot of 10,000 engines costs. snapshot_save: the part that the hot path's thread does,
// per series (it is done 32 series at a time). snapshot_write: writing, syncing and renaming the file, which
// a thread of its own does. snapshot_restore: reading the file, checking it and putting every engine back, as
// a start does. Before anything is timed every engine that was restored must give the next signal with the
// bits of the one that was saved.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "state/snapshot.hpp"

namespace {

using namespace atcd;

constexpr std::size_t kSeries = 10'000;
constexpr std::size_t kAtOnce = 32;
constexpr std::int64_t kMinuteMs = 60'000;
constexpr const char* kConfig = "0123456789abcdef";

engine::Bar bar_of(std::size_t series, std::int64_t number) {
  const auto step = static_cast<std::size_t>(number) * 7919 + series * 104'729;
  const double price = 100 + static_cast<double>(step % 2000) / 100;
  return {number * kMinuteMs, (number + 1) * kMinuteMs, price, price, price, price, 1};
}

class Engines {
 public:
  Engines() : plan_(std::make_shared<const engine::Plan>(engine::Parameters{})) {
    char form[] = "/tmp/atcd-snapshot-XXXXXX";
    directory_ = mkdtemp(form);
    for (std::size_t series = 0; series < kSeries; ++series) {
      names_.push_back("binance:spot:S" + std::to_string(series) + "USDT:1m:default");
      engine::Incremental& engine = engines_.emplace_back(plan_);
      for (std::int64_t number = 0; number < kBars; ++number) engine.update(bar_of(series, number));
    }
    write();
    check();
  }
  ~Engines() { std::filesystem::remove_all(directory_); }

  void save(std::size_t series, std::string& bytes) {
    buffer_.resize(engines_[series].saved_bytes());
    engines_[series].save(buffer_);
    state::append_entry(bytes, {names_[series], kConfig, 1, 2, 0, bar_of(series, kBars - 1), buffer_});
  }

  std::vector<std::string> pieces() {
    std::vector<std::string> pieces = {state::snapshot_header(1)};
    for (std::size_t first = 0; first < kSeries; first += kAtOnce) {
      std::string& piece = pieces.emplace_back();
      for (std::size_t i = first; i < std::min(first + kAtOnce, kSeries); ++i) save(i, piece);
    }
    return pieces;
  }

  void write() {
    const std::string error = state::write_snapshot(directory_, pieces());
    if (!error.empty()) fail(error);
  }

  /// As a start does it: the file and then each engine.
  std::vector<engine::Incremental> restore() const {
    const state::Snapshot snapshot(directory_);
    std::vector<engine::Incremental> restored;
    restored.reserve(kSeries);
    for (const std::string& name : names_) {
      const auto entry = snapshot.find(name);
      if (!entry) fail(name + " is not in the snapshot");
      if (!restored.emplace_back(plan_).restore(entry->engine)) fail(name + " could not be restored");
    }
    return restored;
  }

  const std::string& directory() const { return directory_; }

 private:
  static constexpr std::int64_t kBars = 300;

  [[noreturn]] static void fail(const std::string& what) {
    std::cerr << what << '\n';
    std::abort();
  }

  void check() {
    auto restored = restore();
    for (std::size_t series = 0; series < kSeries; ++series) {
      const engine::Signal ours = engines_[series].update(bar_of(series, kBars));
      const engine::Signal theirs = restored[series].update(bar_of(series, kBars));
      if (std::memcmp(&ours.average, &theirs.average, sizeof ours.average) != 0 ||
          std::memcmp(ours.equity.data(), theirs.equity.data(), sizeof ours.equity) != 0 ||
          ours.bar_index != theirs.bar_index) {
        fail(names_[series] + " goes on with other bits");
      }
    }
  }

  std::shared_ptr<const engine::Plan> plan_;
  std::string directory_;
  std::vector<std::string> names_;
  std::vector<engine::Incremental> engines_;
  std::vector<std::byte> buffer_;
};

Engines& engines() {
  static Engines made;
  return made;
}

void snapshot_save(benchmark::State& state) {
  Engines& all = engines();
  std::string piece;
  std::size_t series = 0;
  for (auto _ : state) {
    if (series % kAtOnce == 0) piece.clear();
    all.save(series++ % kSeries, piece);
    benchmark::DoNotOptimize(piece.data());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(snapshot_save);

void snapshot_write(benchmark::State& state) {
  Engines& all = engines();
  const auto pieces = all.pieces();
  for (auto _ : state) {
    if (!atcd::state::write_snapshot(all.directory(), pieces).empty()) state.SkipWithError("not written");
  }
  state.counters["MB"] = static_cast<double>(std::filesystem::file_size(all.directory() + "/snapshot")) / 1e6;
}
BENCHMARK(snapshot_write)->Unit(benchmark::kMillisecond)->UseRealTime();

void snapshot_restore(benchmark::State& state) {
  Engines& all = engines();
  for (auto _ : state) benchmark::DoNotOptimize(all.restore().data());
}
BENCHMARK(snapshot_restore)->Unit(benchmark::kMillisecond);

}  // namespace
