#include "gpu/device_plan.hpp"

#include <algorithm>
#include <iterator>
#include <type_traits>

#include "gpu/series_kernel_types.hpp"

namespace atcd::gpu {
namespace {

static_assert(std::is_trivially_copyable_v<DevicePlan>);
static_assert(sizeof(DevicePlan) + sizeof(KernelArguments) <= 4096, "what a kernel's arguments may take");

void take(DevicePlan::Lengths& to, const engine::PlanConstants::Lengths& from) {
  std::transform(from, from + DevicePlan::kLengths, to,
                 [](std::int64_t length) { return static_cast<std::int32_t>(length); });
}

void take(DevicePlan::Reals& to, const engine::PlanConstants::Reals& from) {
  std::copy_n(from, DevicePlan::kLengths, to);
}

void take(DevicePlan::Inverses& to, const engine::PlanConstants::Inverses& from) {
  take(to.high, from.high);
  take(to.low, from.low);
}

void add_readings(DevicePlan& p, const engine::PlanConstants& c) {
  const auto add = [&p](ScanReading::Kind kind, std::size_t i, std::int64_t visits, bool completes = false) {
    p.reading[p.readings++] = {static_cast<std::int32_t>(visits), kind, static_cast<std::int8_t>(i),
                               static_cast<std::int8_t>(completes ? 1 : 0)};
  };
  for (std::size_t i = 0; i < DevicePlan::kLengths; ++i) {
    // A half is longer than the whole where the whole is 1.
    const bool half_last = c.half_before.at[i] > c.hma_before.at[i];
    if (!c.pine) add(ScanReading::half, i, c.half_before.at[i], half_last);
    add(ScanReading::whole, i, c.hma_before.at[i], !half_last);
    add(ScanReading::wma, i, c.wma_before.at[i]);
    add(ScanReading::lsma, i, c.lsma_before.at[i]);
  }
  // Stable: of two readings at one place a half that is added first stays first.
  std::stable_sort(p.reading, p.reading + p.readings,
                   [](const ScanReading& a, const ScanReading& b) { return a.visits < b.visits; });
}

Spread spread_of(const engine::PlanConstants& c) {
  for (const Spread spread : {Spread::narrow, Spread::medium, Spread::wide}) {
    bool usual = true;
    for (int i = 0; i < static_cast<int>(DevicePlan::kLengths); ++i) {
      const std::int64_t length = usual_length(spread, i);
      usual = usual && c.hma_before.at[i] == length - 1 && c.half_before.at[i] == length / 2 - 1 &&
              c.wma_before.at[i] == length - 1 && c.lsma_before.at[i] == length - 1 &&
              c.kama_length[i] == length && c.root_length[i] == usual_root(spread, i);
    }
    if (usual) return spread;
  }
  return Spread::other;
}

std::int64_t longest(const engine::PlanConstants::Lengths& values) {
  return *std::max_element(values, values + DevicePlan::kLengths);
}

/// How many values before the newest the kernel reads. Of families that are not chosen it leaves out only
/// three together, so that it may read more than the plan's own scans.
std::int64_t reach_of(const engine::PlanConstants& c) {
  return std::max({longest(c.hma_before.at), longest(c.half_before.at), longest(c.wma_before.at),
                   longest(c.lsma_before.at), longest(c.kama_length), longest(c.ema_length) - 1,
                   longest(c.dema_length) - 1});
}

}  // namespace

DevicePlan device_plan(const engine::PlanConstants& c) {
  DevicePlan p{};
  p.pine = c.pine ? 1 : 0;
  p.spread = spread_of(c);
  p.strategy_mode = c.strategy_mode ? 1 : 0;
  p.families = c.families;
  p.value_history = static_cast<std::int32_t>((reach_of(c) + kTileBars - 1) / kTileBars * kTileBars);
  p.raw_history = c.pine ? 0 : static_cast<std::int32_t>(longest(c.root_length) - 1);
  p.unsettled_bars = static_cast<std::int32_t>(std::max(c.warm_bars, longest(c.kama_length)));
  p.cutout = c.cutout;
  add_readings(p, c);
  take(p.ema_length, c.ema_length);
  take(p.dema_length, c.dema_length);
  take(p.kama_length, c.kama_length);
  take(p.root_length, c.root_length);
  take(p.ema_alpha, c.ema_alpha);
  take(p.ema_keep, c.ema_keep);
  take(p.ema_count, c.ema_count);
  take(p.dema_alpha, c.dema_alpha);
  take(p.dema_keep, c.dema_keep);
  take(p.dema_count, c.dema_count);
  take(p.hma_count, c.hma_count);
  take(p.half_count, c.half_count);
  take(p.root_count, c.root_count);
  take(p.wma_count, c.wma_count);
  take(p.lsma_count, c.lsma_count);
  take(p.hma_inverse, c.hma_inverse);
  take(p.half_inverse, c.half_inverse);
  take(p.root_inverse, c.root_inverse);
  take(p.wma_inverse, c.wma_inverse);
  take(p.lsma_inverse, c.lsma_inverse);
  take(p.lsma_mean_inverse, c.lsma_mean_inverse);
  take(p.lsma_step_inverse, c.lsma_step_inverse);
  take(p.lsma_by_wma, c.lsma_by_wma);
  take(p.lsma_by_sma, c.lsma_by_sma);
  p.hundredth_high = c.hundredth_high;
  p.hundredth_low = c.hundredth_low;
  p.equity_keep = c.equity_keep;
  std::copy_n(c.layer1_start, engine::kFamilies, p.layer1_start);
  std::copy_n(c.layer2_start, engine::kFamilies, p.layer2_start);
  p.cut_above = c.cut_above;
  p.cut_below = c.cut_below;
  p.trend_above = c.trend_above;
  p.trend_below = c.trend_below;
  return p;
}

}  // namespace atcd::gpu
