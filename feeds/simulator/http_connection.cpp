#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <optional>
#include <sstream>
#include <string>
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
      : host_(std::move(host)), stream_(std::move(stream)), timer_(stream_.get_executor()) {
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

  void cut(Cut) override {
    timer_.cancel();
    lowest().close();
  }

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
        const Welcome welcome = host_->welcome();
        if (welcome.kind != Welcome::Kind::open) return turn_away(request, welcome);
        lowest().expires_never();
        serve_websocket(host_, std::move(stream_), std::move(request), std::move(*opening));
        return;
      }
    }
    answer_ = host_->answer(request, from_loopback_);
    if (answer_.after.count() > 0) {
      wait(answer_.after, [this] { write(); });
    } else {
      write();
    }
  }

  void turn_away(const HttpRequest& request, const Welcome& welcome) {
    if (welcome.kind == Welcome::Kind::hang) return wait(welcome.left, [this] { lowest().close(); });
    if (welcome.kind == Welcome::Kind::reset) return reset();
    answer_ = {HttpResponse(static_cast<http::status>(welcome.status), request.version())};
    // As exchanges do that count requests; an exchange that is down says nothing.
    if (welcome.status == 418 || welcome.status == 429)
      answer_.response.set(http::field::retry_after, std::to_string(welcome.left.count() / 1000 + 1));
    answer_.response.keep_alive(false);
    answer_.response.prepare_payload();
    write();
  }

  template <class Then>
  void wait(std::chrono::milliseconds time, Then then) {
    lowest().expires_never();
    timer_.expires_after(time);
    timer_.async_wait([self = shared_from_this(), then](const ErrorCode& error) {
      if (!error) then();
    });
  }

  void reset() {
    ErrorCode ignored;
    lowest().socket().set_option(asio::socket_base::linger(true, 0), ignored);
    lowest().close();
  }

  void write() {
    if (answer_.cut) return write_half();
    http::async_write(stream_, answer_.response,
                      [self = shared_from_this()](const ErrorCode& error, std::size_t) {
                        if (!error) self->on_answered();
                      });
  }

  void write_half() {
    std::ostringstream text;
    text << answer_.response;
    half_ = text.str();
    half_.erase(half_.size() - std::min(half_.size(), (answer_.response.body().size() + 1) / 2));
    asio::async_write(stream_, asio::buffer(half_),
                      [self = shared_from_this()](const ErrorCode&, std::size_t) { self->lowest().close(); });
  }

  void on_answered() {
    if (answer_.response.keep_alive()) {
      read();
      return;
    }
    ErrorCode ignored;
    lowest().socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }

  std::shared_ptr<ConnectionHost> host_;
  Stream stream_;
  asio::steady_timer timer_;
  bool from_loopback_ = false;
  beast::flat_buffer buffer_{kLargestHeader + kLargestBody};
  std::optional<http::request_parser<http::string_body>> parser_;
  Answer answer_;
  std::string half_;
};

}  // namespace

void serve_http(std::shared_ptr<ConnectionHost> host, Stream stream) {
  std::make_shared<HttpConnection>(std::move(host), std::move(stream))->start();
}

}  // namespace atcd::feeds::simulator
