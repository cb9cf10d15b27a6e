#include "daemon/verification.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "daemon/signal_series.hpp"
#include "engine/interval.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {
namespace {

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

/// The difference between what was published and what the bar gives; empty where there is none.
class Comparison {
 public:
  explicit Comparison(const PublishedEntry& entry) : entry_(entry) {}

  std::string with(const engine::Bar& bar, const AnchoredSignal& computed) {
    const engine::Signal& signal = computed.signal;
    check("close", bar.close);
    check("average", signal.average);
    check("trend", std::int64_t{signal.trend});
    check("previous_trend", std::int64_t{signal.previous_trend});
    check("trend_since_ms", signal.trend_since_ms);
    for (std::size_t family = 0; family < engine::kFamilies; ++family) {
      const std::string name(engine::kFamilyNames[family]);
      check(name + "_signal", signal.layer1[family]);
      check(name + "_equity", signal.equity[family]);
    }
    check("bar_index", signal.bar_index);
    check("anchor_ms", computed.anchor_ms);
    return std::move(difference_);
  }

 private:
  template <typename Number>
  void check(std::string_view name, Number computed) {
    const std::string_view published = entry_.field(name);
    if (!difference_.empty() || same(published, computed)) return;
    difference_ = std::string(name) + " is " + (published.empty() ? "undefined" : std::string(published)) +
                  " in Redis, " + text(computed) + " when recomputed";
  }

  const PublishedEntry& entry_;
  std::string difference_;
};

}  // namespace

std::string_view PublishedEntry::field(std::string_view name) const {
  const auto found = fields.find(name);
  return found == fields.end() ? std::string_view{} : found->second;
}

std::optional<std::int64_t> PublishedEntry::number(std::string_view name) const {
  return daemon::number<std::int64_t>(field(name));
}

Verification::Verification(const ProfileConfig& profile, const engine::SeriesId& id, OtherTellings others,
                           MoreEntries more, std::string counted, std::int64_t begins_ms)
    : config_(config_hash(profile)),
      interval_(*engine::Interval::parse(id.interval)),
      fixed_anchor_(profile.anchor.fixed_anchor_ms.has_value()),
      others_(std::move(others)),
      more_(std::move(more)),
      counted_(std::move(counted)),
      begins_ms_(begins_ms),
      signals_(std::make_shared<const engine::Plan>(profile.parameters), profile.anchor, interval_,
               id.name()),
      replay_(signals_) {
  next_entry();
}

/// Leaves entry_ empty at the end, and after a difference.
void Verification::next_entry() {
  read_entry();
  while (entry_ && entry_->close_ms <= begins_ms_) {
    count(verdict_.unknown);
    following_ = false;
    read_entry();
  }
}

void Verification::read_entry() {
  entry_.reset();
  if (!verdict_.difference.empty()) return;
  if (next_in_page_ == page_.size()) {
    page_ = more_();
    next_in_page_ = 0;
    if (page_.empty()) return;
  }
  PublishedEntry& published = page_[next_in_page_++];
  const auto open_ms = published.number("open_ms"), close_ms = published.number("close_ms"),
             rev = published.number("rev");
  const bool numbers = open_ms && close_ms && rev;
  entry_ = Entry{std::move(published), open_ms.value_or(0), close_ms.value_or(0)};
  if (!numbers) return differ("it has no open_ms, close_ms or rev that are numbers");
  if (entry_->published.id != std::to_string(*close_ms) + "-" + std::to_string(*rev)) {
    differ("its ID is not its close_ms and rev");
  }
}

void Verification::take(const state::StoredBars& bars) {
  // Slots without a bar before the first one are known too.
  if (!std::exchange(begun_, true) || bars.covered_from_ms > window_.covered_to_ms) {
    window_ = {{}, bars.covered_from_ms, bars.covered_from_ms};
    while (entry_ && entry_->open_ms < bars.covered_from_ms) {  // the bars before are not known
      count(verdict_.unknown);
      following_ = false;
      next_entry();
    }
  }
  for (const engine::Bar& bar : bars.bars) take_bar(bar);
  while (entry_ && entry_->open_ms < bars.covered_to_ms) compare({}, std::nullopt);
  window_.covered_to_ms = bars.covered_to_ms;
  trim();
}

