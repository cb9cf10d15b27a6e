#include "daemon/control_request.hpp"

#include <simdjson.h>

#include <algorithm>
#include <iterator>

#include "daemon/catalogue.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kLongestText = 300;  // longer than any name of a series
constexpr std::size_t kMostSymbols = 2000;

struct TextKey {
  std::string_view name;
  std::string ControlRequest::*text;
};
constexpr TextKey kTextKeys[] = {{"command", &ControlRequest::command},
                                 {"feed", &ControlRequest::feed},
                                 {"series", &ControlRequest::series},
                                 {"level", &ControlRequest::level},
                                 {"after", &ControlRequest::after}};

std::string known_commands() {
  std::string list;
  for (const std::string_view name : kControlCommands) list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

std::string shown(std::string_view text) { return "\"" + std::string(text.substr(0, 80)) + "\""; }

std::string read_text(std::string_view key, const simdjson::dom::element& value, std::string& text) {
  std::string_view read;
  if (value.get(read) != simdjson::SUCCESS) return std::string(key) + " must be a text";
  if (read.size() > kLongestText) {
    return std::string(key) + " has " + std::to_string(read.size()) + " bytes: at most " +
           std::to_string(kLongestText) + " are allowed";
  }
  text = read;
  return {};
}

std::string read_symbols(const simdjson::dom::element& value, std::vector<std::string>& symbols) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return "symbols must be a list of texts";
  if (list.size() > kMostSymbols) return "symbols has more than " + std::to_string(kMostSymbols) + " entries";
  for (const simdjson::dom::element each : list) {
    if (std::string error = read_text("each of symbols", each, symbols.emplace_back()); !error.empty())
      return error;
  }
  return {};
}

std::string read_key(std::string_view key, const simdjson::dom::element& value, ControlRequest& request) {
  if (key == "symbols") return read_symbols(value, request.symbols);
  const auto* known = std::find_if(std::begin(kTextKeys), std::end(kTextKeys),
                                   [&](const TextKey& each) { return each.name == key; });
  if (known == std::end(kTextKeys)) return "the request has a key " + shown(key) + ", which is not known";
  return read_text(key, value, request.*known->text);
}

std::string read_request(std::string_view line, ControlRequest& request) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(line);
  simdjson::dom::object object;
  if (parser.parse(padded).get(object) != simdjson::SUCCESS)
    return "a request is one JSON object a line, as {\"command\":\"status\"}; this is none: " + shown(line);
  for (const auto field : object) {
    if (std::string error = read_key(field.key, field.value, request); !error.empty()) return error;
  }
  if (std::find(std::begin(kControlCommands), std::end(kControlCommands), request.command) ==
      std::end(kControlCommands)) {
    return "command is " + shown(request.command) + ": it must be one of " + known_commands();
  }
  return {};
}

}  // namespace

ControlRequestResult parse_control_request(std::string_view line) {
  ControlRequestResult result;
  result.error = read_request(line, result.request);
  return result;
}

std::string control_request_json(const ControlRequest& request) {
  std::string json = "{";
  for (const TextKey& key : kTextKeys) {
    const std::string& text = request.*key.text;
    if (text.empty()) continue;
    json += (json.size() > 1 ? ",\"" : "\"") + std::string(key.name) + "\":" + json_string(text);
  }
  if (!request.symbols.empty()) json += ",\"symbols\":" + json_strings(request.symbols);
  return json + "}";
}

std::string control_error_json(std::string_view sentence) {
  return "{\"ok\":false,\"error\":" + json_string(sentence) + "}";
}

std::string control_usage_json(std::string_view sentence) {
  return "{\"ok\":false,\"usage\":true,\"error\":" + json_string(sentence) + "}";
}

std::string json_strings(const std::vector<std::string>& texts) {
  std::string json = "[";
  for (const std::string& text : texts) json += (json.size() > 1 ? "," : "") + json_string(text);
  return json + "]";
}

}  // namespace atcd::daemon
