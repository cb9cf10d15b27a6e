#include "feeds/dial.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace atcd::feeds {
namespace {

constexpr std::chrono::seconds kPerAddress{5};

/// Small messages leave at once, and a peer that vanished is noticed: keepalive finds it when idle, the user
/// timeout when data is in flight.
void set_socket_options(Stream::Tcp::socket::native_handle_type socket) {
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

}  // namespace

std::vector<Stream::Tcp::endpoint> alternating(std::vector<Stream::Tcp::endpoint> addresses) {
  if (addresses.empty()) return addresses;
  const auto others = std::stable_partition(
      addresses.begin(), addresses.end(),
      [kind = addresses.front().protocol()](const auto& address) { return address.protocol() == kind; });
  std::vector<Stream::Tcp::endpoint> ordered;
  auto first = addresses.begin();
  for (auto other = others; first != others || other != addresses.end();) {
    if (first != others) ordered.push_back(*first++);
    if (other != addresses.end()) ordered.push_back(*other++);
  }
  return ordered;
}

Dial::Dial(Stream& stream, const Url& url, std::shared_ptr<FirstAddress> first_address, Done done)
    : stream_(stream),
      url_(url),
      first_address_(std::move(first_address)),
      first_(first_address_->number()),
      done_(std::move(done)),
      resolver_(stream.get_executor()) {}

void Dial::start() {
  if (url_.secure() && stream_.secure() == nullptr)
    return done_(url_.authority() + " is not to be spoken to without TLS");
  boost::system::error_code no_address;
  const auto address = boost::asio::ip::make_address(url_.host, no_address);
  if (!no_address) {  // no need for a resolver, and its thread
    addresses_.emplace_back(address, url_.port);
    numeric_ = true;
    connect(0);
    return;
  }
  resolver_.async_resolve(url_.host, std::to_string(url_.port),
                          [self = shared_from_this()](const auto& error, const auto& results) {
                            if (error) return self->finish("cannot resolve " + self->url_.host, error);
                            for (const auto& result : results) self->addresses_.push_back(result.endpoint());
                            auto& addresses = self->addresses_ = alternating(std::move(self->addresses_));
                            const auto first = static_cast<std::ptrdiff_t>(self->first_ % addresses.size());
                            std::rotate(addresses.begin(), addresses.begin() + first, addresses.end());
                            self->connect(0);
                          });
}

void Dial::cancel() { resolver_.cancel(); }

void Dial::finish(const std::string& what, const boost::system::error_code& error) {
  done_(what + ": " + error.message());
}

void Dial::connect(std::size_t index) {
  stream_.next_layer().expires_after(kPerAddress);
  stream_.next_layer().async_connect(
      addresses_[index], [self = shared_from_this(), index](const boost::system::error_code& error) {
        if (!error) return self->connected();
        const bool more = index + 1 < self->addresses_.size();
        if (error == boost::asio::error::operation_aborted || !more)
          return self->finish("cannot connect to " + self->url_.authority(), error);
        self->first_address_->came_to_nothing(self->first_ + index);
        self->stream_.drop();
        self->connect(index + 1);
      });
}

void Dial::connected() {
  stream_.next_layer().expires_never();
  set_socket_options(stream_.next_layer().socket().native_handle());
  if (Stream::Secure* tls = stream_.secure()) {
    secure(*tls);
  } else {
    done_({});
  }
}

void Dial::secure(Stream::Secure& tls) {
  SSL* ssl = tls.native_handle();
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
                          Stream::Ended([self = shared_from_this()](const boost::system::error_code& error) {
                            if (!error) return self->done_({});
                            const long verdict =
                                SSL_get_verify_result(self->stream_.secure()->native_handle());
                            if (verdict != X509_V_OK) {
                              return self->done_("the certificate of " + self->url_.authority() +
                                                 " is refused: " + X509_verify_cert_error_string(verdict));
                            }
                            self->finish("TLS with " + self->url_.authority(), error);
                          }));
}

}  // namespace atcd::feeds
