#include "daemon/bar_archive.hpp"

#include <memory>
#include <utility>

#include "engine/series_id.hpp"

namespace atcd::daemon {
namespace {

// More than close between a snapshot and the end of a run: an engine goes on from there.
constexpr std::size_t kNewest = 64;

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
  Opened opened{port_.open(name), {}, 0, {}};
  // A series that was removed and comes again was written to since the start: REST knows it.
  const bool first_time = opened_.insert(name).second;
  const auto series = first_time ? before_.find(name) : std::nullopt;
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
  const auto series = before_.find(name);
  if (!series) return {{}, boundary_ms, boundary_ms};
  return before_.newest_before(*series, boundary_ms, from_ms);
}

}  // namespace atcd::daemon
