#include "state/redis_connection.hpp"

#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <new>
#include <random>
#include <utility>
#include <vector>

#include "state/ring.hpp"

namespace atcd::state {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Socket = asio::generic::stream_protocol::socket;
using Endpoint = asio::generic::stream_protocol::endpoint;

/// An integer TCP option in the form that asio's set_option takes.
template <int option>
class TcpOption {
 public:
  explicit TcpOption(int value) : value_(value) {}
  template <typename Protocol>
  int level(const Protocol&) const {
    return IPPROTO_TCP;
  }
  template <typename Protocol>
  int name(const Protocol&) const {
    return option;
  }
  template <typename Protocol>
  const int* data(const Protocol&) const {
    return &value_;
  }
  template <typename Protocol>
  std::size_t size(const Protocol&) const {
    return sizeof value_;
  }

 private:
  int value_;
};

// Half-open connections: unacknowledged data is given up after 5 s, an idle peer after 8 s.
constexpr int kUserTimeoutMs = 5000;
constexpr int kKeepaliveIdleS = 2;
constexpr int kKeepaliveIntervalS = 2;
constexpr int kKeepaliveCount = 3;
// How soon a command past its deadline is looked at again while bytes are waiting to be read.
constexpr std::chrono::milliseconds kReadFirst{10};

struct Pending {
  RedisConnection::Callback callback;
  Clock::time_point queued_at;
};

}  // namespace

