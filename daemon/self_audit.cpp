#include "daemon/self_audit.hpp"

#include <chrono>
#include <memory>
#include <system_error>
#include <utility>

#include "engine/interval.hpp"
#include "engine/plan.hpp"

namespace atcd::daemon {

bool SelfAudit::begin(Subject subject) try {
  running_ = std::async(std::launch::async, [subject = std::move(subject)] { return audit(subject); });
  return true;
} catch (const std::system_error&) {
  return false;
}

std::optional<SelfAudit::Difference> SelfAudit::take_difference() {
  if (!busy() || running_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return std::nullopt;
  Result result = running_.get();
  counters_.audited += result.known ? 1U : 0U;
  counters_.differences += result.difference ? 1U : 0U;
  return std::move(result.difference);
}

std::optional<AnchoredSignal> SelfAudit::recompute(const Subject& subject) {
  if (subject.bars.empty()) return std::nullopt;
  const SignalSeries signals(std::make_shared<const engine::Plan>(subject.profile.parameters),
                             subject.profile.anchor, *engine::Interval::parse(subject.id.interval),
                             subject.id.name());
  return SignalSeries::Replay(signals).at({subject.bars, subject.covered_from, subject.late},
                                          subject.bars.size() - 1);
}

SelfAudit::Result SelfAudit::audit(const Subject& subject) {
  const auto computed = recompute(subject);
  if (!computed) return {};
  if (same_bits(*computed, subject.held)) return {true, std::nullopt};
  const std::string close_ms = std::to_string(subject.bars.back().close_time_ms);
  return {true, Difference{subject.id.name(),
                           "the bar that closed at " + close_ms + ": the engine holds average " +
                               std::to_string(subject.held.signal.average) + " and bar 0 " +
                               std::to_string(subject.held.anchor_ms) + ", computed anew it is " +
                               std::to_string(computed->signal.average) + " and " +
                               std::to_string(computed->anchor_ms)}};
}

}  // namespace atcd::daemon
