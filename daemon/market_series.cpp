#include "daemon/market_series.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "daemon/catalogue.hpp"
#include "daemon/clock.hpp"
#include "engine/plan.hpp"
#include "feeds/interval_source.hpp"

namespace atcd::daemon {

Output::Output(state::SeriesIndex series_index, const ProfileConfig& profile_config, std::string hash,
               std::shared_ptr<const engine::Plan> plan, const engine::Interval& interval,
               engine::SeriesId series_id)
    : index(series_index),
      profile(profile_config),
      config(std::move(hash)),
      id(std::move(series_id)),
      name(id.name()),
      signals(std::move(plan), profile_config.anchor, interval, name) {}

MarketSeries::MarketSeries(Context context, feeds::StreamName name, feeds::StreamName listens_to,
                           const engine::Interval& interval, std::int64_t from_ms)
    : context_(std::move(context)),
      name_(std::move(name)),
      listens_to_(std::move(listens_to)),
      series_(rules_for(context_.exchange, interval, listens_to_), from_ms, *this),
      self_(std::make_shared<MarketSeries*>(this)),
      archive_name_(archive_name(context_.exchange, name_)),
      from_ms_(from_ms) {
  make_builder();
  restore();
}

MarketSeries::~MarketSeries() { *self_ = nullptr; }

void MarketSeries::add_output(std::unique_ptr<Output> output, const feeds::SymbolInfo& symbol) {
  state::PublishedSeries published{
      output->id,
      output->config,
      std::string(engine::kDialectNames[static_cast<std::size_t>(output->profile.parameters.dialect)]),
      {}};
  published.catalogue_json = catalogue_json(output->id, symbol, series_.interval(), published.config);
  context_.publisher.add(output->index, std::move(published), can_answer());
  const auto entry = restored_ ? context_.archive.engine_of(output->name) : std::nullopt;
  if (entry) {
    const std::string_view why = resume_engine(*output, *entry);
    output->resumed = why.empty();
    if (!why.empty()) context_.journal.log(Level::info, "snapshot_refused", output->name, why);
  }
  output->state = state_of(*output);
  context_.publisher.set_state(output->name, feeds::state_name(output->state), utc_ms(), "added");
  outputs_.push_back(std::move(output));
}

void MarketSeries::describe(const Output& output, const feeds::SymbolInfo& symbol) {
  instrument_ = context_.archive.instrument(archive_name_).value_or(state::Instrument{});
  context_.publisher.describe(output.name,
                              catalogue_json(output.id, symbol, series_.interval(), output.config));
}

void MarketSeries::remove_output(state::SeriesIndex index) {
  context_.publisher.remove(index);
  std::erase_if(outputs_, [index](const auto& output) { return output->index == index; });
}

Output* MarketSeries::output(state::SeriesIndex index) const {
  for (const auto& output : outputs_) {
    if (output->index == index) return output.get();
  }
  return nullptr;
}

void MarketSeries::bars_came() {
  if (!std::exchange(told_, true)) context_.on_bars(*this);
}

feeds::SeriesState MarketSeries::state_of(const Output& output) const {
  const bool live = series_.state() == feeds::SeriesState::live;
  return live && output.signals.warming(known()) ? feeds::SeriesState::warming : series_.state();
}

void MarketSeries::write_state(Output& output, std::string_view reason) {
  const feeds::SeriesState state = state_of(output);
  if (state == output.state) return;
  output.state = state;
  context_.publisher.set_state(output.name, feeds::state_name(state), utc_ms(), reason);
  const bool good = state == feeds::SeriesState::live || state == feeds::SeriesState::catching_up;
  std::string detail(feeds::state_name(state));
  if (!reason.empty()) detail.append(": ").append(reason);
  context_.journal.event(good ? Level::info : Level::warning, "state", output.name, detail);
}

// ---- bars, in message order

void MarketSeries::on_bar(const engine::Bar& newest, std::int64_t received_us) {
  const engine::Bar bar = newest;  // history() may move the bars
  for (const auto& output : outputs_) {
    // Before the first load the publisher asks for signals itself; an engine of an earlier run is kept up to
    // date for it.
    if (!loaded_ && !output->resumed) continue;
    if (output->signals.long_way(history())) continue;  // reach_anchor() has it published
    const auto computed = context_.update_times.time([&] { return output->signals.newest(history()); });
    if (computed && goes_on()) publish(*output, *computed, received_us);
  }
  keep_back();
  archive(bar);
  bars_came();
}

void MarketSeries::on_correction(const engine::Bar& before, const engine::Bar& now,
                                 std::int64_t received_us) {
  correct_archived(now);
  confirm_told(now);
  bars_came();
  keep_back();
  state::SignalRecord telling;  // without a signal: the publisher asks for that when it can be had
  telling.bar = now;
  telling.before = before;
  telling.correction = true;
  for (const auto& output : outputs_) {
    if (!goes_on()) output->signals.forget();
    const auto computed = goes_on() ? output->signals.corrected(history()) : std::nullopt;
    if (computed) {
      output->resumed = true;  // its engine stands at the newest bar: it goes on with the next
      publish(*output, *computed, received_us, &before);
    } else {
      context_.publisher.publish(output->index, telling);
    }
    context_.journal.event(Level::warning, "correction", output->name,
                           about_bar(now.close_time_ms, "the exchange corrected the newest bar from " +
                                                            prices(before) + " to " + prices(now)));
  }
}

state::SignalRecord MarketSeries::record(const Output&, std::size_t index, const AnchoredSignal& computed,
                                         std::int64_t received_us) const {
  const auto bars = series_.bars();
  state::SignalRecord record;
  record.bar = bars[index];
  record.signal = computed.signal;
  record.prev_close_ms = index > 0 ? bars[index - 1].close_time_ms : 0;
  record.next_close_ms = series_.interval().close_time_ms(bars[index].close_time_ms);
  record.anchor_ms = computed.anchor_ms;
  record.received_us = received_us;
  // In its stream the bar before is another instrument's.
  if (record.prev_close_ms <= instrument_.replaced_ms) record.gap_from_ms = record.prev_close_ms;
  const bool newest = index + 1 == bars.size() && !series_.later_closed();
  record.source =
      newest && series_.state() == feeds::SeriesState::live ? state::Source::live : state::Source::backfill;
  return record;
}

void MarketSeries::publish(Output& output, const AnchoredSignal& computed, std::int64_t received_us,
                           const engine::Bar* before) {
  state::SignalRecord sent = record(output, series_.bars().size() - 1, computed, received_us);
  sent.correction = before != nullptr;
  if (before != nullptr) sent.before = *before;
  context_.publisher.publish(output.index, sent);
  const std::int64_t anchor_before_ms = std::exchange(output.anchor_ms, computed.anchor_ms);
  if (anchor_before_ms != 0 && anchor_before_ms != computed.anchor_ms) {
    context_.journal.event(Level::info, "anchor", output.name,
                           "bar 0 is now " + std::to_string(computed.anchor_ms));
  }
}

void MarketSeries::prepare() {
  told_ = false;
  series_.prepare();
  if (!goes_on()) return;
  for (const auto& output : outputs_) {
    output->signals.prepare(history(), &context_.replays);
    reach_anchor(*output);
    write_state(*output, "");
  }
}

void MarketSeries::trim() {
  if (series_.state() != feeds::SeriesState::live) return;
  std::int64_t keep = 0;
  for (const auto& output : outputs_) {
    const engine::AnchorRule& rule = output->profile.anchor;
    if (rule.fixed_anchor_ms || output->waits_for) return;
    if (context_.publisher.unpublished(output->index) > 0) return;  // it may be asked for any of them
    // The present segment, the one before it (Redis may be that far behind) and a margin.
    keep = std::max(keep, rule.history_bars + 2 * rule.anchor_period + 100);
  }
  trimmed_close_ms_ = first_close_ms();
  if (keep > 0) series_.trim(static_cast<std::size_t>(keep));
  if (!complete_ || series_.bars().empty()) return;
  const std::int64_t from_ms = series_.bars().front().open_time_ms;
  std::erase_if(late_, [from_ms](const state::LateBar& late) { return late.bar.open_time_ms < from_ms; });
}

// ---- what the series of bars asks for

void MarketSeries::on_state(feeds::SeriesState state, std::string_view reason) {
  const bool first_load = state == feeds::SeriesState::live && !loaded_;
  if (first_load) loaded_ = true;
  for (const auto& output : outputs_) {
    if (first_load && !series_.bars().empty() && !output->signals.long_way(history()))
      output->signals.catch_up(history());
    write_state(*output, reason);
    if (first_load) resume(*output);
  }
}

void MarketSeries::on_earlier(std::span<const engine::Bar> bars, std::int64_t covered_from_ms) {
  const std::int64_t covered_to_ms = series_.bars().size() > bars.size()
                                         ? series_.bars()[bars.size()].open_time_ms
                                         : series_.interval().open_time_ms(series_.next());
  context_.archive.writer().insert(archived_, {bars.begin(), bars.end()}, covered_from_ms, covered_to_ms);
  resume_covered();
}

void MarketSeries::on_covered() {
  for (const auto& output : outputs_) {
    // Also where nobody waited: signals that lacked the bars of their anchor can be had now.
    if (std::exchange(output->waits_for, std::nullopt) || can_answer()) resume(*output);
  }
}

/// Each goes on with its own bars: others may need those of years more.
void MarketSeries::resume_covered() {
  for (const auto& output : outputs_) {
    if (!output->waits_for || *output->waits_for < series_.covered_from()) continue;
    output->waits_for.reset();
    resume(*output);
  }
}

void MarketSeries::fetch(std::int64_t from_ms, std::int64_t to_ms, int priority) {
  const feeds::HistoryRequest request{name_.symbol, name_.interval, from_ms, to_ms};
  context_.feed.fetch_history(request, priority, [self = self_, from_ms](const feeds::HistoryResult& result) {
    if (*self == nullptr) return;
    MarketSeries& series = **self;
    if (result.error != feeds::RestError::none) {
      series.context_.journal.warn_seldom("history_failed", series.name_.symbol + " " + series.name_.interval,
                                          result.message);
    }
    feeds::HistoryResult own = result;
    own.from_ms = from_ms;
    std::erase_if(own.rows,
                  [&](const engine::Bar& row) { return row.close_time_ms <= series.instrument_.listed_ms; });
    const feeds::SeriesCounters before = series.series_.counters();
    series.series_.on_history(own, utc_us(), series.now());
    if (series.series_.counters().left_out != before.left_out) {
      series.context_.journal.log(
          Level::warning, "history_left_out", series.name_.symbol + " " + series.name_.interval,
          "the exchange goes on telling rows that are no bars: taken as if it had none there, rows=" +
              std::to_string(own.unusable_ms.size()) +
              " first_open_ms=" + std::to_string(own.unusable_ms.front()));
    }
    if (series.series_.counters().disproved != before.disproved) {
      series.context_.journal.warn_seldom("history_failed", series.name_.symbol + " " + series.name_.interval,
                                          "the answer lacks a bar that we have: it is asked again");
    }
    series.prepare();
  });
}

// ---- history is the outbox

/// False while the bars that the slot's anchor needs are being fetched. True also where they can't be had.
bool MarketSeries::reach_back(Output& output, std::int64_t ordinal) {
  const auto anchor = output.signals.anchor_slot(ordinal);
  if (!anchor || *anchor >= series_.covered_from()) return true;
  const std::int64_t depth = feeds::history_depth(context_.exchange, series_.interval());
  if (depth != std::numeric_limits<std::int64_t>::max() && series_.next() - *anchor > depth) return true;
  read_back_to(*anchor);
  if (*anchor >= series_.covered_from()) return true;
  output.waits_for = *anchor;
  series_.require_from(*anchor, now());
  return !output.waits_for;
}

/// The publisher asks for the bars that its signals need, but of a bar that closes without a signal for want
/// of older ones, or because the way from bar 0 is long, it never hears.
void MarketSeries::reach_anchor(Output& output) {
  if (series_.bars().empty() || output.waits_for || output.signals.held(series_.bars().back())) return;
  const std::int64_t newest = series_.interval().ordinal(series_.bars().back().open_time_ms);
  const auto anchor = output.signals.anchor_slot(newest);
  if (!anchor || stopped(output)) return;
  if (*anchor >= series_.covered_from()) {
    if (output.signals.long_way(known())) resume(output);
    return;
  }
  if (reach_back(output, newest) && *anchor >= series_.covered_from()) resume(output);
}

/// Of all bars only the newest lies after that time.
bool MarketSeries::is_newest(std::int64_t after_close_ms) const {
  const auto bars = series_.bars();
  return bars.size() > 1 && bars[bars.size() - 2].close_time_ms <= after_close_ms &&
         after_close_ms < bars.back().close_time_ms;
}

state::HistoryAnswer MarketSeries::signals_after(Output& output, std::int64_t after_close_ms,
                                                 std::size_t limit,
                                                 std::vector<state::SignalRecord>& records) {
  // A stream begins at the last bar that has closed, and only the exchange knows that one; nor does a
  // restored history know anything of a head beyond its end.
  const bool from_last = after_close_ms == 0;
  const std::int64_t after_slot = series_.interval().ordinal(after_close_ms);
  const bool beyond_us =
      from_last || after_slot > series_.next() || (after_slot == series_.next() && !alone_);
  if (!can_answer() || (beyond_us && !loaded_)) return state::HistoryAnswer::wait;
  if (series_.bars().empty()) return state::HistoryAnswer::records;
  // Nothing is newer: without reading what else the disk has.
  if (!from_last && after_close_ms >= end_ms()) return state::HistoryAnswer::records;
  // The stream's head is another instrument's: it goes on with the first bar of this one.
  const bool anew = !from_last && after_close_ms <= instrument_.begins_ms();
  if (!anew && (from_last || is_newest(after_close_ms))) {
    if (const auto held = output.signals.held(series_.bars().back())) {
      records.push_back(record(output, series_.bars().size() - 1, *held, utc_us()));
      if (from_last) records.back().gap_from_ms = 0;  // nothing lies before it in its stream
      return state::HistoryAnswer::records;
    }
  }
  const auto bars = history().bars;
  const std::int64_t first_slot = series_.interval().ordinal(
      from_last ? bars.back().open_time_ms : std::max(after_close_ms, instrument_.replaced_ms));
  if (!reach_back(output, first_slot)) return state::HistoryAnswer::wait;

  const BarHistory known = history();
  const std::int64_t first_open_ms = series_.interval().open_time_ms(first_slot);
  std::size_t index = from_last ? known.bars.size() - 1 : series_.index_at(first_open_ms);
  // Bars between the head and the first that history holds can't be had any more.
  bool gap = anew || (!from_last && first_slot < known.covered_from);
  bool skipped = false;
  if (index >= known.bars.size()) return state::HistoryAnswer::records;
  auto walk = output.signals.walk_to(known, index);
  if (!walk) return state::HistoryAnswer::again;
  SignalSeries::Replay& replay = *walk;
  for (const std::size_t end = known.bars.size(); index < end && records.size() < limit; ++index) {
    const auto computed = replay.at(known, index);
    if (!computed) {
      const auto anchor =
          output.signals.anchor_slot(series_.interval().ordinal(known.bars[index].open_time_ms));
      gap = gap || (!from_last && anchor && *anchor < known.covered_from);
      skipped = records.empty();
      continue;
    }
    records.push_back(record(output, index, *computed, utc_us()));
    if (gap || from_last) records.back().gap_from_ms = from_last ? 0 : after_close_ms;
    // The entry before it in the stream is the head, also where bars between have no signal of their own.
    if (gap || (skipped && !from_last)) records.back().prev_close_ms = after_close_ms;
    gap = skipped = false;
  }
  if (index == known.bars.size() && output.signals.take_over(replay, known)) output.resumed = true;
  return state::HistoryAnswer::records;
}

}  // namespace atcd::daemon
