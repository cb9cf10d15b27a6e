// Redis has another bar than ours, or one that we lack: the exchange decides.
#include <algorithm>
#include <string>

#include "daemon/clock.hpp"
#include "daemon/market_series.hpp"

namespace atcd::daemon {
namespace {

// After it no bar is kept back for what may be a pause of hours.
constexpr std::int64_t kLongestHoldMs = 10'000;
constexpr std::int64_t kFirstRetryMs = 1000;
constexpr std::int64_t kLastRetryMs = 600'000;
constexpr int kMostAsks = 16;  // more than an hour

}  // namespace

void MarketSeries::check_against_exchange(state::SeriesIndex index, std::int64_t close_ms) {
  const std::int64_t open_ms = series_.interval().open_time_ms(series_.interval().ordinal(close_ms) - 1);
  const std::int64_t at = monotonic_ms();
  questions_.push_back({index, open_ms, at + kLongestHoldMs, at});
  ask(questions_.back());
}

/// Where the exchange is asked about a bar of it, and it waits for that, it goes on with the answer.
void MarketSeries::resume(const Output& output) {
  const bool asked = std::any_of(questions_.begin(), questions_.end(), [&](const Question& question) {
    return question.index == output.index && question.held_to_ms != 0;
  });
  if (!asked) context_.publisher.resume(output.index);
}

void MarketSeries::look_at_questions() {
  std::erase_if(questions_, [&](const Question& question) { return output(question.index) == nullptr; });
  const std::int64_t at = monotonic_ms();
  for (Question& question : questions_) {
    if (question.held_to_ms != 0 && at >= question.held_to_ms) {
      question.held_to_ms = 0;
      tell(Level::warning, question, "the exchange has not answered yet: later bars are published meanwhile");
      context_.publisher.resume(question.index);
    }
    if (!question.asking && at >= question.ask_at_ms) ask(question);
  }
}

void MarketSeries::tell(Level level, const Question& question, const std::string& sentence) {
  context_.journal.event(level, "conflict", output(question.index)->name,
                         about_bar(series_.interval().close_time_ms(question.open_ms), sentence));
}

void MarketSeries::ask(Question& question) {
  question.asking = true;
  question.corrections = corrections_;
  ++question.asked;
  // With the bar after it, which proves that the row is final.
  const std::int64_t next_ms = series_.interval().close_time_ms(question.open_ms);
  const feeds::HistoryRequest request{name_.symbol, name_.interval, question.open_ms, next_ms};
  context_.feed.fetch_history(
      request, 0,
      [self = self_, index = question.index, open_ms = question.open_ms](const feeds::HistoryResult& result) {
        if (*self != nullptr) (*self)->on_answer(index, open_ms, result);
      });
}

void MarketSeries::on_answer(state::SeriesIndex index, std::int64_t open_ms,
                             const feeds::HistoryResult& result) {
  const auto found = std::find_if(questions_.begin(), questions_.end(), [&](const Question& question) {
    return question.index == index && question.open_ms == open_ms && question.asking;
  });
  if (found == questions_.end() || output(index) == nullptr) return;
  history();
  const std::size_t at = series_.index_at(open_ms);
  std::optional<engine::Bar> ours;
  if (at < series_.bars().size() && series_.bars()[at].open_time_ms == open_ms) ours = series_.bars()[at];
  const std::int64_t settling_ms = context_.exchange.settling_time().count();
  // What is proven goes over what frames have told, here or to a twin.
  const Verdict told = verdict(ours, open_ms, result, std::max(settling_ms, kRestBehindMs));
  // One answer may lack its oldest rows; that the next one does too is not to be expected. And one from
  // before a correction has the bar as it was.
  const bool doubted = told == Verdict::open || (told == Verdict::absent && found->asked == 1) ||
                       (told == Verdict::wrong && found->corrections != corrections_);
  if (!doubted || found->asked >= kMostAsks) {
    const Question question = *found;
    questions_.erase(found);
    return settle(question, told, result);
  }
  if (result.error != feeds::RestError::none && found->asked == 1) {
    context_.journal.log(
        Level::warning, "conflict", output(index)->name,
        about_bar(series_.interval().close_time_ms(open_ms),
                  "the exchange could not be asked: " + result.message + "; it is asked again"));
  }
  found->asking = false;
  found->ask_at_ms =
      monotonic_ms() + std::min(kLastRetryMs, std::max(settling_ms, kFirstRetryMs << (found->asked - 1)));
}

void MarketSeries::settle(const Question& question, Verdict told, const feeds::HistoryResult& result) {
  const engine::Bar* row = row_of(result, question.open_ms);
  const bool newest = !series_.bars().empty() && series_.bars().back().open_time_ms == question.open_ms;
  // Of its stream it is still where the publisher has waited, whatever closed here since.
  const bool sent_again = newest || question.held_to_ms != 0;
  std::string text = "the exchange did not tell what is right; what was published stays";
  switch (told) {
    case Verdict::open:
      break;
    case Verdict::confirmed:
      text = std::string("the exchange confirms our bar; ") +
             (sent_again ? "where Redis has none after it, it is sent once as a correction"
                         : "what was published stays");
      break;
    case Verdict::wrong:
      text = "our bar was wrong: replaced by the exchange's " + prices(*row);
      series_.replace(*row);
      correct_archived(*row);
      confirm_told(*row);
      break;
    case Verdict::lacking:
      text = "the exchange has the bar, but nothing that we have lies after it";
      if (!series_.insert(*row)) break;
      text = "our history lacked the bar: the exchange has it with " + prices(*row);
      ++corrections_;
      context_.archive.writer().add_missing(archived_, *row, utc_ms());
      break;
    case Verdict::absent:
      text = "the exchange has no such bar; what was published stays";
      break;
  }
  tell(Level::error, question, text);
  if (told == Verdict::open) return context_.publisher.resume(question.index);
  const bool other_bars = told == Verdict::wrong || told == Verdict::lacking;
  if (other_bars) {
    for (const auto& each : outputs_) each->signals.forget();
  }
  context_.publisher.answered(question.index);
  if (!sent_again || told == Verdict::absent) return;
  const std::int64_t close_ms = series_.interval().close_time_ms(question.open_ms);
  for (const auto& each : outputs_) {
    if (each->index == question.index || (newest && other_bars))
      context_.publisher.correct(each->index, close_ms);
  }
}

}  // namespace atcd::daemon
