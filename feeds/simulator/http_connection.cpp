#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <optional>
#include <utility>

#include "feeds/simulator/connection_host.hpp"

namespace atcd::feeds::simulator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using ErrorCode = boost::system::error_code;

constexpr std::uint32_t kLargestHeader = 64U << 10;  // 1,024 streams in an address are some 25 KB
constexpr std::uint64_t kLargestBody = 64U << 10;
constexpr std::chrono::seconds kHandshakeDeadline{10};
constexpr std::chrono::seconds kIdleDeadline{75};

class HttpConnection final : public Connection, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<ConnectionHost> host, Stream stream)
      : host_(std::move(host)), stream_(std::move(stream)) {
    ErrorCode ignored;
    const auto peer = lowest().socket().remote_endpoint(ignored);
    from_loopback_ = peer.address().is_loopback();
    lowest().socket().set_option(asio::ip::tcp::no_delay(true), ignored);
    host_->began(*this);
  }
  ~HttpConnection() { host_->ended(*this); }

  void start() {
    if (stream_.secure() == nullptr) return read();
    lowest().expires_after(kHandshakeDeadline);
    stream_.async_handshake(asio::ssl::stream_base::server,
                            Stream::Ended([self = shared_from_this()](const ErrorCode& error) {
                              if (!error) self->read();
                            }));
  }

  void cut(Cut) override { lowest().close(); }

 private:
  Stream::Plain& lowest() { return stream_.next_layer(); }

  void read() {
    parser_.emplace();
    parser_->header_limit(kLargestHeader);
    parser_->body_limit(kLargestBody);
    lowest().expires_after(kIdleDeadline);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                       if (!error) self->on_request();
                     });
  }

  void on_request() {
    HttpRequest request = parser_->release();
    if (beast::websocket::is_upgrade(request)) {
      const auto target = request.target();
      if (auto opening = host_->open({target.data(), target.size()})) {
        lowest().expires_never();
        serve_websocket(host_, std::move(stream_), std::move(request), std::move(*opening));
        return;
      }
    }
    response_ = host_->answer(request, from_loopback_);
    http::async_write(stream_, response_, [self = shared_from_this()](const ErrorCode& error, std::size_t) {
      if (!error) self->on_answered();
    });
  }

  void on_answered() {
    if (response_.keep_alive()) {
      read();
      return;
    }
    ErrorCode ignored;
    lowest().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }

  std::shared_ptr<ConnectionHost> host_;
  Stream stream_;
  bool from_loopback_ = false;
  beast::flat_buffer buffer_{kLargestHeader + kLargestBody};
  std::optional<http::request_parser<http::string_body>> parser_;
  HttpResponse response_;
};

}  // namespace

void serve_http(std::shared_ptr<ConnectionHost> host, Stream stream) {
  std::make_shared<HttpConnection>(std::move(host), std::move(stream))->start();
}

}  // namespace atcd::feeds::simulator
