#include "gpu/batch_layout.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

#include "engine/standing.hpp"

namespace atcd::gpu {
namespace {

using engine::BatchInput;
using engine::BatchOutput;
using engine::kAverages;
using engine::kFamilies;

constexpr std::int64_t kAlignment = 128;  // what a warp reads at once
constexpr std::int64_t kTileCrossings = static_cast<std::int64_t>(kAverages * sizeof(Crossings));
constexpr auto kInnerColumns = static_cast<std::int64_t>(3 * kAverages);
constexpr auto kValueBytes = static_cast<std::int64_t>(sizeof(double));

std::int64_t bars_of(const BatchInput& input) { return static_cast<std::int64_t>(input.closes.size()); }

std::int64_t take(std::int64_t& bytes, std::int64_t wanted) {
  const std::int64_t start = bytes;
  bytes += (wanted + kAlignment - 1) / kAlignment * kAlignment;
  return start;
}

std::int64_t raws_of(const Batch& batch) {
  return std::int64_t{batch.device_plan.raw_history} * DevicePlan::kLengths;
}

bool chosen(const engine::Plan& plan, std::size_t family) { return plan.parameters().families[family]; }

/// The columns that some series wants, but those of families that are not computed.
ColumnPlaces places_of(const engine::Plan& plan, std::span<const BatchOutput> outputs) {
  const auto any = [&](auto&& wants) { return std::any_of(outputs.begin(), outputs.end(), wants); };
  std::int16_t next = 0;
  const auto place = [&next](bool wanted) { return wanted ? next++ : std::int16_t{-1}; };
  ColumnPlaces places{};
  for (std::size_t f = 0; f < kFamilies; ++f) {
    const bool there = chosen(plan, f);
    places.layer1[f] =
        place(there && any([f](const BatchOutput& output) { return !output.layer1[f].empty(); }));
    places.layer2[f] =
        place(there && any([f](const BatchOutput& output) { return !output.equity[f].empty(); }));
  }
  places.layers = next > 0 ? 0 : -1;
  places.average = place(any([](const BatchOutput& output) { return !output.average.empty(); }));
  places.trend = any([](const BatchOutput& output) { return !output.trend.empty(); }) ? 0 : -1;
  places.inner =
      any([](const BatchOutput& output) { return !output.averages.empty(); }) ? next : std::int16_t{-1};
  return places;
}

/// How many columns of doubles that are.
std::int64_t columns_of(const ColumnPlaces& places) {
  std::int64_t columns = places.average >= 0 ? 1 : 0;
  for (std::size_t f = 0; f < kFamilies; ++f) {
    columns += (places.layer1[f] >= 0 ? 1 : 0) + (places.layer2[f] >= 0 ? 1 : 0);
  }
  return places.inner >= 0 ? columns + kInnerColumns : columns;
}

/// The series' end for Incremental::resume. Refers to the input and to `raws`.
engine::Standing standing_of(const BatchInput& input, const SeriesEnd& end, std::span<const double> raws) {
  engine::Standing standing{};
  engine::Block& block = standing.block;
  std::copy_n(end.ema, SeriesEnd::kLengths, block.ema);
  std::copy_n(end.dema1, SeriesEnd::kLengths, block.dema1);
  std::copy_n(end.dema2, SeriesEnd::kLengths, block.dema2);
  std::copy_n(end.kama, SeriesEnd::kLengths, block.kama);
  for (std::size_t average = 0; average < kAverages; ++average) {
    const std::size_t at =
        average % engine::kLengthsPerFamily * engine::kFamilyRoom + average / engine::kLengthsPerFamily;
    block.relation[at] = end.relation[average];
    block.state[at] = end.state[average];
    block.equity[at] = end.equity[average];
  }
  std::copy_n(end.layer1, kFamilies, block.layer1);
  std::copy_n(end.layer2, kFamilies, block.layer2);
  std::copy_n(end.layer2_factor, kFamilies, block.layer2_factor);
  std::copy_n(end.ema_weight, SeriesEnd::kLengths, block.ema_weight);
  std::copy_n(end.dema_weight, SeriesEnd::kLengths, block.dema_weight);
  block.close = input.closes.back();
  block.average = end.average;
  block.published = end.published;
  block.trend = static_cast<double>(end.trend);
  block.gapped = end.gapped;
  block.bars = bars_of(input);
  standing.previous_trend = static_cast<double>(end.previous_trend);
  if (!input.close_times_ms.empty()) {
    standing.trend_since_ms = input.close_times_ms[static_cast<std::size_t>(end.trend_since_bar)];
  }
  standing.sources = input.sources.empty() ? input.closes : input.sources;
  standing.raws = raws;
  return standing;
}

/// No value of a calm series is missing, and up to here none overflows when doubled.
constexpr double kMostCalm = 1e290;

/// Copies; whether all values are above `least` and calm.
bool copy_calm(std::span<const double> from, double* to, double least) {
  int all = 1;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double value = from[i];
    to[i] = value;
    all &= static_cast<int>(value > least) & static_cast<int>(value <= kMostCalm);
  }
  return all != 0;
}

/// Of a family that is not computed everything is undefined.
void leave_out(std::size_t family, const BatchInput& input, const BatchOutput& output) {
  const auto fill = [](std::span<double> column) {
    std::fill(column.begin(), column.end(), std::numeric_limits<double>::quiet_NaN());
  };
  fill(output.layer1[family]);
  fill(output.equity[family]);
  if (output.averages.empty()) return;
  const std::size_t values = engine::kLengthsPerFamily * input.closes.size();
  for (const auto inner : {output.averages, output.states, output.equities}) {
    fill(inner.subspan(family * values, values));
  }
}

void take_columns(const ColumnPlaces& places, const double* columns, const BatchInput& input,
                  const BatchOutput& output) {
  const auto take_column = [&](std::span<double> to, std::int64_t place) {
    if (!to.empty() && place >= 0) std::copy_n(columns + place * bars_of(input), to.size(), to.begin());
  };
  for (std::size_t f = 0; f < kFamilies; ++f) {
    take_column(output.layer1[f], places.layer1[f]);
    take_column(output.equity[f], places.layer2[f]);
  }
  take_column(output.average, places.average);
  constexpr auto kInner = static_cast<std::int64_t>(kAverages);
  take_column(output.averages, places.inner);
  take_column(output.states, places.inner + kInner);
  take_column(output.equities, places.inner + 2 * kInner);
}

std::int64_t longest_of(std::span<const BatchInput> inputs) {
  std::int64_t longest = 0;
  for (const BatchInput& input : inputs) longest = std::max(longest, bars_of(input));
  return longest;
}

std::int64_t tiles_of(const BatchInput& input) { return (bars_of(input) + kTileBars - 1) / kTileBars; }

}  // namespace

