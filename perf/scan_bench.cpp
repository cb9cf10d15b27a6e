// What `atcd scan --approximate` is worth: the estimate of engine/screen.hpp beside the exact vector path
// (the batch over the whole history), and, what was tried beside it, the exact path over the newest bars
// alone. Both passes are timed in turn; `times_faster` is of their medians, of the cheaper pass alone.
// `recall_N` is the part, in percent, of the top N percent of all series (the largest average first, then by
// name) that is found among one and a quarter times as many candidates, on average over shuffled names;
// `times_N` is the gain with the exact pass of these candidates behind the cheaper one. `at_top`: the part of
// all series whose average is above 0.99. Series: windows of real bars where shared data are there, and
// generated ones.

#include <benchmark/benchmark.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/plan.hpp"
#include "engine/screen.hpp"
#include "tests/engine/drifting_walk.hpp"

namespace {

using namespace atcd::engine;

using Closes = std::vector<std::vector<double>>;

constexpr std::size_t kFewest = 1500, kMost = 3000;  // bars since the anchor, as live has them

std::vector<double> closes_of(const std::string& path) {
  std::vector<double> closes;
  gzFile file = gzopen(path.c_str(), "rb");
  std::array<char, 512> line{};
  gzgets(file, line.data(), line.size());  // the header
  while (gzgets(file, line.data(), line.size()) != nullptr) {
    const char* at = line.data();
    // open_time_ms, open, high, low, close
    for (int comma = 0; comma < 4; ++comma) at = std::strchr(at, ',') + 1;
    closes.push_back(std::strtod(at, nullptr));
  }
  gzclose(file);
  return closes;
}

/// Windows of every file, of lengths spread as those of live series.
Closes real_series() {
  Closes series;
  const std::filesystem::path folder = std::string(ATCD_SHARED_DIR) + "/data/ohlcv";
  if (!std::filesystem::exists(folder)) return series;
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".gz") paths.push_back(entry.path().string());
  }
  std::sort(paths.begin(), paths.end());
  std::mt19937_64 random(3);
  for (const std::string& path : paths) {
    const std::vector<double> closes = closes_of(path);
    for (std::size_t begin = 0; begin + kMost <= closes.size(); begin += 131) {
      const std::size_t bars = kFewest + random() % (kMost - kFewest);
      const auto from = closes.begin() + static_cast<std::ptrdiff_t>(begin);
      series.emplace_back(from, from + static_cast<std::ptrdiff_t>(bars));
    }
  }
  return series;
}

/// Random walks, whose drift and width change now and then.
Closes generated_series() {
  Closes series(4000);
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  for (auto& closes : series) {
    const std::size_t bars = kFewest + random() % (kMost - kFewest);
    closes = atcd::trials::drifting_walk(random, normal, bars);
  }
  return series;
}

const Closes& series_of(bool real) {
  static const Closes the_real = real_series(), the_generated = generated_series();
  return real ? the_real : the_generated;
}

const Plan& plan() {
  static const Plan the_plan{Parameters{}};
  return the_plan;
}

/// The last average of each series' newest bars, by the exact path; 0 bars: of all.
std::vector<double> batch(const Closes& series, std::size_t newest) {
  static std::vector<std::vector<double>> columns;
  columns.resize(series.size());
  std::vector<BatchInput> inputs;
  std::vector<BatchOutput> outputs;
  for (std::size_t s = 0; s < series.size(); ++s) {
    const std::size_t bars = newest == 0 ? series[s].size() : std::min(newest, series[s].size());
    columns[s].resize(bars);
    inputs.push_back({std::span(series[s]).last(bars)});
    outputs.push_back({});
    outputs.back().average = columns[s];
  }
  if (!compute_batches(plan(), inputs, outputs, best_kernel()).empty()) std::abort();
  std::vector<double> averages;
  averages.reserve(series.size());
  for (const auto& column : columns) averages.push_back(column.back());
  return averages;
}

