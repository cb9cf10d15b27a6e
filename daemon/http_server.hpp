#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace atcd::daemon {

struct HttpLimits {
  std::size_t header_bytes = 8192;
  std::size_t connections = 32;
  std::chrono::milliseconds idle_time{75'000};   // until a request's header is complete
  std::chrono::milliseconds write_time{10'000};  // for the client to take the answer
};

struct HttpAnswer {
  unsigned status = 200;
  std::string type;  // Content-Type
  std::string body;
};

/// Serves pages that are made when they are asked for: GET and HEAD, nothing else, without bodies. Bounded in
/// every way a client could make use of; where too many connect, the connection that has been silent longest
/// makes room. Lives on one io_context, its thread only.
class HttpServer {
 public:
  using Pages = std::map<std::string, std::function<HttpAnswer()>, std::less<>>;  // by path

  /// Listens at once, so that a port that is taken is told before anything else begins: throws
  /// std::runtime_error with a sentence.
  HttpServer(boost::asio::io_context& io, const boost::asio::ip::tcp::endpoint& endpoint,
             HttpLimits limits = {});
  /// Drops every connection.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Who connected meanwhile is answered from here on. Once.
  void serve(Pages pages);
  /// "127.0.0.1:9464": where it listens.
  std::string address() const;
  /// No interface had that address when it began: it is answered there once one has.
  bool early() const;
  std::size_t connections() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace atcd::daemon