Batch::Batch(const engine::Plan& with, std::span<const BatchInput> in, std::span<const BatchOutput> out,
             std::span<engine::Incremental* const> to_engines)
    : plans{&with},
      plan(with),
      inputs(in),
      outputs(out),
      engines(to_engines),
      device_plan(gpu::device_plan(with.constants())),
      places(places_of(with, out)),
      longest(longest_of(in)),
      growth(with.growth_table(longest)),
      growth_at{0} {}

Batch::Batch(std::span<const engine::Plan* const> with, std::span<const BatchInput> in,
             std::span<const BatchOutput> out)
    : plans(with.begin(), with.end()),
      plan(*with.front()),
      inputs(in),
      outputs(out),
      engines{},
      device_plan(gpu::device_plan(plan.constants())),
      places(places_of(plan, out)),
      longest(longest_of(in)) {
  std::map<std::pair<double, std::int64_t>, std::size_t> tables;  // by what growth depends on
  for (const engine::Plan* const variant : plans) {
    device_plans.push_back(gpu::device_plan(variant->constants()));
    const engine::Parameters& parameters = variant->parameters();
    const auto [table, is_new] = tables.try_emplace({parameters.lambda, parameters.cutout}, tables.size());
    growth_at.push_back(table->second);
    if (!is_new) continue;
    const std::vector<double> factors = variant->growth_table(longest);
    growth.insert(growth.end(), factors.begin(), factors.end());
  }
}

