#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace atcd::feeds::simulator {

/// What can be asked of the simulated exchange by POST /sim/NAME.
enum class FaultKind : std::uint8_t {
  advance,
  play,
  cut,
  stall,
  silence,
  turn_away,
  early_data,
  refuse,
  allow,
  duplicate,
  truncate,
  corrupt,
  oversize,
  withhold_closing,
  delay_closing,
  differ_closing,
  correct_closing,
  correct,
  halt,
  resume,
  delist,
  relist,
  replace,
  jump_clock,
  rest,
};
inline constexpr std::size_t kFaultKinds = 25;

struct FaultRow {
  FaultKind kind;
  std::string_view name;
  std::string_view arguments;  // behind the "?"
  std::string_view does;
  // Arguments as a schedule draws them, one way of several between spaces; * is any symbol; empty: never.
  std::string_view drawn;
};

/// The table, in the order of FaultKind.
std::span<const FaultRow> fault_rows();
/// Null for a name that is none.
const FaultRow* find_fault(std::string_view name);
/// "advance, play, cut, ...": for error messages.
std::string known_faults();
/// One line for each, for --help.
std::string faults_help();
/// A random one as the target of its POST.
std::string draw_fault(std::mt19937_64& random, const std::vector<std::string_view>& symbols);

}  // namespace atcd::feeds::simulator
