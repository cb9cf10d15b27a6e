#include "state/redis_wire.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <utility>

namespace atcd::state {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

/// Small commands leave at once. Half-open connections: unacknowledged data is given up after 5 s, an idle
/// peer after 8 s.
void tune(int socket) {
  const auto set = [socket](int level, int name, int value) {
    static_cast<void>(::setsockopt(socket, level, name, &value, sizeof value));  // one without still works
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 2);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 5000);
}

/// Asks the server for, and insists on, a certificate of this host.
bool expect_host(SSL* ssl, const std::string& host, bool numeric) {
  if (numeric) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  std::string name = host;  // what SSL_set_tlsext_host_name does, without its C cast
  return SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1 &&
         SSL_set1_host(ssl, host.c_str()) == 1;
}

}  // namespace

RedisWire::RedisWire(asio::io_context& io, RedisAddress address, std::shared_ptr<asio::ssl::context> tls,
                     asio::thread_pool* names, WireHandler& handler)
    : address_(std::move(address)),
      context_(std::move(tls)),
      handler_(&handler),
      socket_(io),
      names_(names) {}

/// A completion handler that keeps this object, and is silent once it is closed.
template <typename Function>
auto RedisWire::while_open(Function function) {
  return [self = shared_from_this(), function = std::move(function)](const error_code& error,
                                                                     auto&&... rest) mutable {
    if (self->handler_ != nullptr) function(error, rest...);
  };
}

void RedisWire::open(std::size_t first) {
  if (address_.host.empty()) {
    endpoints_ = {asio::local::stream_protocol::endpoint(address_.path)};
    return connect_to(0);
  }
  error_code no_address;
  const auto literal = asio::ip::make_address(address_.host, no_address);
  if (!no_address) {
    numeric_ = true;
    endpoints_ = {asio::ip::tcp::endpoint(literal, address_.port)};
    return connect_to(0);
  }
  auto looked_up =
      while_open([this, first](const error_code& error, const asio::ip::tcp::resolver::results_type& found) {
        if (error) return end("cannot resolve " + address_.host + ": " + error.message());
        for (const auto& entry : found) endpoints_.emplace_back(entry.endpoint());
        std::rotate(endpoints_.begin(),
                    endpoints_.begin() + static_cast<std::ptrdiff_t>(first % endpoints_.size()),
                    endpoints_.end());
        connect_to(0);
      });
  names_ == nullptr ? resolver_.emplace(socket_.get_executor()) : resolver_.emplace(*names_);
  resolver_->async_resolve(address_.host, std::to_string(address_.port),
                           asio::bind_executor(socket_.get_executor(), std::move(looked_up)));
}

void RedisWire::connect_to(std::size_t index) {
  error_code ignored;
  socket_.close(ignored);
  socket_.async_connect(endpoints_[index], while_open([this, index](const error_code& error) {
                          if (!error) return connected();
                          if (index + 1 < endpoints_.size()) return connect_to(index + 1);
                          end("cannot connect to " + address_.text() + ": " + error.message());
                        }));
}

void RedisWire::connected() {
  if (!address_.host.empty()) tune(socket_.native_handle());
  address_.tls ? handshake() : opened();
}

void RedisWire::handshake() {
  tls_.emplace(socket_, *context_);
  if (!expect_host(tls_->native_handle(), address_.host, numeric_)) {
    return end("TLS: " + address_.host + " cannot be verified as a host name");
  }
  handshaking_ = true;
  tls_->async_handshake(asio::ssl::stream_base::client, while_open([this](const error_code& error) {
                          handshaking_ = false;
                          if (!error) return opened();
                          const long verdict = SSL_get_verify_result(tls_->native_handle());
                          if (verdict != X509_V_OK) {
                            return end("the certificate of " + address_.text() +
                                       " is refused: " + X509_verify_cert_error_string(verdict));
                          }
                          end("TLS with " + address_.text() + ": " + error.message());
                        }));
}

void RedisWire::opened() {
  read();
  handler_->on_wire_open();
}

void RedisWire::read() {
  auto done = while_open([this](const error_code& error, std::size_t bytes) {
    if (error) return end(address_.text() + " closed: " + error.message());
    handler_->on_wire_input({input_.data(), bytes});
    if (handler_ != nullptr) read();
  });
  const auto buffer = asio::buffer(input_);
  tls_ ? tls_->async_read_some(buffer, std::move(done)) : socket_.async_read_some(buffer, std::move(done));
}

void RedisWire::write(std::string& text) {
  output_.clear();
  std::swap(text, output_);
  auto done = while_open([this](const error_code& error, std::size_t) {
    output_.clear();
    if (error) return end("cannot write to " + address_.text() + ": " + error.message());
    handler_->on_wire_written();
  });
  const auto buffer = asio::buffer(output_);
  tls_ ? asio::async_write(*tls_, buffer, std::move(done))
       : asio::async_write(socket_, buffer, std::move(done));
}

bool RedisWire::has_input() const {
  error_code unknown;
  return socket_.available(unknown) > 0;
}

void RedisWire::end(const std::string& reason) {
  WireHandler* handler = handler_;
  close();
  handler->on_wire_end(reason);
}

void RedisWire::close() {
  handler_ = nullptr;
  error_code ignored;
  socket_.close(ignored);
  resolver_.reset();
}

}  // namespace atcd::state
