#include "daemon/verification.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string_view>

#include "daemon/signal_series.hpp"
#include "engine/interval.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {
namespace {

using engine::Bar;

std::string_view text_of(const PublishedEntry& entry, std::string_view name) {
  const auto found = entry.fields.find(name);
  return found == entry.fields.end() ? std::string_view{} : found->second;
}

template <typename Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Undefined is empty.
bool same(std::string_view published, double computed) {
  if (std::isnan(computed)) return published.empty();
  const auto value = number<double>(published);
  return value && std::bit_cast<std::uint64_t>(*value) == std::bit_cast<std::uint64_t>(computed);
}

bool same(std::string_view published, std::int64_t computed) {
  return number<std::int64_t>(published) == computed;
}

std::string text(double value) {
  if (std::isnan(value)) return "undefined";
  std::string shown(32, '\0');
  const auto [end, error] = std::to_chars(shown.data(), shown.data() + shown.size(), value);
  shown.resize(static_cast<std::size_t>(end - shown.data()));
  return shown;
}
std::string text(std::int64_t value) { return std::to_string(value); }

class Verification {
 public:
  Verification(const ProfileConfig& profile, const engine::SeriesId& id, const KnownBars& known)
      : known_(known),
        bars_(known.current.bars),
        interval_(*engine::Interval::parse(id.interval)),
        config_(config_hash(profile)),
        signals_(std::make_shared<const engine::Plan>(profile.parameters), profile.anchor, interval_,
                 id.name()),
        replay_(signals_) {}

  Verdict run(std::span<const PublishedEntry> entries) {
    for (const PublishedEntry& entry : entries) {
      if (!take(entry)) break;
    }
    return std::move(verdict_);
  }

 private:
  /// False at the end: a difference, or a bar that is not known yet.
  bool take(const PublishedEntry& entry) {
    const auto open_ms = number<std::int64_t>(text_of(entry, "open_ms"));
    const auto close_ms = number<std::int64_t>(text_of(entry, "close_ms"));
    const auto rev = number<std::int64_t>(text_of(entry, "rev"));
    if (!open_ms || !close_ms || !rev)
      return differ(entry, "it has no open_ms, close_ms or rev that are numbers");
    if (entry.id != std::to_string(*close_ms) + "-" + std::to_string(*rev)) {
      return differ(entry, "its ID is not its close_ms and rev");
    }
    if (*open_ms >= known_.current.covered_to_ms) {
      ++verdict_.too_new;
      return false;
    }
    const auto at = std::lower_bound(bars_.begin(), bars_.end(), *open_ms,
                                     [](const Bar& bar, std::int64_t ms) { return bar.open_time_ms < ms; });
    const auto index = static_cast<std::size_t>(at - bars_.begin());
    if (!follows(entry, index)) return false;
    const bool known = *open_ms >= known_.current.covered_from_ms && text_of(entry, "config") == config_;
    last_ = index;
    if (!known) {
      ++verdict_.unknown;
      last_.reset();
      return true;
    }
    if (at == bars_.end() || at->open_time_ms != *open_ms) return differ(entry, "the bar does not exist");
    return compare(entry, index);
  }

  /// Every bar has an entry, unless the entry after them says that they can't be had.
  bool follows(const PublishedEntry& entry, std::size_t index) {
    if (!last_ || index <= *last_ + 1 || !text_of(entry, "gap_from_ms").empty()) return true;
    return differ(entry, "the bar before it, that closed at " + text(bars_[index - 1].close_time_ms) +
                             ", has no entry");
  }

  bool compare(const PublishedEntry& entry, std::size_t index) {
    const auto signal = computed(entry, index);
    if (!signal) {
      ++verdict_.unknown;
      return true;
    }
    const bool equal =
        check(entry, "close", used_.close) && check(entry, "average", signal->signal.average) &&
        check(entry, "trend", std::int64_t{signal->signal.trend}) &&
        check(entry, "previous_trend", std::int64_t{signal->signal.previous_trend}) &&
        check(entry, "trend_since_ms", signal->signal.trend_since_ms) &&
        check_families(entry, signal->signal) && check(entry, "bar_index", signal->signal.bar_index) &&
        check(entry, "anchor_ms", signal->anchor_ms);
    if (equal) ++verdict_.equal;
    return equal;
  }

  bool check_families(const PublishedEntry& entry, const engine::Signal& signal) {
    for (std::size_t family = 0; family < engine::kFamilies; ++family) {
      const std::string name(engine::kFamilyNames[family]);
      if (!check(entry, name + "_signal", signal.layer1[family]) ||
          !check(entry, name + "_equity", signal.equity[family])) {
        return false;
      }
    }
    return true;
  }

  /// With the bar as it was when the entry was published: it may have been corrected since.
  std::optional<AnchoredSignal> computed(const PublishedEntry& entry, std::size_t index) {
    const std::string_view close = text_of(entry, "close");
    used_ = bars_[index];
    const std::int64_t covered_from = interval_.ordinal(known_.current.covered_from_ms);
    if (!same(close, used_.close)) {
      for (const Bar& before : known_.superseded) {
        if (before.open_time_ms != used_.open_time_ms || !same(close, before.close)) continue;
        std::vector<Bar> then(bars_.begin(), bars_.begin() + static_cast<std::ptrdiff_t>(index) + 1);
        used_ = then.back() = before;
        SignalSeries::Replay apart(signals_);
        return apart.at({then, covered_from, known_.late}, index);
      }
    }
    return replay_.at({bars_, covered_from, known_.late}, index);
  }

  template <typename Number>
  bool check(const PublishedEntry& entry, std::string_view name, Number computed_value) {
    const std::string_view published = text_of(entry, name);
    if (same(published, computed_value)) return true;
    return differ(entry, std::string(name) + " is " +
                             (published.empty() ? "undefined" : std::string(published)) + " in Redis, " +
                             text(computed_value) + " when recomputed");
  }

  bool differ(const PublishedEntry& entry, const std::string& how) {
    verdict_.difference = "entry " + entry.id + ": " + how;
    return false;
  }

  const KnownBars& known_;
  std::span<const Bar> bars_;
  engine::Interval interval_;
  std::string config_;
  SignalSeries signals_;
  SignalSeries::Replay replay_;
  Bar used_{};
  std::optional<std::size_t> last_;  // the bar of the entry before
  Verdict verdict_;
};

}  // namespace

Verdict verify(const ProfileConfig& profile, const engine::SeriesId& id, const KnownBars& bars,
               std::span<const PublishedEntry> entries) {
  return Verification(profile, id, bars).run(entries);
}

std::int64_t earliest_open_ms(const ProfileConfig& profile, const engine::SeriesId& id,
                              std::int64_t open_ms) {
  const engine::Interval interval = *engine::Interval::parse(id.interval);
  const auto segment = engine::segment_of(profile.anchor, interval,
                                          engine::anchor_phase(id.name(), profile.anchor.anchor_period),
                                          interval.ordinal(open_ms));
  return segment ? interval.open_time_ms(segment->anchor_ordinal) : open_ms;
}

}  // namespace atcd::daemon
