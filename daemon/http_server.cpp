#include "daemon/http_server.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <utility>

namespace atcd::daemon {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

// A client that was refused before it had sent all is given so long to read why.
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kMostLingerBytes = std::size_t{64} << 10;
constexpr std::chrono::seconds kAcceptAgain{1};

std::string text_of(const tcp::endpoint& endpoint) {
  std::ostringstream text;
  text << endpoint;
  return text.str();
}

bool of_http(const error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_version).category();
}

}  // namespace

class HttpServer::Impl final : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, const tcp::endpoint& endpoint, HttpLimits limits)
      : limits_(limits), acceptor_(io), again_(io) {
    error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    // What comes after us, as a VPN's address after a boot, is no reason to publish nothing: the service
    // manager gives up after some starts.
    if (error == boost::system::errc::address_not_available) bind_early(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      std::string why = "[http] listen: " + text_of(endpoint) + " can't be listened on: " + error.message();
      if (error == asio::error::address_in_use)
        why += "; is another atcd running? Another port, or listen = \"off\", lets both run";
      throw std::runtime_error(why);
    }
  }

  void serve(Pages pages) {
    pages_ = std::move(pages);
    accept();
  }

  void stop();
  tcp::endpoint endpoint() const { return acceptor_.local_endpoint(); }
  bool early() const { return early_; }
  std::size_t connections() const { return sessions_.size(); }
  const HttpLimits& limits() const { return limits_; }

  HttpAnswer page(std::string_view path) const {
    const auto found = pages_.find(path);
    if (found == pages_.end()) return not_found();
    try {
      return found->second();
    } catch (const std::exception& failure) {
      return {500, "text/plain; charset=utf-8", std::string(failure.what()) + "\n"};
    }
  }
  bool has(std::string_view path) const { return pages_.find(path) != pages_.end(); }

 private:
  class Session;

  void bind_early(const tcp::endpoint& endpoint, error_code& error) {
    const int yes = 1;
    if (::setsockopt(acceptor_.native_handle(), IPPROTO_IP, IP_FREEBIND, &yes, sizeof yes) != 0) return;
    acceptor_.bind(endpoint, error);
    early_ = !error;
  }

  using Sessions = std::list<std::shared_ptr<Session>>;

  HttpAnswer not_found() const {
    std::string body = "There is no such page. Pages:";
    for (const auto& [path, make] : pages_) body += " " + path;
    return {404, "text/plain; charset=utf-8", body + "\n"};
  }

  void accept() {
    acceptor_.async_accept([self = shared_from_this()](const error_code& error, tcp::socket socket) {
      if (self->stopped_) return;
      if (!error) {
        self->begin(std::move(socket));
        return self->accept();
      }
      // As where no file descriptor is free: not over and over.
      self->again_.expires_after(kAcceptAgain);
      self->again_.async_wait([self](const error_code& cancelled) {
        if (!cancelled && !self->stopped_) self->accept();
      });
    });
  }

  void begin(tcp::socket socket);

  HttpLimits limits_;
  tcp::acceptor acceptor_;
  asio::steady_timer again_;
  Pages pages_;
  Sessions sessions_;  // the one that has been silent longest first
  bool stopped_ = false;
  bool early_ = false;
};