std::vector<Chunk> chunks_of(const Batch& batch, std::int64_t count, std::int64_t least_bytes,
                             std::int64_t most_bytes) {
  const auto& inputs = batch.inputs;
  const std::int64_t columns = columns_of(batch.places);
  std::vector<std::size_t> order(inputs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto longer = [&](std::size_t a, std::size_t b) {
    return inputs[a].closes.size() > inputs[b].closes.size();
  };
  // Most batches are of equal lengths.
  if (!std::is_sorted(order.begin(), order.end(), longer))
    std::stable_sort(order.begin(), order.end(), longer);
  const auto variants = static_cast<std::int64_t>(batch.variants());
  const std::int64_t result_bytes = columns * kValueBytes + (batch.places.trend >= 0 ? 1 : 0);
  const auto bytes_of = [&](const BatchInput& input) {
    const std::int64_t inputs_bytes = (input.sources.empty() ? 1 : 2) * kValueBytes;
    return bars_of(input) * (inputs_bytes + result_bytes * variants) +
           static_cast<std::int64_t>(sizeof(SeriesEnd));
  };
  std::int64_t all = 0;
  for (const BatchInput& input : inputs) all += bytes_of(input);
  // Not so many chunks that most of what crosses is what each of them has a copy of.
  const auto copied = static_cast<std::int64_t>(batch.growth.size() * sizeof(double) +
                                                batch.device_plans.size() * sizeof(DevicePlan));
  const std::int64_t target = std::max(std::min(std::max(all / count + 1, least_bytes), most_bytes), copied);
  std::vector<Chunk> chunks;
  std::int64_t bytes = target;
  for (const std::size_t i : order) {
    if (bytes >= target) {
      chunks.emplace_back();
      bytes = 0;
    }
    chunks.back().members.push_back(i);
    bytes += bytes_of(inputs[i]);
  }
  return chunks;
}

Layout lay_out(const Batch& batch, const Chunk& chunk) {
  Layout layout{};
  std::int64_t& bytes = layout.bytes;
  const std::size_t variants = batch.variants();
  layout.series.resize(chunk.members.size());
  layout.results.resize(chunk.members.size() * variants);
  layout.tasks = take(bytes, static_cast<std::int64_t>(layout.results.size() * sizeof(SeriesTask)));
  layout.plans = take(bytes, static_cast<std::int64_t>(batch.device_plans.size() * sizeof(DevicePlan)));
  layout.growth = take(bytes, static_cast<std::int64_t>(batch.growth.size()) * kValueBytes);
  const auto each = [&](auto&& place) {
    for (std::size_t k = 0; k < chunk.members.size(); ++k)
      place(layout.series[k], batch.inputs[chunk.members[k]]);
  };
  each([&](SeriesPlace& place, const BatchInput& input) {
    place.closes = take(bytes, bars_of(input) * kValueBytes);
    place.sources = input.sources.empty() ? place.closes : take(bytes, bars_of(input) * kValueBytes);
  });
  layout.input_bytes = bytes;
  each([&](SeriesPlace& place, const BatchInput& input) {
    place.crossings = variants > 1 ? take(bytes, tiles_of(input) * kTileCrossings) : -1;
  });
  layout.crossing_bytes = bytes - layout.input_bytes;
  const std::int64_t columns = columns_of(batch.places);
  for (std::size_t k = 0; k < layout.results.size(); ++k) {
    const std::int64_t bars = bars_of(batch.inputs[chunk.members[k / variants]]);
    layout.results[k].columns = take(bytes, columns * bars * kValueBytes);
    layout.results[k].trend = take(bytes, batch.places.trend >= 0 ? bars : 0);
  }
  each([&](SeriesPlace& place, const BatchInput&) {
    place.end = place.raws = -1;
    if (batch.engines.empty()) return;
    place.end = take(bytes, static_cast<std::int64_t>(sizeof(SeriesEnd)));
    place.raws = take(bytes, raws_of(batch) * kValueBytes);
  });
  return layout;
}

namespace {

/// A series' tasks, one for each plan.
void put_tasks(const Batch& batch, const Layout& layout, std::size_t member, SeriesTask task, std::byte* host,
               std::byte* device) {
  const std::size_t variants = batch.variants();
  for (std::size_t v = 0; v < variants; ++v) {
    const std::size_t k = member * variants + v;
    task.growth = at<double>(device, layout.growth) + (batch.growth_of(v) - batch.growth.data());
    task.columns = at<double>(device, layout.results[k].columns);
    task.trend = at<signed char>(device, layout.results[k].trend);
    if (variants > 1) task.variant = at<DevicePlan>(device, layout.plans) + v;
    at<SeriesTask>(host, layout.tasks)[k] = task;
  }
}

/// The columns of one series under one plan.
void unpack_columns(const Batch& batch, const BatchInput& input, const BatchOutput& output,
                    const ResultPlace& place, const std::byte* host) {
  take_columns(batch.places, at<double>(host, place.columns), input, output);
  for (std::size_t f = 0; f < kFamilies; ++f) {
    if (!chosen(batch.plan, f)) leave_out(f, input, output);
  }
  if (!output.trend.empty()) {
    std::copy_n(at<signed char>(host, place.trend), bars_of(input), output.trend.begin());
  }
  engine::fill_trend_since(input, output);
}

}  // namespace

std::string pack(const Batch& batch, const Chunk& chunk, const Layout& layout, std::byte* host,
                 std::byte* device) {
  std::copy(batch.growth.begin(), batch.growth.end(), at<double>(host, layout.growth));
  std::copy(batch.device_plans.begin(), batch.device_plans.end(), at<DevicePlan>(host, layout.plans));
  for (std::size_t k = 0; k < chunk.members.size(); ++k) {
    const BatchInput& input = batch.inputs[chunk.members[k]];
    const SeriesPlace& place = layout.series[k];
    bool calm = copy_calm(input.closes, at<double>(host, place.closes), 0);
    if (!input.sources.empty()) {
      const bool sources = copy_calm(input.sources, at<double>(host, place.sources), -kMostCalm);
      calm = calm && sources;
    }
    if (!calm) {
      std::string refusal = engine::check_batch(batch.plan, input);
      if (!refusal.empty()) return refusal;
    }
    SeriesTask task{};
    task.closes = at<double>(device, place.closes);
    task.sources = at<double>(device, place.sources);
    if (place.end >= 0) {
      task.end = at<SeriesEnd>(device, place.end);
      task.raws = at<double>(device, place.raws);
    }
    if (place.crossings >= 0) task.crossings = at<Crossings>(device, place.crossings);
    task.bars = bars_of(input);
    task.calm = calm ? 1 : 0;
    put_tasks(batch, layout, k, task, host, device);
  }
  return {};
}

KernelArguments arguments_of(const Batch& batch, const Layout& layout, const std::byte* device) {
  return {at<SeriesTask>(device, layout.tasks), batch.places, static_cast<std::int32_t>(batch.variants())};
}

void unpack(const Batch& batch, const Chunk& chunk, const Layout& layout, const std::byte* host) {
  const auto raws = static_cast<std::size_t>(raws_of(batch));
  for (std::size_t k = 0; k < chunk.members.size(); ++k) {
    const std::size_t series = chunk.members[k];
    const BatchInput& input = batch.inputs[series];
    const SeriesPlace& place = layout.series[k];
    for (std::size_t v = 0; v < batch.variants() && !batch.outputs.empty(); ++v) {
      unpack_columns(batch, input, batch.output(v, series), layout.results[k * batch.variants() + v], host);
    }
    if (!batch.engines.empty() && batch.engines[series] != nullptr) {
      batch.engines[series]->resume(
          standing_of(input, *at<SeriesEnd>(host, place.end), {at<double>(host, place.raws), raws}));
    }
  }
}

}  // namespace atcd::gpu