class RedisConnection::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, ConnectionOptions options, ConnectionHandler& handler)
      : options_(std::move(options)),
        handler_(&handler),
        socket_(io),
        resolver_(io),
        deadline_(io),
        pause_(io),
        reader_(options_.reply_limits),
        random_(std::random_device{}()),
        io_(io) {}

  void start() {
    asio::post(io_, [self = shared_from_this()] {
      if (self->handler_ != nullptr && self->state_ == State::idle) self->connect();
    });
  }

  /// The owner is gone: nothing is called any more.
  void abandon() {
    handler_ = nullptr;
    ++attempt_;
    close();
    pending_.clear();
  }

  bool ready() const { return state_ == State::ready; }
  bool can_send() const { return ready() && output_bytes() < options_.output_limit; }
  std::size_t in_flight() const { return pending_.size(); }
  std::size_t output_bytes() const { return queued_.size() + (writing_ ? written_.size() : 0); }
  std::string& output() { return queued_; }

  void committed(Callback callback) {
    pending_.push({std::move(callback), Clock::now()});
    write();
    watch_deadline();
  }

  void lose(std::string reason) {
    if (state_ == State::idle || state_ == State::pausing) return;
    const bool was_ready = state_ == State::ready;
    const auto self = shared_from_this();
    ++attempt_;
    close();
    state_ = State::pausing;
    auto lost = std::exchange(pending_, {});
    while (!lost.empty() && handler_ != nullptr) {
      if (const Pending command = lost.pop(); command.callback) command.callback(nullptr);
    }
    if (handler_ != nullptr) {
      redact(reason);
      was_ready ? handler_->on_lost(reason) : handler_->on_unreachable(reason);
    }
    if (handler_ != nullptr) pause();
  }

 private:
  enum class State : std::uint8_t { idle, connecting, greeting, ready, pausing };

  /// A handler for an asynchronous operation of this attempt: it is dropped when the attempt is over.
  template <typename Function>
  auto guarded(Function function) {
    return [self = shared_from_this(), attempt = attempt_, function = std::move(function)](
               const error_code& error, auto&&... rest) mutable {
      if (self->attempt_ == attempt && self->handler_ != nullptr) function(error, rest...);
    };
  }

  void close() {
    error_code ignored;
    socket_.close(ignored);
    resolver_.cancel();
    deadline_.cancel();
    pause_.cancel();
    deadline_armed_ = false;
    queued_.clear();
    writing_ = false;
  }

  void pause() {
    const std::int64_t longest_ms = std::min<std::int64_t>(
        options_.longest_backoff.count(), options_.first_backoff.count() << std::min(failures_, 16));
    ++failures_;
    std::uniform_int_distribution<std::int64_t> chance(longest_ms / 2, longest_ms);
    pause_.expires_after(std::chrono::milliseconds(chance(random_)));
    pause_.async_wait(guarded([this](const error_code& error) {
      if (!error) connect();
    }));
  }

  void connect() {
    ++attempt_;
    state_ = State::connecting;
    reader_.reset();
    deadline_armed_ = true;
    deadline_.expires_after(options_.command_timeout);
    deadline_.async_wait(guarded([this](const error_code& error) {
      if (!error && state_ == State::connecting)
        lose("no connection to " + address() + " within " + timeout_text());
    }));
    if (options_.address.host.empty()) {
      endpoints_ = {asio::local::stream_protocol::endpoint(options_.address.path)};
      return connect_to(0);
    }
    error_code not_literal;
    const auto literal = asio::ip::make_address(options_.address.host, not_literal);
    if (!not_literal) {
      endpoints_ = {asio::ip::tcp::endpoint(literal, options_.address.port)};
      return connect_to(0);
    }
    resolver_.async_resolve(
        options_.address.host, std::to_string(options_.address.port),
        guarded([this](const error_code& error, const asio::ip::tcp::resolver::results_type& found) {
          if (error) return lose("cannot resolve " + options_.address.host + ": " + error.message());
          endpoints_.clear();
          for (const auto& entry : found) endpoints_.emplace_back(entry.endpoint());
          connect_to(0);
        }));
  }

  void connect_to(std::size_t index) {
    if (index >= endpoints_.size()) return lose("cannot connect to " + address());
    error_code ignored;
    socket_.close(ignored);
    socket_.async_connect(endpoints_[index], guarded([this, index](const error_code& error) {
                            if (!error) return greet();
                            if (index + 1 < endpoints_.size()) return connect_to(index + 1);
                            lose("cannot connect to " + address() + ": " + error.message());
                          }));
  }

  void tune_socket() {
    if (options_.address.host.empty()) return;
    error_code ignored;  // a socket without these still works
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket_.set_option(asio::socket_base::keep_alive(true), ignored);
    socket_.set_option(TcpOption<TCP_KEEPIDLE>(kKeepaliveIdleS), ignored);
    socket_.set_option(TcpOption<TCP_KEEPINTVL>(kKeepaliveIntervalS), ignored);
    socket_.set_option(TcpOption<TCP_KEEPCNT>(kKeepaliveCount), ignored);
    socket_.set_option(TcpOption<TCP_USER_TIMEOUT>(kUserTimeoutMs), ignored);
  }

  void greet() {
    tune_socket();
    state_ = State::greeting;
    deadline_.cancel();
    deadline_armed_ = false;
    read();
    const RedisAddress& to = options_.address;
    if (!to.password.empty()) {
      to.username.empty() ? greeting({"AUTH", to.password}) : greeting({"AUTH", to.username, to.password});
    }
    if (to.database != 0) greeting({"SELECT", std::to_string(to.database)});
    // The name is a convenience; PING tells a Redis that is still loading its data. A narrow user may not
    // have the right to either.
    greeting({"CLIENT", "SETNAME", options_.client_name}, true);
    const std::array<std::string_view, 1> ping = {"PING"};
    append_command(queued_, ping);
    committed([this](const Reply* reply) {
      if (reply == nullptr || greeting_failed(*reply, true)) return;
      state_ = State::ready;
      failures_ = 0;
      handler_->on_ready();
    });
  }

  void greeting(std::initializer_list<std::string_view> arguments, bool optional = false) {
    append_command(queued_, std::span(arguments.begin(), arguments.size()));
    committed([this, optional](const Reply* reply) {
      if (reply != nullptr) greeting_failed(*reply, optional);
    });
  }

  bool greeting_failed(const Reply& reply, bool optional) {
    if (!reply.is_error()) return false;
    const ErrorKind kind = error_kind(reply.text);
    if (optional && reply.text.starts_with("NOPERM")) return false;
    std::string text(reply.text);
    redact(text);
    const auto attempt = attempt_;
    if (kind != ErrorKind::retryable) handler_->on_refused(text);
    if (handler_ != nullptr && attempt == attempt_) lose(address() + " answered: " + text);
    return true;
  }

  void write() {
    if (writing_ || queued_.empty()) return;
    writing_ = true;
    std::swap(queued_, written_);
    queued_.clear();
    asio::async_write(socket_, asio::buffer(written_), guarded([this](const error_code& error, std::size_t) {
                        writing_ = false;
                        if (error) return lose("cannot write to " + address() + ": " + error.message());
                        write();
                      }));
  }

  void read() {
    socket_.async_read_some(asio::buffer(input_), guarded([this](const error_code& error, std::size_t bytes) {
                              if (error) return lose(address() + " closed: " + error.message());
                              reader_.feed({input_.data(), bytes});
                              const auto attempt = attempt_;
                              take_replies();
                              if (attempt == attempt_ && handler_ != nullptr) read();
                            }));
  }

  void take_replies() {
    const auto attempt = attempt_;
    while (attempt == attempt_ && handler_ != nullptr) {
      const auto next = reader_.next();
      if (next == RespReader::Next::more) return;
      if (next == RespReader::Next::error)
        return lose("bad reply from " + address() + ": " + reader_.error());
      if (pending_.empty()) {
        if (state_ != State::ready) return lose("unexpected reply from " + address());
        handler_->on_push(reader_.reply());
      } else if (const Pending command = pending_.pop(); command.callback) {
        command.callback(&reader_.reply());
      }
    }
  }

  /// One timer for all commands: it looks at the oldest and goes back to sleep until that one's deadline.
  void watch_deadline() {
    if (deadline_armed_ || pending_.empty()) return;
    wake_at(pending_.front().queued_at + options_.command_timeout);
  }

  void wake_at(Clock::time_point when) {
    deadline_armed_ = true;
    deadline_.expires_at(when);
    deadline_.async_wait(guarded([this](const error_code& error) {
      if (error) return;
      deadline_armed_ = false;
      if (pending_.empty()) return;
      if (Clock::now() < pending_.front().queued_at + options_.command_timeout) return watch_deadline();
      // It may have been us who slept: what has arrived is read before anyone is blamed.
      error_code unknown;
      if (socket_.available(unknown) > 0) return wake_at(Clock::now() + kReadFirst);
      lose("timeout: " + address() + " did not answer within " + timeout_text());
    }));
  }

  std::string address() const { return options_.address.text(); }
  std::string timeout_text() const { return std::to_string(options_.command_timeout.count()) + " ms"; }

  /// Redis quotes arguments in some errors.
  void redact(std::string& text) const {
    const std::string& secret = options_.address.password;
    if (secret.empty()) return;
    for (std::size_t at = 0; (at = text.find(secret, at)) != std::string::npos;) {
      text.replace(at, secret.size(), "***");
      at += 3;
    }
  }

  ConnectionOptions options_;
  ConnectionHandler* handler_;
  Socket socket_;
  asio::ip::tcp::resolver resolver_;
  asio::steady_timer deadline_;
  asio::steady_timer pause_;
  RespReader reader_;
  std::minstd_rand random_;
  asio::io_context& io_;
  State state_ = State::idle;
  std::uint64_t attempt_ = 0;
  int failures_ = 0;
  bool deadline_armed_ = false;
  bool writing_ = false;
  std::string queued_;   // commands not yet being written
  std::string written_;  // being written
  std::vector<Endpoint> endpoints_;
  Ring<Pending> pending_;
  std::array<char, 65536> input_{};
};

