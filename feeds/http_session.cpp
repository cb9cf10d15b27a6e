#include "feeds/http_session.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http.hpp>
#include <optional>
#include <utility>

#include "feeds/transport.hpp"

namespace atcd::feeds {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

class HttpSession::Impl {
 public:
  virtual ~Impl() = default;
  virtual void get(const std::string& target, std::function<void(HttpReply)> done) = 0;
  virtual bool usable() const = 0;
  virtual void drop() = 0;
};

namespace {

constexpr std::uint32_t kLargestHeader = 64U << 10;

template <class Stream>
class Session final : public HttpSession::Impl, public std::enable_shared_from_this<Session<Stream>> {
 public:
  Session(asio::io_context& io, const HttpOptions& options)
      : options_(options),
        stream_(make_stream<Stream>(io, options_.tls.get())),
        deadline_(io),
        buffer_(options_.largest_body + kLargestHeader) {}

  void get(const std::string& target, std::function<void(HttpReply)> done) override {
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
    deadline_.async_wait([self = this->shared_from_this()](const error_code& error) {
      if (!error && self->done_) self->fail("no answer within the deadline", true);
    });
    asio::post(stream_.get_executor(), [self = this->shared_from_this()] {
      if (self->ended_) return;
      if (self->connected_) return self->write();
      self->connect();
    });
  }

  bool usable() const override { return !ended_; }

  void drop() override {
    done_ = nullptr;
    end();
  }

 private:
  void connect() {
    dial_ = std::make_shared<Dial<Stream>>(stream_, options_.url,
                                           [self = this->shared_from_this()](const std::string& error) {
                                             if (self->ended_) return;
                                             self->dial_.reset();
                                             if (!error.empty()) return self->fail(error);
                                             self->connected_ = true;
                                             self->write();
                                           });
    dial_->start();
  }

  void write() {
    http::async_write(stream_, request_,
                      [self = this->shared_from_this()](const error_code& error, std::size_t) {
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
                     [self = this->shared_from_this()](const error_code& error, std::size_t) {
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
    reply.date = message[http::field::date];
    reply.retry_after = message[http::field::retry_after];
    if (!options_.used_header.empty()) reply.used = message[options_.used_header];
    reply.body = std::move(message.body());
    answered_ = true;
    deadline_.cancel();
    if (!parser_->keep_alive()) end();
    std::exchange(done_, nullptr)(std::move(reply));
  }

  void fail(const std::string& why, bool timed_out = false) {
    HttpReply reply;
    reply.error = why;
    reply.timed_out = timed_out;
    reply.stale = answered_ && !timed_out && !(parser_ && parser_->got_some());
    end();
    if (done_) std::exchange(done_, nullptr)(std::move(reply));
  }

  void end() {
    ended_ = true;
    deadline_.cancel();
    if (dial_) dial_->cancel();
    dial_.reset();
    drop_socket(stream_);
  }

  HttpOptions options_;
  Stream stream_;
  asio::steady_timer deadline_;
  std::shared_ptr<Dial<Stream>> dial_;
  beast::flat_buffer buffer_;
  http::request<http::empty_body> request_;
  std::optional<http::response_parser<http::string_body>> parser_;
  std::function<void(HttpReply)> done_;
  bool connected_ = false;
  bool answered_ = false;  // at least one request, on this connection
  bool ended_ = false;
};

}  // namespace

HttpSession::HttpSession(asio::io_context& io, const HttpOptions& options) {
  if (options.url.secure()) {
    impl_ = std::make_shared<Session<SecureStream>>(io, options);
  } else {
    impl_ = std::make_shared<Session<PlainStream>>(io, options);
  }
}

HttpSession::~HttpSession() { impl_->drop(); }

void HttpSession::get(const std::string& target, std::function<void(HttpReply)> done) {
  impl_->get(target, std::move(done));
}

bool HttpSession::usable() const { return impl_->usable(); }

}  // namespace atcd::feeds
