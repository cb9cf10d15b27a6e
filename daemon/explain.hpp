#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/self_audit.hpp"
#include "daemon/signal_series.hpp"
#include "engine/incremental.hpp"

namespace atcd::daemon {

/// The numbers behind a series' newest signal: computed from its bars, from bar 0, as every other path
/// computes them.
struct Explanation {
  ProfileConfig profile;
  engine::SeriesId id;
  engine::Bar bar;
  AnchoredSignal computed;
  engine::Incremental::Inner inner;
};

/// Of the subject's newest bar; its `held` is not looked at. Empty: its bars do not reach back to bar 0.
std::optional<Explanation> explain(const SelfAudit::Subject& subject);

/// One JSON object; numbers in shortest round-trip form, undefined is null.
std::string explanation_json(const Explanation& explanation);
/// The table of such an object, as a terminal shows it. Keys that are missing are left empty. Empty where the
/// text is no JSON.
std::string explanation_table(std::string_view json);

}  // namespace atcd::daemon