std::vector<double> estimate(const Closes& series) {
  static const Screen screen(plan());
  std::vector<BatchInput> inputs;
  for (const auto& closes : series) inputs.push_back({closes});
  std::vector<double> estimates(series.size());
  screen.run(inputs, estimates);
  return estimates;
}

// ---- what it is worth

/// Of the series with the `part` largest exact values, how many are among the candidates; names break ties.
double recall(const std::vector<double>& exact, const std::vector<double>& cheaper, double part) {
  constexpr int kShuffles = 300;
  std::vector<std::size_t> names(exact.size());
  std::iota(names.begin(), names.end(), std::size_t{0});
  std::mt19937_64 random(9);
  const auto top = [&](const std::vector<double>& values, double share) {
    std::vector<std::size_t> best = names;
    std::stable_sort(best.begin(), best.end(),
                     [&](std::size_t a, std::size_t b) { return values[a] > values[b]; });
    best.resize(static_cast<std::size_t>(share * static_cast<double>(best.size())) + 1);
    std::sort(best.begin(), best.end());
    return best;
  };
  double found = 0, wanted = 0;
  for (int i = 0; i < kShuffles; ++i) {
    std::shuffle(names.begin(), names.end(), random);
    const auto best = top(exact, part), candidates = top(cheaper, 1.25 * part);
    std::vector<std::size_t> both;
    std::set_intersection(best.begin(), best.end(), candidates.begin(), candidates.end(),
                          std::back_inserter(both));
    found += static_cast<double>(both.size());
    wanted += static_cast<double>(best.size());
  }
  return found / wanted;
}

/// Exact and cheaper pass in turn, the medians of both.
template <class Cheaper>
void compare(benchmark::State& state, bool real, Cheaper cheaper) {
  const Closes& series = series_of(real);
  if (series.empty()) return state.SkipWithError("shared data are not here");
  std::vector<double> exact, approximate, exact_s, cheaper_s;
  const auto timed = [](auto&& run, std::vector<double>& seconds) {
    const auto start = std::chrono::steady_clock::now();
    auto result = run();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    return result;
  };
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
  };
  for (auto _ : state) {
    exact = timed([&] { return batch(series, 0); }, exact_s);
    approximate = timed([&] { return cheaper(series); }, cheaper_s);
    state.SetIterationTime(cheaper_s.back());
  }
  double bars = 0, at_top = 0;
  for (const auto& closes : series) bars += static_cast<double>(closes.size());
  for (const double value : exact) at_top += value > 0.99 ? 1 : 0;
  const double cost = median(cheaper_s) / median(exact_s);
  state.counters["series"] = static_cast<double>(series.size());
  state.counters["exact_ns_per_bar"] = median(exact_s) / bars * 1e9;
  state.counters["at_top"] = at_top / static_cast<double>(exact.size());
  state.counters["times_faster"] = 1 / cost;
  for (const int percent : {1, 5, 10, 20}) {
    state.counters["recall_" + std::to_string(percent)] = 100 * recall(exact, approximate, percent / 100.0);
    state.counters["times_" + std::to_string(percent)] = 1 / (cost + 1.25 * percent / 100.0);
  }
}

const int registered = [] {
  for (const bool real : {true, false}) {
    const std::string of = real ? "/real" : "/generated";
    const auto add = [&](const std::string& name, auto cheaper) {
      benchmark::RegisterBenchmark((name + of).c_str(),
                                   [=](benchmark::State& s) { compare(s, real, cheaper); })
          ->UseManualTime()
          ->Unit(benchmark::kMillisecond)
          ->Iterations(5);
    };
    add("estimate", [](const Closes& s) { return estimate(s); });
    for (const std::size_t newest :
         {std::size_t{200}, std::size_t{300}, std::size_t{500}, std::size_t{750}}) {
      add("newest_" + std::to_string(newest), [newest](const Closes& s) { return batch(s, newest); });
    }
  }
  return 0;
}();

}  // namespace
