#include "daemon/snapshot_taker.hpp"

#include <chrono>
#include <iterator>
#include <system_error>
#include <utility>

#include "daemon/clock.hpp"
#include "state/snapshot.hpp"

namespace atcd::daemon {

bool SnapshotTaker::begin(std::size_t parts) {
  if (busy() || parts == 0) return false;
  missing_ = parts;
  taken_ms_ = utc_ms();
  pieces_.assign(1, state::snapshot_header(taken_ms_));
  return true;
}

void SnapshotTaker::add(std::vector<std::string> entries) {
  if (missing_ == 0) return;  // write_now() came in between
  std::move(entries.begin(), entries.end(), std::back_inserter(pieces_));
  if (--missing_ > 0) return;
  std::vector<std::string> whole = std::exchange(pieces_, {});
  try {
    writing_ = std::async(std::launch::async, [directory = directory_, pieces = std::move(whole)] {
      return state::write_snapshot(directory, pieces);
    });
  } catch (const std::system_error& failure) {
    std::promise<std::string> refused;
    refused.set_value(std::string("no thread could be had to write the snapshot: ") + failure.what());
    writing_ = refused.get_future();
  }
}

std::string SnapshotTaker::write_now(std::vector<std::string> entries) {
  missing_ = 0;
  pieces_.clear();
  if (writing_.valid()) writing_.get();
  entries.insert(entries.begin(), state::snapshot_header(utc_ms()));
  return state::write_snapshot(directory_, entries);
}

std::optional<std::string> SnapshotTaker::take_result() {
  const bool written =
      writing_.valid() && writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  if (!written) return std::nullopt;
  std::string problem = writing_.get();
  if (problem.empty()) last_success_ms_ = taken_ms_;
  return problem;
}

}  // namespace atcd::daemon
