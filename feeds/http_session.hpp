#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "feeds/first_address.hpp"
#include "feeds/tls.hpp"
#include "feeds/url.hpp"

namespace atcd::feeds {

/// Where requests go, and how much time and memory each may take.
struct HttpOptions {
  Url url;
  /// Of url.host; copies of these options share it.
  std::shared_ptr<FirstAddress> first_address = std::make_shared<FirstAddress>();
  std::shared_ptr<boost::asio::ssl::context> tls;  // needed for https only
  std::chrono::milliseconds deadline{20'000};      // of one request, connecting included
  std::size_t largest_body = 32U << 20;            // bytes
  std::string used_header;                         // whose value is wanted; may be empty
};

/// What came of one request.
struct HttpReply {
  std::string error;       // why there is no reply; empty when there is one
  bool timed_out = false;  // with `error`
  bool stale = false;      // with `error`: the peer had closed a kept connection; try on a fresh one
  unsigned status = 0;
  std::string body;
  std::string date;  // header values, empty where absent
  std::string retry_after;
  std::string used;
};

/// One kept-alive HTTP or HTTPS connection, GET only, one request at a time. One io_context, its thread only.
/// Destroying it drops the connection, and no callback comes after that.
class HttpSession {
 public:
  HttpSession(boost::asio::io_context& io, const HttpOptions& options);
  ~HttpSession();
  HttpSession(const HttpSession&) = delete;
  HttpSession& operator=(const HttpSession&) = delete;

  /// Not before the last reply came. `done` is called from the io_context, never from inside.
  void get(const std::string& target, std::function<void(HttpReply)> done);
  /// False once the connection has ended: the next request needs another session.
  bool usable() const;

  class Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace atcd::feeds
