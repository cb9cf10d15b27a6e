// What `atcd sweep` takes for one bar under one set of parameters, reading of files and evaluation included:
// 50 sets x 50 series x 1,500 bars from bar 0, the sets differing in the layers only (so that they have their
// averages in common), or in the lengths only; and the evaluation alone. The results of another kernel are
// compared before anything is timed.

#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "daemon/evaluation.hpp"
#include "daemon/sweep.hpp"
#include "daemon/sweep_sets.hpp"
#include "engine/dispatch.hpp"
#include "tests/engine/drifting_walk.hpp"

namespace {

using namespace atcd::daemon;

constexpr std::size_t kSeries = 50, kBars = 1500;
// 50 each.
constexpr const char* kLayers =
    "[[set]]\ndecay = [0.01, 0.02, 0.03, 0.04, 0.05]\nlambda = [0.01, 0.02]\n"
    "long_threshold = [0.05, 0.1, 0.2, 0.3, 0.4]\n";
constexpr const char* kLengths =
    "[[set]]\nlengths = [20, 22, 24, 26, 28, 30, 32, 34, 36, 38]\n[[set]]\nlengths = { ema = [20, 22, 24, "
    "26, 27], "
    "kama = [21, 23, 25, 26, 27, 29, 31, 33] }\n";

std::vector<std::vector<double>> closes_of_all() {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  std::vector<std::vector<double>> all;
  for (std::size_t s = 0; s < kSeries; ++s) all.push_back(atcd::trials::drifting_walk(random, normal, kBars));
  return all;
}

/// Of CSV files, for as long as the program runs.
class Directory {
 public:
  Directory() {
    std::string form = (std::filesystem::temp_directory_path() / "atcd-sweep-XXXXXX").string();
    path_ = mkdtemp(form.data());
    const auto all = closes_of_all();
    for (std::size_t s = 0; s < all.size(); ++s) {
      std::ofstream file(path_ + "/S" + std::to_string(s) + ".csv");
      file.precision(17);
      file << "open_ms,open,close\n";
      double open = all[s][0];
      for (std::size_t i = 0; i < kBars; ++i) {
        file << 60'000 * i << ',' << open << ',' << all[s][i] << '\n';
        open = all[s][i];
      }
    }
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<Evaluation> run(const SweepOptions& options) {
  static const Directory directory;
  return sweep(directory.path(), options, [](const SweepProgress&) {}).evaluations;
}

void time_sweep(benchmark::State& state, const char* text, const atcd::engine::Kernel& kernel,
                unsigned threads) {
  SweepOptions options;
  options.sets = parse_sets(text).sets;
  options.kernel = &kernel;
  options.threads = threads;
  SweepOptions other = options;
  other.kernel = atcd::engine::find_kernel("scalar");
  const std::vector<Evaluation> expected = run(other), results = run(options);
  if (options.sets.size() != 50 || results.size() != expected.size() ||
      std::memcmp(results.data(), expected.data(), results.size() * sizeof(Evaluation)) != 0)
    return state.SkipWithError("another kernel has other results");
  for (auto _ : state) benchmark::DoNotOptimize(run(options));
  state.counters["per_bar"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(options.sets.size() * kSeries * kBars),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void evaluation_alone(benchmark::State& state) {
  const auto all = closes_of_all();
  // A trend that turns about as often as those of the default set.
  std::mt19937 random(2);
  std::vector<std::int8_t> trend(kBars);
  std::int8_t side = 1;
  for (std::int8_t& each : trend) each = side = static_cast<std::int8_t>(random() % 40 == 0 ? -side : side);
  for (auto _ : state) {
    for (const auto& closes : all) benchmark::DoNotOptimize(evaluate(trend, {closes, closes, 525'960}, {}));
  }
  state.counters["per_bar"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(kSeries * kBars),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(evaluation_alone)->Unit(benchmark::kMillisecond);

const int registered = [] {
  for (const atcd::engine::Kernel* kernel : atcd::engine::available_kernels()) {
    for (const auto& [name, text] : {std::pair{"layers", kLayers}, {"lengths", kLengths}}) {
      for (const unsigned threads : {1U, 2U}) {
        const std::string full = std::string("sweep_50x50x1500/") + name + '/' + std::to_string(threads) +
                                 "_threads/" + kernel->name;
        benchmark::RegisterBenchmark(
            full.c_str(),
            [text = text, kernel, threads](benchmark::State& s) { time_sweep(s, text, *kernel, threads); })
            ->MeasureProcessCPUTime()
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
  return 0;
}();

}  // namespace
