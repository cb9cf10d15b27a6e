#include "feeds/simulator/rest_fault.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace atcd::feeds::simulator {
namespace {

using How = RestFault::How;

constexpr std::array<std::pair<std::string_view, How>, 8> kNames = {{{"empty", How::empty},
                                                                     {"truncated", How::truncated},
                                                                     {"html", How::html},
                                                                     {"cut", How::cut},
                                                                     {"hang", How::hang},
                                                                     {"stale", How::stale},
                                                                     {"unsettled", How::unsettled},
                                                                     {"halved", How::halved}}};

}  // namespace

std::optional<RestFault> RestFault::parse(std::string_view how, std::chrono::seconds seconds) {
  for (const auto& [name, value] : kNames) {
    if (name == how) return RestFault{value, 0, seconds};
  }
  int status = 0;
  const auto [end, error] = std::from_chars(how.data(), how.data() + how.size(), status);
  if (error != std::errc{} || end != how.data() + how.size() || status < 400 || status > 599)
    return std::nullopt;
  return RestFault{How::status, status, seconds};
}

std::string RestFault::known() {
  std::string text = "a status from 400 to 599";
  for (const auto& row : kNames) text.append(", ").append(row.first);
  return text;
}

RestAnswer RestFault::applied(RestAnswer answer) const {
  switch (how) {
    case How::status:
      answer.status = status;
      answer.body = "{\"error\":\"a simulated " + std::to_string(status) + "\"}";
      if (seconds.count() > 0) answer.headers.emplace_back("Retry-After", std::to_string(seconds.count()));
      break;
    case How::empty:
      answer.body.clear();
      break;
    case How::truncated:
      answer.body.resize(answer.body.size() / 2);
      break;
    case How::html:
      answer.body = "<html><body>Scheduled maintenance</body></html>";
      break;
    case How::cut:
      answer.cut = true;
      break;
    case How::hang:
      answer.after = seconds;
      break;
    case How::stale:
    case How::unsettled:
    case How::halved:
      break;  // what it was made of was
  }
  return answer;
}

}  // namespace atcd::feeds::simulator
