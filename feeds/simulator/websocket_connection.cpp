#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <string>
#include <utility>

#include "feeds/simulator/connection_host.hpp"

namespace atcd::feeds::simulator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using ErrorCode = boost::system::error_code;
using Real = std::chrono::steady_clock;

constexpr std::size_t kLargestMessage = 64U << 10;
constexpr std::chrono::seconds kCloseDeadline{3};

/// One websocket: a queue of texts out, requests in, pings, and an end after its lifetime.
class WebsocketConnection final : public WebsocketClient,
                                  public std::enable_shared_from_this<WebsocketConnection> {
 public:
  WebsocketConnection(std::shared_ptr<ConnectionHost> host, Stream stream, HttpRequest request,
                      WireOpening opening)
      : host_(std::move(host)),
        socket_(std::move(stream)),
        request_(std::move(request)),
        opening_(std::move(opening)),
        ping_timer_(socket_.get_executor()),
        end_timer_(socket_.get_executor()),
        hush_timer_(socket_.get_executor()) {
    host_->began(*this);
  }
  ~WebsocketConnection() { host_->ended(*this); }

  void start() {
    websocket::stream_base::timeout deadlines{};
    deadlines.handshake_timeout = kCloseDeadline;
    deadlines.idle_timeout = websocket::stream_base::none();
    socket_.set_option(deadlines);
    socket_.read_message_max(kLargestMessage);
    socket_.control_callback([this](websocket::frame_type kind, beast::string_view) { on_control(kind); });
    socket_.async_accept(request_, [self = shared_from_this()](const ErrorCode& error) {
      if (!error && !self->ended_) self->on_accepted();
    });
  }

  void send(const std::shared_ptr<const std::string>& text) override {
    if (ended_ || closing_) return;
    const bool lost = hush_ == Hush::all || (hush_ == Hush::frames && !answering_);
    if (lost) return;
    if (queued_bytes_ + text->size() > host_->limits().queued_bytes) {
      host_->count_slow_client();
      cut(Cut::reset);
      return;
    }
    queued_bytes_ += text->size();
    queue_.push_back(text);
    write_next();
  }

  std::size_t queued_bytes() const override { return queued_bytes_; }

  void close_after(std::string_view text) override {
    send(std::make_shared<const std::string>(text));
    close(websocket::close_code::going_away, false);
  }

  void hush(Hush how, std::chrono::milliseconds time) override {
    if (ended_ || !joined_ || hush_ == Hush::all) return;
    hush_ = how;
    if (how == Hush::all) beast::get_lowest_layer(socket_).cancel();  // nothing is read any more
    hush_timer_.expires_after(time);
    hush_timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
      if (!error) self->wake();
    });
  }

  void cut(Cut how) override {
    if (how == Cut::close && hush_ != Hush::all) {
      close(websocket::close_code::going_away, true);
      return;
    }
    if (ended_) return;
    ended_ = true;
    auto& tcp = beast::get_lowest_layer(socket_);
    ErrorCode ignored;
    tcp.socket().set_option(asio::socket_base::linger(true, 0), ignored);  // a reset, not an end
    tcp.close();
    if (hush_ == Hush::all) finish();  // no read is under way that would end
  }

 private:
  void on_accepted() {
    joined_ = true;
    host_->joined(*this, opening_);
    last_pong_ = Real::now();
    wait_to_ping();
    if (host_->limits().lifetime.count() > 0) end_after(host_->limits().lifetime, Cut::close);
    read();
  }

  void wake() {
    // What was left half read or written can't be taken up again.
    if (hush_ == Hush::all) return cut(Cut::reset);
    hush_ = Hush::none;
    write_next();
  }

  void read() {
    socket_.async_read(buffer_, [self = shared_from_this()](const ErrorCode& error, std::size_t) {
      if (self->hush_ == Hush::all && !self->ended_) return;
      if (error) {
        self->finish();
        return;
      }
      self->on_message();
      self->read();
    });
  }

  void on_message() {
    const std::string text = beast::buffers_to_string(buffer_.data());
    buffer_.consume(buffer_.size());
    if (closing_ || ended_ || exceeds_rate()) return;
    answering_ = true;
    host_->on_message(*this, text);
    answering_ = false;
  }

  void on_control(websocket::frame_type kind) {
    if (kind == websocket::frame_type::pong) last_pong_ = Real::now();
    if (kind == websocket::frame_type::ping) exceeds_rate();
  }

  bool exceeds_rate() {
    const std::size_t most = host_->limits().messages_per_second;
    if (most == 0) return false;
    const auto now = Real::now();
    while (!received_.empty() && now - received_.front() > std::chrono::seconds(1)) received_.pop_front();
    received_.push_back(now);
    if (received_.size() <= most) return false;
    // Not from within the read that called us.
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      self->close({websocket::close_code::policy_error, "Too many requests"}, true);
    });
    return true;
  }

  void write_next() {
    if (!ended_ && !writing_ && !queue_.empty() && hush_ != Hush::stall) write();
  }

  void write() {
    writing_ = true;
    socket_.text(true);
    socket_.async_write(
        asio::buffer(*queue_.front()),
        [self = shared_from_this()](const ErrorCode& error, std::size_t) { self->on_written(error); });
  }

  void on_written(const ErrorCode& error) {
    writing_ = false;
    queued_bytes_ -= queue_.front()->size();
    queue_.pop_front();
    if (hush_ == Hush::all) return;
    if (error) cut(Cut::reset);  // and the read ends
    if (ended_) return;
    if (queue_.empty() && closing_) return say_goodbye();
    write_next();
  }

  void close(const websocket::close_reason& reason, bool at_once) {
    if (ended_ || closing_) return;
    if (!joined_) {  // there is no websocket yet to say goodbye to
      cut(Cut::reset);
      return;
    }
    closing_ = true;
    reason_ = reason;
    while (at_once && queue_.size() > (writing_ ? 1U : 0U)) {
      queued_bytes_ -= queue_.back()->size();
      queue_.pop_back();
    }
    // A client that does not read would keep us for ever.
    end_after(kCloseDeadline, Cut::reset);
    if (!writing_ && queue_.empty()) say_goodbye();
  }

  void say_goodbye() {
    socket_.async_close(reason_, [self = shared_from_this()](const ErrorCode&) {});
  }

  void end_after(std::chrono::milliseconds time, Cut how) {
    end_timer_.expires_after(time);
    end_timer_.async_wait([self = shared_from_this(), how](const ErrorCode& error) {
      if (!error) self->cut(how);
    });
  }

  void wait_to_ping() {
    ping_timer_.expires_after(host_->limits().ping_period);
    ping_timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
      if (error || self->ended_ || self->closing_) return;
      if (Real::now() - self->last_pong_ > self->host_->limits().pong_deadline) {
        self->cut(Cut::reset);
        return;
      }
      self->ping();
      self->wait_to_ping();
    });
  }

  void ping() {
    if (pinging_ || hush_ == Hush::all) return;
    pinging_ = true;
    const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    const std::string text = std::to_string(now_ms.count());
    socket_.async_ping(websocket::ping_data(text.data(), text.size()),
                       [self = shared_from_this()](const ErrorCode&) { self->pinging_ = false; });
  }

  void finish() {
    ended_ = true;
    ping_timer_.cancel();
    end_timer_.cancel();
    hush_timer_.cancel();
    if (std::exchange(joined_, false)) host_->left(*this);
    beast::get_lowest_layer(socket_).close();
  }

  std::shared_ptr<ConnectionHost> host_;
  websocket::stream<Stream> socket_;
  HttpRequest request_;
  WireOpening opening_;
  asio::steady_timer ping_timer_, end_timer_, hush_timer_;
  beast::flat_buffer buffer_;
  std::deque<std::shared_ptr<const std::string>> queue_;  // the first is being written
  std::size_t queued_bytes_ = 0;
  std::deque<Real::time_point> received_;  // messages of the last second
  Real::time_point last_pong_;
  websocket::close_reason reason_;
  Hush hush_ = Hush::none;
  bool joined_ = false, answering_ = false, writing_ = false, pinging_ = false, closing_ = false,
       ended_ = false;
};

}  // namespace

void serve_websocket(std::shared_ptr<ConnectionHost> host, Stream stream, HttpRequest request,
                     WireOpening opening) {
  std::make_shared<WebsocketConnection>(std::move(host), std::move(stream), std::move(request),
                                        std::move(opening))
      ->start();
}

}  // namespace atcd::feeds::simulator
