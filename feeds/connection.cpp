#include "feeds/connection.hpp"

#include <simdjson.h>

#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>
#include <charconv>
#include <cstring>
#include <deque>
#include <utility>

#include "feeds/dial.hpp"

namespace atcd::feeds {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

namespace {

constexpr std::size_t kMostQueuedWrites = 1024;
constexpr std::size_t kUsualBuffer = 64 << 10;
constexpr int kLongestRetryAfterS = 3600;  // whatever a handshake's answer asks for

std::int64_t utc_us() {
  using namespace std::chrono;
  return duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
}

std::string in_seconds(std::chrono::milliseconds time) {
  const auto tenths = std::to_string(time.count() % 1000 / 100);
  return std::to_string(time.count() / 1000) + "." + tenths + " s";
}

}  // namespace

/// One websocket. It keeps itself alive by what is under way; the owner's pointer only says what is wanted.
class Connection::Impl : public std::enable_shared_from_this<Connection::Impl> {
 public:
  Impl(asio::io_context& io, ConnectionOptions options, ConnectionHandler& handler)
      : options_(std::move(options)),
        handler_(&handler),
        socket_(io, options_.url.secure() ? options_.tls.get() : nullptr),
        timer_(io),
        buffer_(options_.largest_message + simdjson::SIMDJSON_PADDING) {
    buffer_.reserve(std::min(kUsualBuffer, buffer_.max_size()));
  }

