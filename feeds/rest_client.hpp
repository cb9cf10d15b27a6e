#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "feeds/address_limits.hpp"
#include "feeds/feed.hpp"
#include "feeds/http_session.hpp"

namespace atcd::feeds {

/// How requests are made, and what they share with the other feeds of this address.
struct RestOptions {
  HttpOptions http;
  std::shared_ptr<AddressLimits> limits;  // never null
  std::size_t connections = 4;            // kept alive; each has one request under way
  /// Exchange::pause_asked(); may be empty.
  std::function<std::chrono::seconds(unsigned status, std::string_view body)> pause_asked{};
};

/// What came of one request.
struct RestReply {
  RestError error = RestError::none;
  std::string message;              // a sentence, empty when all is well
  std::string body;                 // of a reply with status 200
  std::int64_t server_time_ms = 0;  // its Date header; 0: unknown
  std::int64_t sent_ms = 0;         // monotonic: when the request was sent,
  std::int64_t received_ms = 0;     // and when the reply was there
};

/// Requests of this priority and behind it leave a tenth of the share to the others, on whichever threads: a
/// first load may be long enough to use up all that the limit's window has, and a hole would wait for its
/// end.
inline constexpr int kPriorityThatCanWait = 2;

/// One GET, and who is told what came of it.
struct RestRequest {
  std::string target;  // path and query
  int weight = 1;      // of the exchange's limit
  int priority = 0;    // lower goes first; equal ones in their order
  std::function<void(RestReply)> done;
};

/// REST requests of one exchange within its limits: a queue by priority, a few kept-alive connections, pauses
/// that the exchange asks for (418, 429 and 403 with their Retry-After, or RestOptions::pause_asked). A
/// request that fails is told and not repeated, but for one whose kept connection turned out to be closed.
/// One io_context, its thread only.
class RestClient {
 public:
  /// Told of pauses, for the log.
  using Log = std::function<void(Severity, std::string_view event, std::string_view detail)>;

  RestClient(boost::asio::io_context& io, const RestOptions& options, Log log);
  /// Requests on their way are dropped; no callback comes any more.
  ~RestClient();
  RestClient(const RestClient&) = delete;
  RestClient& operator=(const RestClient&) = delete;

  /// `done` is called once, from the io_context, never from inside.
  void get(RestRequest request);
  /// While held requests only wait.
  void hold(bool held);
  /// Requests that wait or are under way.
  std::size_t pending() const;
  /// How long until all of them are answered, within the limits.
  std::chrono::milliseconds estimated_time() const;

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace atcd::feeds