RedisConnection::RedisConnection(asio::io_context& io, ConnectionOptions options, ConnectionHandler& handler)
    : impl_(std::make_shared<Impl>(io, std::move(options), handler)) {}
RedisConnection::~RedisConnection() { impl_->abandon(); }
void RedisConnection::start() { impl_->start(); }
bool RedisConnection::ready() const { return impl_->ready(); }
bool RedisConnection::can_send() const { return impl_->can_send(); }

bool RedisConnection::send(std::span<const std::string_view> arguments, Callback callback) {
  if (!impl_->can_send()) return false;
  append_command(impl_->output(), arguments);
  impl_->committed(std::move(callback));
  return true;
}

std::string& RedisConnection::output() { return impl_->output(); }
void RedisConnection::committed(Callback callback) { impl_->committed(std::move(callback)); }
std::size_t RedisConnection::in_flight() const { return impl_->in_flight(); }
std::size_t RedisConnection::output_bytes() const { return impl_->output_bytes(); }
void RedisConnection::drop(std::string_view reason) { impl_->lose(std::string(reason)); }

void append_command(std::string& out, std::span<const std::string_view> arguments) {
  std::vector<const char*> texts;
  std::vector<std::size_t> lengths;
  for (const std::string_view argument : arguments) {
    texts.push_back(argument.data() == nullptr ? "" : argument.data());
    lengths.push_back(argument.size());
  }
  char* command = nullptr;
  const int size =
      redisFormatCommandArgv(&command, static_cast<int>(texts.size()), texts.data(), lengths.data());
  if (size < 0) throw std::bad_alloc();
  out.append(command, static_cast<std::size_t>(size));
  redisFreeCommand(command);
}

}  // namespace atcd::state
