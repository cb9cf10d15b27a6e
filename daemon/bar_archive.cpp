#include "daemon/bar_archive.hpp"

#include <limits>
#include <memory>

#include "engine/series_id.hpp"

namespace atcd::daemon {
namespace {

constexpr std::int64_t kNow = std::numeric_limits<std::int64_t>::max();

}  // namespace

// Members in this order: opening for writing mends what a crash left, and only then is there something to
// read.
BarArchive::BarArchive(const std::string& directory)
    : directory_(directory + "/history"),
      writer_(std::make_unique<state::History>(directory_, state::History::Access::write)),
      before_(directory_, state::History::Access::read),
      snapshot_(directory_) {}

std::string archive_name(const feeds::Exchange& exchange, const feeds::StreamName& stream) {
  return engine::percent_encode(exchange.name()) + ":" + engine::percent_encode(exchange.market()) + ":" +
         engine::percent_encode(stream.symbol) + ":" + engine::percent_encode(stream.interval);
}

BarArchive::Opened BarArchive::open(const std::string& name) {
  Opened opened{writer_.open(name), {}, 0, {}};
  // A series that was removed and comes again was written to since the start: REST knows it.
  const bool first_time = opened_.insert(name).second;
  const auto series = first_time ? before_.find(name) : std::nullopt;
  if (!series) return opened;
  opened.corrections = before_.corrections(*series);
  opened.late = before_.late(*series);
  opened.bars = before_.newest(*series, kNow);
  if (opened.bars.bars.size() < 2) opened.bars = before_.newest(*series, opened.bars.covered_from_ms - 1);
  return opened;
}

// Blocks are never changed: this holds whatever was written since the start.
state::StoredBars BarArchive::earlier(const std::string& name, std::int64_t boundary_ms,
                                      std::int64_t from_ms) {
  const auto series = before_.find(name);
  if (!series) return {{}, boundary_ms, boundary_ms};
  return before_.newest_before(*series, boundary_ms, from_ms);
}

}  // namespace atcd::daemon
