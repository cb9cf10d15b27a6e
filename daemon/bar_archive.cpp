#include "daemon/bar_archive.hpp"

#include <memory>

namespace atcd::daemon {

// Members in this order: opening for writing mends what a crash left, and only then is there something to
// read.
BarArchive::BarArchive(const std::string& directory)
    : directory_(directory + "/history"),
      writer_(std::make_unique<state::History>(directory_, state::History::Access::write)),
      before_(directory_, state::History::Access::read) {}

BarArchive::Opened BarArchive::open(const std::string& name, std::int64_t from_ms) {
  Opened opened{writer_.open(name), {}};
  // A series that was removed and comes again was written to since the start: REST knows it.
  const bool first_time = opened_.insert(name).second;
  const auto series = first_time ? before_.find(name) : std::nullopt;
  if (series) opened.bars = before_.newest(*series, from_ms);
  return opened;
}

}  // namespace atcd::daemon
