#include "daemon/snapshot_taker.hpp"

#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "daemon/clock.hpp"
#include "state/snapshot.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kSeriesAtOnce = 32;

}  // namespace

SnapshotTaker::SnapshotTaker(boost::asio::io_context& io, std::string directory, Save save)
    : io_(io), directory_(std::move(directory)), save_(std::move(save)) {}
SnapshotTaker::~SnapshotTaker() = default;

void SnapshotTaker::begin(std::vector<state::SeriesIndex> series) {
  if (!waiting_.empty() || writing_.valid() || series.empty()) return;
  waiting_ = std::move(series);
  pieces_.assign(1, state::snapshot_header(utc_ms()));
  save_some();
}

void SnapshotTaker::save_some() {
  if (pieces_.empty()) return;  // take_now() came in between
  std::string& piece = pieces_.emplace_back();
  for (std::size_t i = 0; i < kSeriesAtOnce && !waiting_.empty(); ++i) {
    save_(waiting_.back(), piece);
    waiting_.pop_back();
  }
  if (!waiting_.empty()) {
    boost::asio::post(io_, [this] { save_some(); });
    return;
  }
  writing_ = std::async(std::launch::async, [directory = directory_, pieces = std::exchange(pieces_, {})] {
    return state::write_snapshot(directory, pieces);
  });
}

std::string SnapshotTaker::take_now(const std::vector<state::SeriesIndex>& series) {
  waiting_.clear();
  pieces_.clear();
  if (writing_.valid()) writing_.get();
  std::vector<std::string> pieces(1, state::snapshot_header(utc_ms()));
  for (const state::SeriesIndex index : series) save_(index, pieces.emplace_back());
  return state::write_snapshot(directory_, pieces);
}

std::string SnapshotTaker::take_problem() {
  const bool written =
      writing_.valid() && writing_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  return written ? writing_.get() : std::string();
}

}  // namespace atcd::daemon
