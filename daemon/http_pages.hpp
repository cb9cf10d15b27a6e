#pragma once

#include "daemon/http_server.hpp"
#include "daemon/pipeline.hpp"

namespace atcd::daemon {

/// /metrics, /status, /-/healthy and /-/ready of the pipeline, which outlives them.
HttpServer::Pages http_pages(const Pipeline& pipeline);

}  // namespace atcd::daemon
