#include "feeds/simulator/fault_kinds.hpp"

#include <algorithm>
#include <array>

namespace atcd::feeds::simulator {
namespace {

using Kind = FaultKind;

constexpr std::array<FaultRow, kFaultKinds> kRows = {{
    {Kind::advance, "advance", "ms=N", "the exchange's clock jumps ahead, and the market with it", ""},
    {Kind::play, "play", "", "a recording begins now, not after the subscriptions", ""},
    {Kind::cut, "cut", "how=close|reset|shutdown", "every websocket ends; shutdown announces it first",
     "how=close how=reset how=shutdown"},
    {Kind::stall, "stall", "ms=N", "frames and answers wait for so long, then all come", "ms=500 ms=3000"},
    {Kind::silence, "silence", "ms=N&pings=yes|no",
     "websockets stay open, but frames are lost for so long; without pings nothing is read or answered "
     "either, and a reset follows",
     "ms=500 ms=3000 ms=2000&pings=no"},
    {Kind::turn_away, "turn_away", "ms=N&how=503|reset|hang",
     "new websockets are refused for so long: a status from 400 to 599, a reset, or no answer",
     "ms=2000 ms=2000&how=429 ms=2000&how=reset ms=2000&how=hang"},
    {Kind::early_data, "early_data", "count=N", "the next N subscriptions get frames before their answer",
     "count=2"},
    {Kind::refuse, "refuse", "symbol=S", "subscriptions of S are refused", "symbol=*"},
    {Kind::allow, "allow", "symbol=S", "they are not any more; without S those of all", "symbol=*"},
    {Kind::duplicate, "duplicate", "symbol=S&count=N", "the next N frames of S come twice",
     "symbol=*&count=20"},
    {Kind::truncate, "truncate", "symbol=S&count=N", "the next N frames of S are cut in the middle",
     "symbol=*&count=20"},
    {Kind::corrupt, "corrupt", "symbol=S&count=N&byte=N",
     "the next N frames of S have another byte in the middle: 1, or as told; 255 is no UTF-8",
     "symbol=*&count=20 symbol=*&byte=255"},
    {Kind::oversize, "oversize", "symbol=S&count=N&bytes=N",
     "the next N frames of S have so many bytes, 5000000 where it is not told", "symbol=*"},
    {Kind::withhold_closing, "withhold_closing", "symbol=S&count=N",
     "the next N closing frames of S are not sent", "symbol=* symbol=*&count=3"},
    {Kind::delay_closing, "delay_closing", "symbol=S&count=N&ms=N",
     "the next N closing frames of S come so much later on the exchange's clock, behind frames of the next "
     "bar",
     "symbol=*&ms=5000 symbol=*&ms=90000 symbol=*&count=3&ms=150000"},
    {Kind::differ_closing, "differ_closing", "symbol=S&count=N",
     "the next N bars of S close at another price than the last frame before told", "symbol=*&count=3"},
    {Kind::correct_closing, "correct_closing", "symbol=S&count=N",
     "the next N closing frames of S are corrected at once", "symbol=*"},
    {Kind::correct, "correct", "symbol=S&bars_ago=N", "the bar of S that closed N bars ago closes anew",
     "symbol=* symbol=*&bars_ago=3"},
    {Kind::halt, "halt", "symbol=S", "no trade in S: bars without a trade do not exist", "symbol=*"},
    {Kind::resume, "resume", "symbol=S", "trade again; without S in all", "symbol=*"},
    {Kind::delist, "delist", "symbol=S", "S is halted and in no list any more; REST and streams know it not",
     "symbol=*"},
    {Kind::relist, "relist", "symbol=S", "S is back, as if it had been halted; without S all are",
     "symbol=*"},
    {Kind::replace, "replace", "symbol=S&listed_ms=N&contract_size=N",
     "the list has another instrument under S, with this listing time (UTC) and contract size (whole; OKX "
     "tells "
     "it); what is not told is as it was. REST has the bars from before still",
     ""},
    {Kind::jump_clock, "jump_clock", "ms=N",
     "the exchange tells another time, by so much (it may be negative), until ms=0; its market goes on",
     "ms=0 ms=5000 ms=20000 ms=-5000"},
    {Kind::rest, "rest", "how=H&count=N&seconds=N",
     "the next N answers of REST: a status such as 500, 429 or 418 (Retry-After: seconds), empty, truncated, "
     "html, cut (in the middle), hang (for seconds), stale (without the newest closed bar), unsettled (that "
     "bar as it was before its last trades) or halved (whole, but without the older half of the bars)",
     "how=500 how=429&seconds=1 how=418&seconds=2 how=403&seconds=1 how=empty&count=3 how=truncated&count=3 "
     "how=html&count=3 how=cut&count=3 how=hang&seconds=2 how=stale&count=6"},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    if (static_cast<std::size_t>(kRows[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order() && static_cast<std::size_t>(Kind::rest) + 1 == kFaultKinds);

std::vector<std::string_view> words(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    found.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return found;
}

}  // namespace

std::span<const FaultRow> fault_rows() { return kRows; }

const FaultRow* find_fault(std::string_view name) {
  const auto found =
      std::find_if(kRows.begin(), kRows.end(), [&](const FaultRow& row) { return row.name == name; });
  return found == kRows.end() ? nullptr : found;
}

std::string known_faults() {
  std::string text;
  for (const FaultRow& row : kRows) {
    if (!text.empty()) text += ", ";
    text += row.name;
  }
  return text;
}

std::string faults_help() {
  std::string text;
  for (const FaultRow& row : kRows) {
    text.append("  ").append(row.name);
    if (!row.arguments.empty()) text.append("?").append(row.arguments);
    text.append("\n      ").append(row.does).append("\n");
  }
  return text;
}

std::string draw_fault(std::mt19937_64& random, const std::vector<std::string_view>& symbols) {
  std::vector<const FaultRow*> rows;
  for (const FaultRow& row : kRows) {
    if (!row.drawn.empty()) rows.push_back(&row);
  }
  const FaultRow& row = *rows[random() % rows.size()];
  const auto ways = words(row.drawn);
  std::string target = "/sim/" + std::string(row.name) + "?" + std::string(ways[random() % ways.size()]);
  if (const auto star = target.find('*'); star != std::string::npos)
    target.replace(star, 1, symbols[random() % symbols.size()]);
  return target;
}

}  // namespace atcd::feeds::simulator
