#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "engine/bar.hpp"
#include "feeds/series.hpp"

namespace atcd::perf {

/// Series from the feed's side, without a feed: history is given at once.
struct QuietSeries : feeds::SeriesHandler {
  void on_bar(const engine::Bar&, std::int64_t) override {}
  void on_correction(const engine::Bar&, const engine::Bar&, std::int64_t) override {}
  void on_conflict(const engine::Bar&, const engine::Bar&) override {}
  void on_state(feeds::SeriesState, std::string_view) override {}
  void on_earlier(std::span<const engine::Bar>, std::int64_t) override {}
  void on_covered() override {}
  void fetch(std::int64_t, std::int64_t, int) override {}
  void resubscribe() override {}
  void ask_listing() override {}

 protected:
  ~QuietSeries() = default;
};

}  // namespace atcd::perf
