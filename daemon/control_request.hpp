#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace atcd::daemon {

/// What is asked of a running daemon: one JSON object a line, as {"command":"add","feed":"binance:spot",
/// "symbols":["BTCUSDT"]}. The answer is one line too: {"ok":true,...} or {"ok":false,"error":"a sentence"}.
struct ControlRequest {
  std::string command;               // one of kControlCommands
  std::string feed;                  // add, remove: exchange:market[:interval[:profile]]
  std::vector<std::string> symbols;  // add, remove
  std::string series;                // explain
  std::string level;                 // log-level
  std::string after;                 // series: the "next" of the page before; empty: the first page
};

inline constexpr std::string_view kControlCommands[] = {"status", "feeds", "series", "explain",  "reload",
                                                        "drain",  "add",   "remove", "snapshot", "log-level"};

struct ControlRequestResult {
  ControlRequest request;
  std::string error;  // a sentence that names what is wrong; empty when all is well
};

/// Reads one line. Whatever the text is, it does no harm.
ControlRequestResult parse_control_request(std::string_view line);
/// The line, without its end.
std::string control_request_json(const ControlRequest& request);
/// {"ok":false,"error":...}
std::string control_error_json(std::string_view sentence);
/// The same of a request that could never be answered: {"ok":false,"usage":true,"error":...}
std::string control_usage_json(std::string_view sentence);
/// ["a","b"]
std::string json_strings(const std::vector<std::string>& texts);

}  // namespace atcd::daemon
