#include "feeds/http_session.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <utility>

#include "feeds/dial.hpp"

namespace atcd::feeds {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

namespace {

constexpr std::uint32_t kLargestHeader = 64U << 10;

}  // namespace

class HttpSession::Impl : public std::enable_shared_from_this<HttpSession::Impl> {
 public:
  Impl(asio::io_context& io, const HttpOptions& options)
      : options_(options),
        stream_(io, options_.url.secure() ? options_.tls.get() : nullptr),
        deadline_(io),
        buffer_(options_.largest_body + kLargestHeader) {}

  void get(const std::string& target, std::function<void(HttpReply)> done) {
    done_ = std::move(done);
    parser_.reset();
    request_ = {};
    request_.version(11);
    request_.method(http::verb::get);
    request_.target(options_.url.path + target);
    request_.set(http::field::host, options_.url.authority());
    request_.set(http::field::user_agent, "atcd");
    request_.set(http::field::accept, "application/json");
    // Compression would save bytes that are not short, and cost the guarantee of the size limit.
    request_.set(http::field::accept_encoding, "identity");
    deadline_.expires_after(options_.deadline);
    deadline_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error && self->done_) self->fail("no answer within the deadline", true);
    });
    asio::post(stream_.get_executor(), [self = shared_from_this()] {
      if (self->ended_) return;
      if (self->connected_) return self->write();
      self->connect();
    });
  }

  bool usable() const { return !ended_; }

  void drop() {
    done_ = nullptr;
    end();
  }

 private:
  void connect() {
    first_address_ = options_.first_address->number();
    dial_ = std::make_shared<Dial>(stream_, options_.url, options_.first_address,
                                   [self = shared_from_this()](const std::string& error) {
                                     if (self->ended_) return;
                                     self->dial_.reset();
                                     if (!error.empty()) return self->fail(error);
                                     self->connected_ = true;
                                     self->write();
                                   });
    dial_->start();
  }

  void write() {
    http::async_write(stream_, request_, [self = shared_from_this()](const error_code& error, std::size_t) {
      if (self->ended_) return;
      if (error) return self->fail("sending the request failed: " + error.message());
      self->read();
    });
  }

  void read() {
    parser_.emplace();
    parser_->body_limit(options_.largest_body);
    parser_->header_limit(kLargestHeader);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](const error_code& error, std::size_t) {
                       if (!self->ended_) self->have_read(error);
                     });
  }

  void have_read(const error_code& error) {
    if (error == http::error::body_limit || error == http::error::buffer_overflow) {
      return fail("the answer has more than " + std::to_string(options_.largest_body) + " bytes");
    }
    if (error) return fail("reading the answer failed: " + error.message());
    HttpReply reply;
    auto& message = parser_->get();
    reply.status = message.result_int();
    if (reply.status < 200) return read();  // the answer itself is still to come (100, 103)
    reply.date = message[http::field::date];
    reply.retry_after = message[http::field::retry_after];
    if (!options_.used_header.empty()) reply.used = message[options_.used_header];
    reply.body = std::move(message.body());
    answered_ = true;
    deadline_.cancel();
    // What came beyond the answer would be taken for that to the next request: bars of another symbol.
    if (!parser_->keep_alive() || buffer_.size() > 0) end();
    std::exchange(done_, nullptr)(std::move(reply));
  }

  void fail(const std::string& why, bool timed_out = false) {
    HttpReply reply;
    reply.error = why;
    reply.timed_out = timed_out;
    reply.stale = answered_ && !timed_out && !(parser_ && parser_->got_some());
    end();
    if (!answered_) options_.first_address->came_to_nothing(first_address_);
    if (done_) std::exchange(done_, nullptr)(std::move(reply));
  }

  void end() {
    ended_ = true;
    deadline_.cancel();
    if (dial_) dial_->cancel();
    dial_.reset();
    stream_.drop();
  }

  HttpOptions options_;
  Stream stream_;
  asio::steady_timer deadline_;
  std::shared_ptr<Dial> dial_;
  std::size_t first_address_ = 0;  // that it was dialled with
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  std::function<void(HttpReply)> done_;
  bool connected_ = false;
  bool answered_ = false;  // at least one request, on this connection
  bool ended_ = false;
};

HttpSession::HttpSession(asio::io_context& io, const HttpOptions& options)
    : impl_(std::make_shared<Impl>(io, options)) {}

HttpSession::~HttpSession() { impl_->drop(); }

void HttpSession::get(const std::string& target, std::function<void(HttpReply)> done) {
  impl_->get(target, std::move(done));
}

bool HttpSession::usable() const { return impl_->usable(); }

}  // namespace atcd::feeds
