#include "daemon/http_pages.hpp"

#include <string>
#include <vector>

#include "daemon/clock.hpp"
#include "daemon/metrics.hpp"
#include "daemon/process_stats.hpp"
#include "daemon/status_json.hpp"

namespace atcd::daemon {
namespace {

/// 200 with the word where there is nothing to say against it.
HttpAnswer verdict(const char* word, const std::vector<std::string>& against) {
  HttpAnswer answer{against.empty() ? 200U : 503U, "text/plain; charset=utf-8", {}};
  if (against.empty()) answer.body = std::string(word) + "\n";
  for (const std::string& sentence : against) answer.body += sentence + "\n";
  return answer;
}

}  // namespace

HttpServer::Pages http_pages(const Pipeline& pipeline) {
  return {{"/metrics",
           [&pipeline] {
             return HttpAnswer{200, "text/plain; version=0.0.4; charset=utf-8",
                               metrics_text(pipeline.status(), process_stats(), utc_us())};
           }},
          {"/status",
           [&pipeline] {
             return HttpAnswer{200, "application/json", status_json(pipeline.status(), utc_us())};
           }},
          {"/-/healthy", [&pipeline] { return verdict("healthy", why_unhealthy(pipeline.status())); }},
          {"/-/ready", [&pipeline] { return verdict("ready", why_not_ready(pipeline.status(), utc_ms())); }}};
}

}  // namespace atcd::daemon
