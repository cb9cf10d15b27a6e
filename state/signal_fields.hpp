#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/parameters.hpp"
#include "engine/signal.hpp"

namespace atcd::state {

inline constexpr std::string_view kSchemaVersion = "1";

/// The fields of a signal: the same names and order in stream, hash and JSON.
enum class Field : std::uint8_t {
  v,
  series,
  exchange,
  market,
  symbol,
  interval,
  profile,
  open_ms,
  close_ms,
  next_close_ms,
  open,
  high,
  low,
  close,
  volume,
  average,
  trend,
  previous_trend,
  trend_since_ms,
  ema_signal,  // the families' signals and equities in the engine's order
  hma_signal,
  wma_signal,
  dema_signal,
  lsma_signal,
  kama_signal,
  ema_equity,
  hma_equity,
  wma_equity,
  dema_equity,
  lsma_equity,
  kama_equity,
  bar_index,
  anchor_ms,
  rev,
  config,
  dialect,
  instance,
  source,
  received_us,
  published_us,
  gap_from_ms,  // only where there is a gap before the bar
};

enum class FieldForm : std::uint8_t {
  number,  // changes with each bar
  constant_number,
  constant_text,  // the same in every signal of a series
  word,           // changes, and needs quotes in JSON but no escapes
};

struct FieldRow {
  Field field;
  std::string_view name;
  FieldForm form;
  bool content;  // design, section 5: what must be equal for two entries to say the same
};

inline constexpr std::size_t kFields = 41;

inline constexpr std::array<FieldRow, kFields> kFieldTable = {{
    {Field::v, "v", FieldForm::constant_number, false},
    {Field::series, "series", FieldForm::constant_text, false},
    {Field::exchange, "exchange", FieldForm::constant_text, false},
    {Field::market, "market", FieldForm::constant_text, false},
    {Field::symbol, "symbol", FieldForm::constant_text, false},
    {Field::interval, "interval", FieldForm::constant_text, false},
    {Field::profile, "profile", FieldForm::constant_text, false},
    {Field::open_ms, "open_ms", FieldForm::number, false},
    {Field::close_ms, "close_ms", FieldForm::number, false},
    {Field::next_close_ms, "next_close_ms", FieldForm::number, false},
    {Field::open, "open", FieldForm::number, false},
    {Field::high, "high", FieldForm::number, false},
    {Field::low, "low", FieldForm::number, false},
    {Field::close, "close", FieldForm::number, true},
    {Field::volume, "volume", FieldForm::number, false},
    {Field::average, "average", FieldForm::number, true},
    {Field::trend, "trend", FieldForm::number, true},
    {Field::previous_trend, "previous_trend", FieldForm::number, true},
    {Field::trend_since_ms, "trend_since_ms", FieldForm::number, true},
    {Field::ema_signal, "ema_signal", FieldForm::number, true},
    {Field::hma_signal, "hma_signal", FieldForm::number, true},
    {Field::wma_signal, "wma_signal", FieldForm::number, true},
    {Field::dema_signal, "dema_signal", FieldForm::number, true},
    {Field::lsma_signal, "lsma_signal", FieldForm::number, true},
    {Field::kama_signal, "kama_signal", FieldForm::number, true},
    {Field::ema_equity, "ema_equity", FieldForm::number, true},
    {Field::hma_equity, "hma_equity", FieldForm::number, true},
    {Field::wma_equity, "wma_equity", FieldForm::number, true},
    {Field::dema_equity, "dema_equity", FieldForm::number, true},
    {Field::lsma_equity, "lsma_equity", FieldForm::number, true},
    {Field::kama_equity, "kama_equity", FieldForm::number, true},
    {Field::bar_index, "bar_index", FieldForm::number, true},
    {Field::anchor_ms, "anchor_ms", FieldForm::number, true},
    {Field::rev, "rev", FieldForm::number, false},  // given by the Redis function
    {Field::config, "config", FieldForm::constant_text, true},
    {Field::dialect, "dialect", FieldForm::constant_text, false},
    {Field::instance, "instance", FieldForm::constant_text, false},
    {Field::source, "source", FieldForm::word, false},
    {Field::received_us, "received_us", FieldForm::number, false},
    {Field::published_us, "published_us", FieldForm::number, false},
    {Field::gap_from_ms, "gap_from_ms", FieldForm::number, false},
}};

constexpr std::size_t index_of(Field field) { return static_cast<std::size_t>(field); }

namespace detail {

constexpr bool rows_are_in_order() {
  for (std::size_t i = 0; i < kFields; ++i) {
    if (index_of(kFieldTable[i].field) != i) return false;
  }
  return true;
}

constexpr bool families_are_in_order(Field first, std::string_view ending) {
  for (std::size_t i = 0; i < engine::kFamilies; ++i) {
    const std::string_view name = kFieldTable[index_of(first) + i].name;
    const std::string_view family = engine::kFamilyNames[i];
    if (name.substr(0, family.size()) != family || name.substr(family.size()) != ending) return false;
  }
  return true;
}

constexpr std::size_t count_content() {
  std::size_t count = 0;
  for (const FieldRow& row : kFieldTable) count += row.content ? 1 : 0;
  return count;
}

}  // namespace detail

static_assert(index_of(Field::gap_from_ms) + 1 == kFields && detail::rows_are_in_order());
static_assert(detail::families_are_in_order(Field::ema_signal, "_signal") &&
              detail::families_are_in_order(Field::ema_equity, "_equity"));

inline constexpr std::size_t kContentFields = detail::count_content();
/// Without rev, which the function adds, and gap_from_ms, which is seldom there.
inline constexpr std::size_t kOtherFields = kFields - kContentFields - 2;

}  // namespace atcd::state