  void start() {
    timer_.expires_after(options_.setup_timeout);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error && !self->open_) {
        self->end({"not connected to " + self->options_.url.authority() + " within " +
                   in_seconds(self->options_.setup_timeout)});
      }
    });
    first_address_ = options_.first_address->number();
    dial_ = std::make_shared<Dial>(socket_.next_layer(), options_.url, options_.first_address,
                                   [self = shared_from_this()](std::string error) {
                                     if (error.empty()) return self->shake_hands();
                                     self->end({std::move(error)});
                                   });
    // Not from inside the constructor of the owner: a callback may come at once.
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (!self->ended_) self->dial_->start();
    });
  }

  void send(std::string text) {
    if (!open_ || ended_ || handler_ == nullptr) return;
    if (writes_.size() >= kMostQueuedWrites) {
      asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->end(
            {std::to_string(kMostQueuedWrites) + " messages wait to be sent: the exchange does not read"});
      });
      return;
    }
    writes_.push_back(std::move(text));
    if (writes_.size() == 1) write();
  }

  std::chrono::steady_clock::time_point heard_at() const { return heard_at_; }

  /// No callback comes any more; the rest happens in the background.
  void close() {
    if (open_ && !ended_) judge_address();
    handler_ = nullptr;
    if (ended_) return;
    if (!open_) return end({});
    timer_.expires_after(options_.closing_timeout);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->end({});
    });
    socket_.async_close(websocket::close_code::normal,
                        [self = shared_from_this()](const error_code&) { self->end({}); });
  }

 private:
  void shake_hands() {
    if (ended_) return;
    dial_.reset();  // it holds us
    websocket::stream_base::timeout timeouts;
    timeouts.handshake_timeout = options_.setup_timeout;
    timeouts.idle_timeout = options_.idle_timeout;
    timeouts.keep_alive_pings = options_.ping_text.empty();
    socket_.set_option(timeouts);
    socket_.set_option(websocket::stream_base::decorator(
        [](websocket::request_type& request) { request.set(beast::http::field::user_agent, "atcd"); }));
    socket_.control_callback(
        [this](websocket::frame_type, beast::string_view) { heard_at_ = std::chrono::steady_clock::now(); });
    socket_.read_message_max(options_.largest_message);
    socket_.auto_fragment(false);
    socket_.async_handshake(
        response_, options_.url.authority(), options_.url.path + options_.path,
        [self = shared_from_this()](const error_code& error) { self->shook_hands(error); });
  }

  void shook_hands(const error_code& error) {
    if (ended_) return;
    if (error == websocket::error::upgrade_declined) return end(declined());
    if (error) return end({"websocket handshake with " + options_.url.authority() + ": " + error.message()});
    open_ = true;
    heard_at_ = std::chrono::steady_clock::now();
    timer_.cancel();
    if (!options_.ping_text.empty()) arm_ping();
    if (handler_ != nullptr) handler_->on_open();
    if (!ended_ && handler_ != nullptr) read();
  }

  /// The exchange answered the handshake with an HTTP status of another kind.
  ConnectionEnd declined() const {
    const unsigned status = response_.result_int();
    ConnectionEnd end{"HTTP " + std::to_string(status) + " from " + options_.url.authority()};
    end.refused_location = status == 403 || status == 451;
    if (end.refused_location) end.reason += ": the exchange refuses this location";
    if (status == 418 || status == 429) end.reason += ": too many requests from this address";
    const auto text = response_[beast::http::field::retry_after];
    int seconds = 0;
    const auto [last, failure] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (failure == std::errc::result_out_of_range) seconds = kLongestRetryAfterS;
    if (seconds > 0) end.retry_after = std::chrono::seconds(std::min(seconds, kLongestRetryAfterS));
    return end;
  }

  void read() {
    socket_.async_read(buffer_, [self = shared_from_this()](const error_code& error, std::size_t) {
      self->have_read(error);
    });
  }

  void have_read(const error_code& error) {
    const std::int64_t received_us = utc_us();
    if (ended_) return;
    if (error) return end(describe(error));
    if (handler_ == nullptr) return;  // closing: the close reads on
    heard_ = brought_ = true;
    const std::size_t size = buffer_.size();
    const auto padding = buffer_.prepare(simdjson::SIMDJSON_PADDING);
    std::memset(padding.data(), 0, simdjson::SIMDJSON_PADDING);
    handler_->on_message({static_cast<const char*>(buffer_.cdata().data()), size}, received_us);
    heard_at_ = std::chrono::steady_clock::now();  // late, for the message's way is not to wait for it
    if (ended_ || handler_ == nullptr) return;
    buffer_.consume(size);
    if (buffer_.capacity() > kUsualBuffer) give_back();
    read();
  }

  /// One huge message is no reason to hold its memory for as long as the connection lives.
  void give_back() {
    buffer_.shrink_to_fit();
    buffer_.reserve(std::min(kUsualBuffer, buffer_.max_size()));
  }

  ConnectionEnd describe(const error_code& error) const {
    if (error == websocket::error::closed) {
      const auto& why = socket_.reason();
      std::string text = "the exchange closed the connection, code " + std::to_string(why.code);
      if (!why.reason.empty()) text += ": " + std::string(why.reason.c_str());
      return {text};
    }
    if (error == websocket::error::message_too_big || error == websocket::error::buffer_overflow) {
      ConnectionEnd end{"a message had more than " + std::to_string(options_.largest_message) + " bytes"};
      end.message_refused = true;
      return end;
    }
    if (error == websocket::error::bad_frame_payload) {
      ConnectionEnd end{"a text message was not UTF-8"};
      end.message_refused = true;
      return end;
    }
    if (error == beast::error::timeout)
      return {"nothing came for " + in_seconds(options_.idle_timeout) + ", answers to pings included"};
    if (error == asio::error::eof || error == asio::ssl::error::stream_truncated)
      return {"the connection was cut without a websocket close"};
    return {"reading failed: " + error.message()};
  }

  void write() {
    socket_.text(true);
    socket_.async_write(asio::buffer(writes_.front()),
                        [self = shared_from_this()](const error_code& error, std::size_t) {
                          if (self->ended_) return;
                          if (error) return self->end({"writing failed: " + error.message()});
                          self->writes_.pop_front();
                          if (!self->writes_.empty() && self->handler_ != nullptr) self->write();
                        });
  }

  /// For exchanges with pings of their own: after a third of the idle timeout without a message.
  void arm_ping() {
    timer_.expires_after(options_.idle_timeout / 3);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (error || self->ended_ || self->handler_ == nullptr) return;
      if (!std::exchange(self->heard_, false)) self->send(self->options_.ping_text);
      self->arm_ping();
    });
  }

  /// Open is not enough: our own large packets may get lost, with what we subscribe to in them.
  void judge_address() {
    if (!brought_) options_.first_address->came_to_nothing(first_address_);
  }

  void end(const ConnectionEnd& end) {
    if (ended_) return;
    ended_ = true;
    timer_.cancel();
    if (dial_) dial_->cancel();
    dial_.reset();
    socket_.next_layer().drop();
    if (handler_ == nullptr) return;
    judge_address();
    std::exchange(handler_, nullptr)->on_end(end);
  }

  ConnectionOptions options_;
  ConnectionHandler* handler_;  // null once nothing may be told any more
  websocket::stream<Stream> socket_;
  asio::steady_timer timer_;  // set-up, then pings, then closing
  std::shared_ptr<Dial> dial_;
  std::size_t first_address_ = 0;  // that it was dialled with
  websocket::response_type response_;
  beast::flat_buffer buffer_;
  std::deque<std::string> writes_;
  std::chrono::steady_clock::time_point heard_at_ = std::chrono::steady_clock::now();
  bool open_ = false;
  bool ended_ = false;
  bool heard_ = false;
  bool brought_ = false;  // at least one message
};

Connection::Connection(asio::io_context& io, ConnectionOptions options, ConnectionHandler& handler)
    : impl_(std::make_shared<Impl>(io, std::move(options), handler)) {
  impl_->start();
}

Connection::~Connection() { impl_->close(); }

void Connection::send(std::string text) { impl_->send(std::move(text)); }

std::chrono::steady_clock::time_point Connection::heard_at() const { return impl_->heard_at(); }

}  // namespace atcd::feeds
