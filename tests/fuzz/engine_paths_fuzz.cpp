// links: engine
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "engine/dispatch.hpp"
#include "tests/engine/columns.hpp"

// Arbitrary doubles and parameters: every path gives the bits of the definition, bar by bar, in a batch, and
// beside other series in the lanes of one group. The engine that a batch leaves goes on as one that took
// every bar.

namespace {

using namespace atcd;

class Bytes {
 public:
  Bytes(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::size_t left() const { return size_; }
  std::uint8_t next() {
    if (size_ == 0) return 0;
    --size_;
    return *data_++;
  }
  double real() {
    std::uint64_t bits = 0;
    for (int i = 0; i < 8; ++i) bits = bits << 8 | next();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t size_;
};

engine::Parameters parameters_of(Bytes& bytes) {
  engine::Parameters p;
  const std::uint8_t choice = bytes.next();
  p.dialect = (choice & 1) != 0 ? engine::Dialect::pine : engine::Dialect::lts;
  p.robustness = static_cast<engine::Robustness>((choice >> 1) % 3);
  p.strategy_mode = (choice & 16) != 0;
  const int least = p.robustness == engine::Robustness::narrow ? 5 : 8;
  for (int& length : p.lengths) length = least + bytes.next() % 24;
  if ((choice & 32) != 0) p.lengths.fill(p.lengths[0]);
  p.lambda = (choice & 64) != 0 ? bytes.real() : 0.02;
  p.decay = bytes.next() / 2.55;
  p.cutout = bytes.next() % 16;
  for (double& weight : p.weights) weight = 0.1 + bytes.next() / 64.0;
  if ((choice & 128) != 0) {
    const std::uint8_t kept = bytes.next();
    for (std::size_t f = 0; f < engine::kFamilies; ++f) {
      p.families[f] = (kept >> f & 1) != 0;
      if (!p.families[f] && (kept & 64) != 0) p.lengths[f] = -p.lengths[f];
    }
  }
  return p;
}

/// A step from the price before: mostly small, ties often, and now and then what no market shows.
double step(double price, std::uint8_t byte) {
  constexpr std::array<double, 6> kStrange = {5e-324, 1e-310, 1e-160, 1e160, 1.7e308, 1};
  if (byte < 6) return kStrange[byte];
  if (byte == 6) return std::numeric_limits<double>::quiet_NaN();
  if (byte < 64) return price;
  return price * (1 + (byte - 160) / 1024.0);
}

double usable(double value, bool may_miss) {
  if (std::isnan(value)) return may_miss ? value : 1;
  value = std::fabs(value);
  return value > 0 && std::isfinite(value) ? value : 1;
}

trials::Trial trial_of(Bytes& bytes) {
  trials::Trial trial{parameters_of(bytes), {}, {}};
  const bool may_miss = trial.parameters.dialect == engine::Dialect::lts;
  const bool raw = bytes.next() % 2 != 0, sources = bytes.next() % 2 != 0;
  double price = 100, last = 100;
  while (bytes.left() != 0 && trial.closes.size() < 400) {
    price = usable(raw ? bytes.real() : step(last, bytes.next()), may_miss);
    if (!std::isnan(price)) last = price;
    trial.closes.push_back(price);
    // The MA source may be of either sign.
    if (sources) trial.sources.push_back(bytes.next() % 8 == 0 ? -price : price);
  }
  return trial;
}

void require_same(const trials::Columns& definition, const trials::Columns& other, std::size_t bars) {
  if (!trials::difference(definition, other, bars).empty()) std::abort();
}

/// Both go on over the newest bars once more.
void require_same_future(engine::Incremental& taken, engine::Incremental& left, const trials::Trial& trial) {
  const std::size_t bars = trial.closes.size();
  for (std::size_t bar = bars - std::min<std::size_t>(bars, 8); bar < bars; ++bar) {
    const engine::Signal a = taken.last(), b = left.last();
    if (!trials::same_bits(a.average, b.average) || a.trend != b.trend ||
        a.previous_trend != b.previous_trend || a.trend_since_ms != b.trend_since_ms) {
      std::abort();
    }
    for (std::size_t f = 0; f < engine::kFamilies; ++f) {
      if (!trials::same_bits(a.layer1[f], b.layer1[f]) || !trials::same_bits(a.equity[f], b.equity[f]))
        std::abort();
    }
    taken.update(trial.closes[bar], source_of(trial, bar), 1);
    left.update(trial.closes[bar], source_of(trial, bar), 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  const trials::Trial trial = trial_of(bytes);
  if (!engine::validate(trial.parameters).empty()) return 0;
  const auto plan = std::make_shared<const engine::Plan>(trial.parameters);
  const std::size_t bars = trial.closes.size();
  if (!engine::check_batch(*plan, {trial.closes, trial.sources}).empty()) return 0;
  const trials::Columns definition = trials::bar_by_bar(plan, trial, *engine::find_kernel("baseline"));

  // The same series nine times, of several lengths: they are lanes of one group.
  const std::size_t fewest = static_cast<std::size_t>(plan->minimum_bars());
  for (const engine::Kernel* kernel : engine::available_kernels()) {
    require_same(definition, trials::bar_by_bar(plan, trial, *kernel), bars);
    std::vector<trials::Columns> columns;
    std::vector<std::vector<std::int64_t>> times;
    std::vector<engine::BatchInput> inputs;
    std::vector<engine::BatchOutput> outputs;
    for (std::size_t i = 0; i < 9; ++i) {
      const std::size_t part = bars - (bars - fewest) * i / 9;
      columns.emplace_back(part);
      times.push_back(trials::close_times(part));
      inputs.push_back({std::span(trial.closes).first(part),
                        std::span(trial.sources).first(trial.sources.empty() ? 0 : part), times.back()});
    }
    for (auto& column : columns) outputs.push_back(column.output());
    engine::Incremental taken(plan, *kernel), left(plan, *kernel);
    for (std::size_t i = 0; i < bars; ++i) taken.update(trial.closes[i], source_of(trial, i), times[0][i]);
    std::array<engine::Incremental*, 9> engines{&left};
    if (!engine::compute_batches(*plan, inputs, outputs, *kernel, 2, engines).empty()) std::abort();
    require_same_future(taken, left, trial);
    for (const auto& column : columns) require_same(definition, column, column.average.size());
  }
  return 0;
}
