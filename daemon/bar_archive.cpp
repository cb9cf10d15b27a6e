#include "daemon/bar_archive.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "daemon/instruments.hpp"
#include "engine/series_id.hpp"

namespace atcd::daemon {
namespace {

// More than close between a snapshot and the end of a run: an engine goes on from there.
constexpr std::size_t kNewest = 64;
// Of series that went, for each worker: 64 MB, some 250 of the default profile's.
constexpr std::size_t kMostLeftBars = (std::size_t{1} << 26) / sizeof(engine::Bar);
// Where all go and come again at once, as when an address is changed, none is lost on the way.
constexpr std::int64_t kKeepAllMs = 600'000;

}  // namespace

BarStore::BarStore(const std::string& directory, std::size_t workers)
    : BarStore(directory + "/history", workers,
               std::make_unique<state::History>(directory + "/history", state::History::Access::write)) {}

// The directory is ours once the history is open; what is there is remembered before anything is written.
BarStore::BarStore(const std::string& directory, std::size_t workers, std::unique_ptr<state::History> history)
    : snapshot_(directory) {
  for (std::size_t i = 0; i < workers; ++i) before_.push_back(std::make_unique<state::History>(*history));
  writer_ = std::make_unique<state::HistoryWriter>(std::move(history), workers);
}

std::string archive_name(const feeds::Exchange& exchange, const feeds::StreamName& stream) {
  return engine::percent_encode(exchange.name()) + ":" + engine::percent_encode(exchange.market()) + ":" +
         engine::percent_encode(stream.symbol) + ":" + engine::percent_encode(stream.interval);
}

BarArchive::Opened BarArchive::open(const std::string& name) {
  if (auto left = left_.extract(name)) {
    if (left.mapped().complete) complete_.insert(name);
    return std::move(left.mapped().known);
  }
  Opened opened{port_.open(name), {}, 0, {}};
  // One that comes again so late that it was forgotten was written to since the start: REST knows it.
  const bool first_time = opened_.insert(name).second;
  const auto series = first_time ? series_before(name) : std::nullopt;
  if (!series) return opened;
  opened.corrections = before_.corrections(*series);
  opened.late = before_.late(*series);
  opened.bars = before_.latest(*series, kNewest);
  if (opened.bars.bars.size() < 2) opened.bars = before_.newest(*series, opened.bars.covered_from_ms - 1);
  return opened;
}

// Blocks are never changed: of them this holds whatever was written since the start.
state::StoredBars BarArchive::earlier(const std::string& name, std::int64_t boundary_ms,
                                      std::int64_t from_ms) {
  const auto series = complete_.contains(name) ? std::nullopt : series_before(name);
  if (!series) return {{}, boundary_ms, boundary_ms};
  return before_.newest_before(*series, boundary_ms, from_ms);
}

std::optional<state::History::Series> BarArchive::series_before(const std::string& name) const {
  return anew_.contains(name) ? std::nullopt : before_.find(name);
}

std::optional<state::Instrument> BarArchive::instrument(const std::string& name) const {
  if (const auto told = instruments_.find(name); told != instruments_.end()) return told->second;
  const auto series = series_before(name);
  return series ? before_.instrument(*series) : std::nullopt;
}

void BarArchive::set_instrument(const std::string& name, const state::Instrument& instrument) {
  if (this->instrument(name) == instrument) return;
  instruments_[name] = instrument;
  port_.set_instrument(name, instrument);
}

std::vector<feeds::SymbolInfo> BarArchive::known_symbols(const feeds::Exchange& exchange) const {
  std::map<std::string, feeds::SymbolInfo> symbols;
  for (const std::string& name : before_.names()) {
    const auto symbol = archived_symbol(exchange, name);
    const auto known = symbol ? instrument(name) : std::nullopt;
    if (known) symbols.emplace(*symbol, symbol_info(*symbol, *known));
  }
  std::vector<feeds::SymbolInfo> list;
  list.reserve(symbols.size());
  for (auto& [symbol, info] : symbols) list.push_back(std::move(info));
  return list;
}

std::int64_t BarArchive::end_ms(const std::string& name) const {
  if (const auto left = ends_.find(name); left != ends_.end()) return left->second;
  const auto series = series_before(name);
  if (!series) return 0;
  // A tail that has just become a block holds no bar.
  const state::StoredBars newest = before_.latest(*series, 1);
  return newest.bars.empty() ? newest.covered_to_ms : newest.bars.back().close_time_ms;
}

std::int64_t BarArchive::first_close_ms(const std::string& name) {
  if (ends_.contains(name)) return 0;
  const auto series = series_before(name);
  const auto first_ms = series ? before_.first_close_ms(*series) : std::nullopt;
  return first_ms.value_or(std::numeric_limits<std::int64_t>::max());
}

void BarArchive::left(const std::string& name, Opened known, bool complete, std::int64_t now_ms) {
  ends_[name] = known.bars.bars.back().close_time_ms;
  left_.insert_or_assign(name, Left{std::move(known), complete, now_ms});
}

void BarArchive::left_unused(const std::string& name) {
  if (!ends_.contains(name)) opened_.erase(name);
}

void BarArchive::trim(std::int64_t now_ms) {
  std::size_t bars = 0;
  std::vector<std::pair<std::int64_t, std::string>> order;
  for (const auto& [name, left] : left_) {
    bars += left.known.bars.bars.size();
    order.emplace_back(left.at_ms, name);
  }
  std::sort(order.begin(), order.end());
  for (const auto& [at_ms, name] : order) {
    if (bars <= kMostLeftBars || now_ms - at_ms < kKeepAllMs) return;
    const auto gone = left_.find(name);
    bars -= gone->second.known.bars.bars.size();
    left_.erase(gone);
  }
}

std::vector<std::string> BarArchive::take_problems() {
  const auto& all = before_.problems();
  return {all.begin() + static_cast<std::ptrdiff_t>(std::exchange(told_problems_, all.size())), all.end()};
}

void BarArchive::begin_anew(const std::string& name, const state::Instrument& instrument,
                            std::int64_t at_ms) {
  anew_.insert(name);
  ends_.erase(name);
  left_.erase(name);
  instruments_[name] = instrument;
  port_.begin_anew(name, instrument, at_ms);
}

}  // namespace atcd::daemon
