#pragma once

// What the websocket and the HTTP side share: from a Url to a connected, secured stream. Only their .cpp
// files include this: it brings Beast.

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "feeds/url.hpp"

namespace atcd::feeds {

using Tcp = boost::asio::ip::tcp;
using PlainStream = boost::beast::basic_stream<Tcp, boost::asio::io_context::executor_type>;
using SecureStream = boost::beast::ssl_stream<PlainStream>;

template <class Stream>
Stream make_stream(boost::asio::io_context& io, boost::asio::ssl::context* tls) {
  if constexpr (std::is_same_v<Stream, SecureStream>) {
    return Stream(io.get_executor(), *tls);
  } else {
    static_cast<void>(tls);
    return Stream(io.get_executor());
  }
}

template <class Stream>
void drop_socket(Stream& stream) {
  boost::system::error_code ignored;
  boost::beast::get_lowest_layer(stream).socket().close(ignored);
}

/// Small messages leave at once, and a peer that vanished is noticed: keepalive finds it when idle, the user
/// timeout when data is in flight.
inline void set_socket_options(Tcp::socket::native_handle_type socket) {
  const auto set = [socket](int level, int name, int value) {
    // A refused option costs speed or time only; the idle timeout above still ends the connection.
    static_cast<void>(::setsockopt(socket, level, name, &value, sizeof value));
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 10);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 10'000);
}

/// Resolves, connects (one address after the other) and secures a stream. Lives until `done` was called, with
/// an empty text or with the reason; whoever owns the stream is kept alive by what `done` holds and bounds
/// the whole by a timer that drops the socket.
template <class Stream>
class Dial : public std::enable_shared_from_this<Dial<Stream>> {
 public:
  using Done = std::function<void(std::string error)>;

  Dial(Stream& stream, const Url& url, Done done)
      : stream_(stream),
        url_(url),
        done_(std::move(done)),
        resolver_(boost::beast::get_lowest_layer(stream).get_executor()) {}

  void start() {
    boost::system::error_code no_address;
    const auto address = boost::asio::ip::make_address(url_.host, no_address);
    if (!no_address) {  // no need for a resolver, and its thread
      addresses_.emplace_back(address, url_.port);
      numeric_ = true;
      connect(0);
      return;
    }
    resolver_.async_resolve(url_.host, std::to_string(url_.port),
                            [self = this->shared_from_this()](const auto& error, const auto& results) {
                              if (error) return self->finish("cannot resolve " + self->url_.host, error);
                              for (const auto& result : results)
                                self->addresses_.push_back(result.endpoint());
                              self->connect(0);
                            });
  }

  void cancel() { resolver_.cancel(); }

 private:
  static constexpr std::chrono::seconds kPerAddress{5};

  PlainStream& lowest() { return boost::beast::get_lowest_layer(stream_); }

  void finish(const std::string& what, const boost::system::error_code& error) {
    done_(what + ": " + error.message());
  }

  void connect(std::size_t index) {
    lowest().expires_after(kPerAddress);
    lowest().async_connect(addresses_[index],
                           [self = this->shared_from_this(), index](const boost::system::error_code& error) {
                             if (!error) return self->connected();
                             const bool more = index + 1 < self->addresses_.size();
                             if (error == boost::asio::error::operation_aborted || !more)
                               return self->finish("cannot connect to " + self->url_.authority(), error);
                             drop_socket(self->stream_);
                             self->connect(index + 1);
                           });
  }

  void connected() {
    lowest().expires_never();
    set_socket_options(lowest().socket().native_handle());
    if constexpr (std::is_same_v<Stream, SecureStream>) {
      secure();
    } else {
      done_({});
    }
  }

  void secure() {
    SSL* ssl = stream_.native_handle();
    bool named = true;
    if (numeric_) {
      named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), url_.host.c_str()) == 1;
    } else {
      // What SSL_set_tlsext_host_name does, without its C cast.
      std::string name = url_.host;
      named = SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1 &&
              SSL_set1_host(ssl, url_.host.c_str()) == 1;
    }
    if (!named) return done_("TLS: " + url_.host + " cannot be verified as a host name");
    stream_.async_handshake(boost::asio::ssl::stream_base::client,
                            [self = this->shared_from_this()](const auto& error) {
                              if (!error) return self->done_({});
                              const long verdict = SSL_get_verify_result(self->stream_.native_handle());
                              if (verdict != X509_V_OK) {
                                return self->done_("the certificate of " + self->url_.authority() +
                                                   " is refused: " + X509_verify_cert_error_string(verdict));
                              }
                              self->finish("TLS with " + self->url_.authority(), error);
                            });
  }

  Stream& stream_;
  Url url_;
  Done done_;
  Tcp::resolver resolver_;
  std::vector<Tcp::endpoint> addresses_;  // never empty once resolved
  bool numeric_ = false;
};

}  // namespace atcd::feeds