/// One connection. Lives as long as something is under way on it.
class HttpServer::Impl::Session final : public std::enable_shared_from_this<Session> {
 public:
  Session(std::shared_ptr<Impl> server, tcp::socket socket)
      : server_(std::move(server)),
        stream_(std::move(socket)),
        buffer_(server_->limits().header_bytes + 1024) {}

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(server_->limits().header_bytes));
    stream_.expires_after(server_->limits().idle_time);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](const error_code& error, std::size_t) {
                              if (self->open_) self->have_read(error);
                            });
  }

  void drop() {
    open_ = false;
    stream_.close();
  }

 private:
  void have_read(const error_code& error) {
    // To the end of the line: who has just asked is not silent.
    const auto at = std::find(server_->sessions_.begin(), server_->sessions_.end(), shared_from_this());
    server_->sessions_.splice(server_->sessions_.end(), server_->sessions_, at);
    if (error == http::error::header_limit || error == http::error::buffer_overflow)
      return refuse(http::status::request_header_fields_too_large, "The header is too large.");
    if (error == http::error::end_of_stream || error == http::error::partial_message) return end();
    if (error && of_http(error))
      return refuse(http::status::bad_request, "This is not HTTP: " + error.message());
    if (error) return end();
    answer();
  }

  void answer() {
    const auto& request = parser_->get();
    if (parser_->chunked() || parser_->content_length().value_or(0) > 0)
      return refuse(http::status::payload_too_large, "Requests have no body here.");
    std::string_view path(request.target().data(), request.target().size());
    path = path.substr(0, path.find('?'));
    const bool head = request.method() == http::verb::head;
    keep_ = request.keep_alive();
    if (!head && request.method() != http::verb::get) {
      if (!server_->has(path)) return write(server_->page(path), false);
      return write({405, "text/plain; charset=utf-8", "Only GET and HEAD are allowed here.\n"}, false);
    }
    write(server_->page(path), head);
  }

  void refuse(http::status status, const std::string& why) {
    keep_ = false;
    write({static_cast<unsigned>(status), "text/plain; charset=utf-8", why + "\n"}, false);
  }

  void write(HttpAnswer answer, bool head) {
    response_ = http::response<http::string_body>(static_cast<http::status>(answer.status), 11);
    response_.set(http::field::server, "atcd");
    response_.set(http::field::cache_control, "no-store");
    response_.set(http::field::content_type, answer.type);
    if (answer.status == 405) response_.set(http::field::allow, "GET, HEAD");
    response_.keep_alive(keep_);
    response_.content_length(answer.body.size());
    if (!head) response_.body() = std::move(answer.body);
    stream_.expires_after(server_->limits().write_time);
    http::async_write(stream_, response_, [self = shared_from_this()](const error_code& error, std::size_t) {
      if (!self->open_) return;
      if (error) return self->end();
      self->response_ = {};
      self->keep_ ? self->read() : self->linger();
    });
  }

  /// What was not read would make the kernel take the answer back.
  void linger() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(kLinger);
    discard();
  }

  void discard() {
    stream_.async_read_some(asio::buffer(discarded_),
                            [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                              if (!self->open_) return;
                              self->lingered_ += bytes;
                              if (error || self->lingered_ > kMostLingerBytes) return self->end();
                              self->discard();
                            });
  }

  void end() {
    drop();
    server_->sessions_.remove(shared_from_this());
  }

  std::shared_ptr<Impl> server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
  std::array<char, 2048> discarded_;
  std::size_t lingered_ = 0;
  bool keep_ = false;
  bool open_ = true;
};

void HttpServer::Impl::begin(tcp::socket socket) {
  if (sessions_.size() >= limits_.connections) {
    sessions_.front()->drop();
    sessions_.pop_front();
  }
  sessions_.push_back(std::make_shared<Session>(shared_from_this(), std::move(socket)));
  sessions_.back()->read();
}

void HttpServer::Impl::stop() {
  stopped_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  again_.cancel();
  for (const auto& session : sessions_) session->drop();
  sessions_.clear();
}

HttpServer::HttpServer(asio::io_context& io, const tcp::endpoint& endpoint, HttpLimits limits)
    : impl_(std::make_shared<Impl>(io, endpoint, limits)) {}
HttpServer::~HttpServer() { impl_->stop(); }
void HttpServer::serve(Pages pages) { impl_->serve(std::move(pages)); }
std::string HttpServer::address() const { return text_of(impl_->endpoint()); }
bool HttpServer::early() const { return impl_->early(); }
std::size_t HttpServer::connections() const { return impl_->connections(); }

}  // namespace atcd::daemon
