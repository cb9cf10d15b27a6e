#include "engine/batch_groups.hpp"

#include <algorithm>
#include <numeric>

namespace atcd::engine {
namespace {

double* data_or_null(std::span<double> column) { return column.empty() ? nullptr : column.data(); }

}  // namespace

BatchColumns columns_of(const BatchInput& input, const BatchOutput& output) {
  BatchColumns columns{};
  columns.bars = static_cast<std::int64_t>(input.closes.size());
  columns.closes = input.closes.data();
  columns.sources = input.sources.empty() ? input.closes.data() : input.sources.data();
  for (std::size_t f = 0; f < kFamilies; ++f) {
    columns.layer1[f] = data_or_null(output.layer1[f]);
    columns.layer2[f] = data_or_null(output.equity[f]);
  }
  columns.average = data_or_null(output.average);
  columns.trend = output.trend.empty() ? nullptr : output.trend.data();
  columns.averages = data_or_null(output.averages);
  columns.states = data_or_null(output.states);
  columns.equities = data_or_null(output.equities);
  return columns;
}

std::vector<std::size_t> order_of(std::span<const BatchInput> inputs) {
  std::vector<std::size_t> order(inputs.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return inputs[a].closes.size() < inputs[b].closes.size();
  });
  return order;
}

Scratch::Scratch(std::int64_t bytes) : memory_(::operator new(static_cast<std::size_t>(bytes), kLine)) {}

}  // namespace atcd::engine
