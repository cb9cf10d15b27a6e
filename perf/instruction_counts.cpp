// One named piece of the engine or of the way to it, once over a fixed input, so that its instructions can be
// counted: by callgrind, or with --steps by this program itself (perf/instructions.py, which knows the
// figures that must hold). Kernels are chosen by name, so the count does not depend on the processor.

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/batch.hpp"
#include "engine/dispatch.hpp"
#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "perf/frame_path.hpp"
#include "perf/step_counter.hpp"
#include "tests/engine/naive_reference.hpp"

static bool stepping = false;

/// What happens in here is counted, by this name or between the two signals, and nothing else.
extern "C" __attribute__((noipa)) void measured(const std::function<void()>& piece) {
  if (stepping) std::raise(SIGSTOP);
  piece();
  if (stepping) std::raise(SIGSTOP);
}

namespace {

using namespace atcd;
using namespace atcd::engine;

constexpr std::size_t kBatchBars = 1500;  // of each series
constexpr int kWarmBars = 600;
constexpr int kLiveBars = 200;

std::shared_ptr<const Plan> plan_of(Dialect dialect, int length = 28) {
  Parameters parameters;
  parameters.dialect = dialect;
  parameters.lengths.fill(length);
  return std::make_shared<const Plan>(parameters);
}

std::vector<double> walk(std::size_t bars, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<double> closes;
  double price = 100;
  while (closes.size() < bars) {
    price *= 1 + 0.02 * (static_cast<double>(random() >> 11) * 0x1p-53 - 0.5);
    closes.push_back(price);
  }
  return closes;
}

/// How many bars each piece takes while it is measured.
using Bars = std::size_t;

Bars naive_reference() {
  const auto plan = plan_of(Dialect::lts);
  const auto closes = walk(kBatchBars, 1);
  naive::Result result;
  measured([&] {
    result =
        naive::compute(closes, closes, plan->parameters(), [&](std::int64_t k) { return plan->growth(k); });
  });
  std::fprintf(stderr, "%g\n", result.average.back());  // so that nothing of it can be left out
  return kBatchBars;
}

/// As many series as the kernel has lanes, and the 13 columns that live publishes.
Bars batch(const Kernel& kernel, const std::shared_ptr<const Plan>& plan, std::size_t bars = kBatchBars) {
  const auto series = static_cast<std::size_t>(kernel.lanes);
  std::vector<std::vector<double>> closes;
  std::vector<std::vector<double>> columns(series, std::vector<double>((2 * kFamilies + 1) * bars));
  std::vector<BatchInput> inputs;
  std::vector<BatchOutput> outputs(series);
  for (std::size_t s = 0; s < series; ++s) closes.push_back(walk(bars, s));
  for (std::size_t s = 0; s < series; ++s) {
    const auto column = [&](std::size_t i) { return std::span(columns[s]).subspan(i * bars, bars); };
    inputs.push_back({closes[s]});
    for (std::size_t f = 0; f < kFamilies; ++f) {
      outputs[s].layer1[f] = column(f);
      outputs[s].equity[f] = column(kFamilies + f);
    }
    outputs[s].average = column(2 * kFamilies);
  }
  measured([&] { compute_batches(*plan, inputs, outputs, kernel); });
  return series * bars;
}

enum class Live { prepare, update, preview };

Bars live(const Kernel& kernel, Live what, std::size_t bars = kLiveBars) {
  Incremental engine(plan_of(Dialect::lts), kernel);
  const auto closes = walk(kWarmBars + bars, 1);
  for (std::size_t i = 0; i < kWarmBars; ++i) engine.update(closes[i], closes[i], 0);
  Bar bar{};
  for (std::size_t i = kWarmBars; i < kWarmBars + bars; ++i) {
    bar.close = closes[i];
    if (what == Live::prepare) measured([&] { engine.prepare(); });
    engine.prepare();
    if (what == Live::preview) measured([&] { engine.preview(bar); });
    if (what == Live::update) measured([&] { engine.update(bar); });
    if (what != Live::update) engine.update(bar);
  }
  return bars;
}

struct Sink final : feeds::FrameSink {
  void on_trade(const feeds::Trade&) override {}
  void on_kline(const feeds::Kline&) override {}
};

Bars frame_to_bar() {
  const auto frames = perf::make_frames(kLiveBars);
  const auto parser = feeds::new_binance_frame_parser();
  Sink sink;
  measured([&] {
    for (const std::string& frame : frames) parser->parse(frame, sink);
  });
  return frames.size();
}

Bars frame_to_command(const Kernel& kernel) {
  const auto frames = perf::make_frames(kWarmBars + kLiveBars);
  perf::Path path(plan_of(Dialect::lts), kernel);
  path.say_always(perf::kFirstOpenMs * 1000);
  for (std::size_t i = 0; i < kWarmBars + kLiveBars; ++i) {
    path.prepare();
    path.command().clear();
    if (i < kWarmBars) {
      path.take(frames[i]);
    } else {
      measured([&] { path.take(frames[i]); });
    }
  }
  return kLiveBars;
}

struct Piece {
  const char* name;
  const char* kernel;
  Bars (*run)(const Kernel& kernel);
};

constexpr Piece kPieces[] = {
    {"naive_reference", "scalar", [](const Kernel&) { return naive_reference(); }},
    {"batch/lts/scalar", "scalar", [](const Kernel& k) { return batch(k, plan_of(Dialect::lts)); }},
    {"batch/lts/avx2", "avx2", [](const Kernel& k) { return batch(k, plan_of(Dialect::lts)); }},
    {"batch/pine/avx2", "avx2", [](const Kernel& k) { return batch(k, plan_of(Dialect::pine)); }},
    {"live_prepare/avx2", "avx2", [](const Kernel& k) { return live(k, Live::prepare); }},
    {"live_update/avx2", "avx2", [](const Kernel& k) { return live(k, Live::update); }},
    {"live_preview/avx2", "avx2", [](const Kernel& k) { return live(k, Live::preview); }},
    // Of AVX-512 valgrind knows nothing: by --steps, some 20 us each, and so fewer bars and short lengths.
    {"batch_short_lengths/lts/avx512", "avx512",
     [](const Kernel& k) { return batch(k, plan_of(Dialect::lts, 10), 64); }},
    {"live_update/avx512", "avx512", [](const Kernel& k) { return live(k, Live::update, 20); }},
    {"frame_to_bar", "scalar", [](const Kernel&) { return frame_to_bar(); }},
    {"frame_to_command/avx2", "avx2", [](const Kernel& k) { return frame_to_command(k); }},
};

}  // namespace

/// Without arguments the names of all pieces. With one of them the piece is run and the number of its bars
/// said, with --steps before the name also the number of its instructions.
int main(int count, char** arguments) {
  const std::string_view wanted = count < 2 ? "" : arguments[count - 1];
  stepping = count == 3 && std::string_view(arguments[1]) == "--steps";
  for (const Piece& piece : kPieces) {
    if (count < 2) std::printf("%s\n", piece.name);
    if (piece.name != wanted) continue;
    const Kernel* const kernel = find_kernel(piece.kernel);
    if (kernel == nullptr) {
      std::fprintf(stderr, "this processor has no %s\n", piece.kernel);
      return 1;
    }
    const auto run = [&] { std::printf("%zu\n", piece.run(*kernel)); };
    if (stepping) {
      std::printf("%lld\n", perf::count_steps(run));
    } else {
      run();
    }
    return 0;
  }
  if (count < 2) return 0;
  std::fprintf(stderr, "there is no piece %s\n", arguments[count - 1]);
  return 1;
}