void Verification::take_bar(const engine::Bar& bar) {
  window_.bars.push_back(bar);
  while (entry_ && entry_->open_ms < bar.open_time_ms) compare({}, std::nullopt);
  if (!entry_) return;
  const BarHistory known{window_.bars, interval_.ordinal(window_.covered_from_ms), others_.late};
  const auto computed = replay_.at(known, window_.bars.size() - 1);
  if (following_ && entry_->open_ms > bar.open_time_ms) without_entry_ms_ = bar.close_time_ms;
  while (entry_ && entry_->open_ms == bar.open_time_ms) compare(bar, computed);
}

/// The next entry with the bar that it is about; without one (close_time_ms is 0) it is about none.
void Verification::compare(const engine::Bar& bar, const std::optional<AnchoredSignal>& computed) {
  const auto missing_ms = std::exchange(without_entry_ms_, std::nullopt);
  const bool announced = !entry_->published.field("gap_from_ms").empty();
  if (missing_ms && !announced) {
    return differ("the bar before it, that closed at " + text(*missing_ms) + ", has no entry");
  }
  following_ = entry_->published.field("config") == config_;
  if (following_ && bar.close_time_ms == 0) return differ("the bar does not exist");
  if (!following_ || !computed) {
    count(verdict_.unknown);
    return next_entry();
  }
  const std::string difference = Comparison(entry_->published).with(bar, *computed);
  if (!difference.empty() && !equals_superseded(bar)) {
    // Of a correction that this history has not seen, a twin's, what was there before it is not known here.
    if (has_superseded(bar) || !corrected_by_next()) return differ(difference);
    count(verdict_.unknown);
    return next_entry();
  }
  count(verdict_.equal);
  next_entry();
}

/// The bar may have been another one when the entry was published.
bool Verification::equals_superseded(const engine::Bar& bar) {
  for (const engine::Bar& before : others_.superseded) {
    if (before.open_time_ms != bar.open_time_ms) continue;
    const auto then = replay_.instead(bar, before);
    if (then && Comparison(entry_->published).with(before, *then).empty()) return true;
  }
  return false;
}

bool Verification::has_superseded(const engine::Bar& bar) const {
  return std::any_of(others_.superseded.begin(), others_.superseded.end(),
                     [&bar](const engine::Bar& before) { return before.open_time_ms == bar.open_time_ms; });
}

/// The next entry is of the same bar, with another content.
bool Verification::corrected_by_next() {
  if (next_in_page_ == page_.size()) {
    page_ = more_();
    next_in_page_ = 0;
  }
  return !page_.empty() && page_[next_in_page_].number("close_ms") == entry_->close_ms;
}

void Verification::count(std::size_t& counter) {
  if (entry_->published.id != counted_) ++counter;
  verdict_.last_id = entry_->published.id;
}

void Verification::differ(const std::string& how) {
  verdict_.difference = "entry " + entry_->published.id + ": " + how;
  entry_.reset();
}

/// Forgets bars that no later signal needs: the running one goes on from its last bar.
void Verification::trim() {
  if (window_.bars.empty()) return;
  std::int64_t from_ms = window_.bars.back().open_time_ms;
  if (!fixed_anchor_) {
    const auto anchor = signals_.anchor_slot(interval_.ordinal(window_.covered_to_ms));
    from_ms = std::min(from_ms, interval_.open_time_ms(*anchor));
  }
  if (from_ms <= window_.covered_from_ms) return;
  const auto first =
      std::lower_bound(window_.bars.begin(), window_.bars.end(), from_ms,
                       [](const engine::Bar& bar, std::int64_t ms) { return bar.open_time_ms < ms; });
  window_.bars.erase(window_.bars.begin(), first);
  window_.covered_from_ms = from_ms;
}

Verdict Verification::finish() {
  if (entry_) verdict_.too_new = 1;
  return std::move(verdict_);
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
