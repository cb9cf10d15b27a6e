#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "feeds/feed.hpp"
#include "feeds/series.hpp"
#include "state/publisher.hpp"

// What a running daemon tells of itself when it is asked (daemon/worker_questions.hpp).

namespace atcd::daemon {

/// One published series as it is now.
struct SeriesRow {
  std::string name;
  feeds::SeriesState state = feeds::SeriesState::ended;
  std::int64_t close_ms = 0;  // of its newest closed bar; 0: it has none
  double close = 0;
  double average = std::numeric_limits<double>::quiet_NaN();  // of that bar, where it is computed
  std::int8_t trend = 0;
  std::int64_t trend_since_ms = 0;
  std::int64_t published_ms = 0;  // close of the newest bar that Redis has acknowledged in this run; 0: none
  std::int64_t lag_ms = 0;        // from that bar's close to the acknowledgement
};

/// Some of a worker's series, in the order of their numbers.
struct SeriesRows {
  std::vector<SeriesRow> rows;
  bool more = false;
  state::SeriesIndex next = 0;  // where there are more: the number to go on with
};

/// One exchange and market as one worker follows it.
struct FeedRow {
  std::string name;  // exchange:market
  std::size_t series = 0;
  feeds::FeedCounters counters;
};

/// What a change of the configuration came to.
struct Changes {
  std::vector<std::string> added, removed;  // names of series
  std::vector<std::string> problems;        // sentences: what could not be done
  std::size_t stopped = 0;                  // of those added: Redis holds signals of another configuration
  bool settled = true;                      // false: an exchange's list is still waited for
};

}  // namespace atcd::daemon
