#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/bar.hpp"
#include "engine/series_id.hpp"
#include "engine/signal.hpp"

namespace atcd::state {

enum class Source : std::uint8_t { live, backfill, warm };

/// What does not change from bar to bar of one published series.
struct PublishedSeries {
  engine::SeriesId id;
  std::string config;          // configuration hash, 16 hex digits
  std::string dialect;         // "lts"
  std::string catalogue_json;  // value of the series' field in the catalogue
};

/// One signal on its way to Redis: a bar, what was computed from it, and where it came from.
struct SignalRecord {
  engine::Bar bar;
  engine::Signal signal;
  std::int64_t prev_close_ms = 0;  // close time of the previous existing bar of the series; 0: none
  std::int64_t next_close_ms = 0;  // when the next bar will close
  std::int64_t anchor_ms = 0;      // open time of bar 0
  std::int64_t gap_from_ms = 0;  // close time of the last bar before bars that can't be had any more; 0: none
  bool correction = false;       // may replace the content of the newest entry
  std::int64_t replaces = 0;     // of a correction: the rev of the entry that it may replace
  engine::Bar before{};          // of a correction: what was told of the bar before it
  Source source = Source::live;
  std::int64_t received_us = 0;  // UTC when the frame or REST row that closed the bar was read
};

/// "live", "backfill", "warm".
std::string_view source_name(Source source);

/// Appends the text as a JSON string with its quotes; bytes that are no valid UTF-8 come out as U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace atcd::state
