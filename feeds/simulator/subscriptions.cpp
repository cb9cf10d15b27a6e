#include "feeds/simulator/subscriptions.hpp"

#include <simdjson.h>

#include "feeds/simulator/exchange_state.hpp"

namespace atcd::feeds::simulator {
namespace {

SubscriptionRequest refused(std::string_view why) {
  SubscriptionRequest request;
  request.error = why;
  return request;
}

}  // namespace

SubscriptionRequest parse_subscription_request(std::string_view text) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  const simdjson::padded_string padded(text);
  if (parser.parse(padded).get(document) != simdjson::SUCCESS) return refused("Invalid JSON");
  SubscriptionRequest request;
  std::string_view method;
  if (document["method"].get(method) != simdjson::SUCCESS) return refused("Invalid request: method missing");
  if (document["id"].get(request.id) != simdjson::SUCCESS) return refused("Invalid request: id missing");
  if (method == "LIST_SUBSCRIPTIONS") return request;
  if (method != "SUBSCRIBE" && method != "UNSUBSCRIBE") return refused("Invalid request: unknown method");
  request.method = method == "SUBSCRIBE" ? SubscriptionRequest::Method::subscribe
                                         : SubscriptionRequest::Method::unsubscribe;
  simdjson::dom::array params;
  if (document["params"].get(params) != simdjson::SUCCESS) return refused("Invalid request: params missing");
  for (const simdjson::dom::element each : params) {
    std::string_view stream;
    if (each.get(stream) != simdjson::SUCCESS) return refused("Invalid request: params must be strings");
    request.streams.emplace_back(stream);
  }
  return request;
}

std::vector<std::string> streams_of_target(std::string_view target) {
  std::string listed;
  const std::string_view path = path_of(target);
  if (const auto at = path.rfind("/ws/"); at != std::string_view::npos) listed = path.substr(at + 4);
  const auto query = query_of(target);
  if (const auto found = query.find("streams"); found != query.end()) listed = found->second;
  std::vector<std::string> streams;
  for (std::size_t begin = 0; begin < listed.size();) {
    const std::size_t end = std::min(listed.find('/', begin), listed.size());
    if (end > begin) streams.push_back(listed.substr(begin, end - begin));
    begin = end + 1;
  }
  return streams;
}

std::string list_answer(const std::set<std::string>& streams, std::int64_t id) {
  std::string names;
  for (const std::string& stream : streams) names += (names.empty() ? "\"" : ",\"") + stream + "\"";
  return "{\"result\":[" + names + "],\"id\":" + std::to_string(id) + "}";
}

}  // namespace atcd::feeds::simulator
