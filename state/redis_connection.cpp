#include "state/redis_connection.hpp"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <new>
#include <random>
#include <stdexcept>
#include <utility>
#include <vector>

#include "state/redis_wire.hpp"
#include "state/ring.hpp"

namespace atcd::state {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
// How soon a command past its deadline is looked at again while bytes are waiting to be read.
constexpr std::chrono::milliseconds kReadFirst{10};

struct Pending {
  RedisConnection::Callback callback;
  Clock::time_point queued_at;
};

}  // namespace

class RedisConnection::Impl final : public WireHandler, public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, ConnectionOptions options, ConnectionHandler& handler)
      : options_(std::move(options)),
        handler_(&handler),
        deadline_(io),
        pause_(io),
        reader_(options_.reply_limits),
        random_(std::random_device{}()),
        io_(io) {
    if (options_.address.tls && !options_.tls) throw std::invalid_argument("rediss:// needs TLS settings");
  }

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

  const RedisAddress& to() const { return options_.address; }
  bool ready() const { return state_ == State::ready; }
  bool can_send() const { return ready() && output_bytes() < options_.output_limit; }
  std::size_t in_flight() const { return pending_.size(); }
  std::size_t output_bytes() const { return queued_.size() + (wire_ ? wire_->writing() : 0); }
  std::string& output() { return queued_; }

  void committed(Callback callback) {
    pending_.push({std::move(callback), Clock::now()});
    write();
    watch_deadline();
  }

  /// `by_us`: the server would have kept the connection, but is of no use.
  void lose(std::string reason, bool by_us = false) {
    if (state_ == State::idle || state_ == State::pausing) return;
    const bool was_ready = state_ == State::ready;
    // Who lets us in and is of no use is not tried ever faster than who does not let us in.
    const bool useful = !by_us || Clock::now() - ready_since_ > options_.longest_backoff;
    if (was_ready && useful) failures_ = 0;
    // An address that drops what is sent to it takes all the time there is: the next attempt begins with the
    // next one, and stays with one that answers.
    if (state_ == State::connecting) ++first_address_;
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
    if (wire_) std::exchange(wire_, nullptr)->close();
    deadline_.cancel();
    pause_.cancel();
    deadline_armed_ = false;
    queued_.clear();
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
    if (!options_.locate) return open();
    options_.locate([self = shared_from_this(), attempt = attempt_](const RedisAddress* address,
                                                                    const std::string& error) {
      if (self->attempt_ != attempt || self->handler_ == nullptr) return;
      if (address == nullptr) return self->lose(error);
      self->options_.address.host = address->host;
      self->options_.address.port = address->port;
      self->open();
    });
  }

  void open() {
    deadline_armed_ = true;
    deadline_.expires_after(options_.command_timeout);
    deadline_.async_wait(guarded([this](const error_code& error) {
      if (error || state_ != State::connecting) return;
      lose(wire_->in_handshake() ? "the TLS handshake with " + address() + " did not end within " +
                                       timeout_text() + ": does it speak TLS on this port?"
                                 : "no connection to " + address() + " within " + timeout_text());
    }));
    wire_ = std::make_shared<RedisWire>(
        io_, options_.address, options_.address.tls ? options_.tls() : nullptr, options_.names, *this);
    wire_->open(first_address_);
  }

  void on_wire_open() override { greet(); }

  void on_wire_input(std::string_view bytes) override {
    const auto self = shared_from_this();  // a callback may end us
    reader_.feed(bytes);
    take_replies();
  }

  void on_wire_written() override { write(); }

  void on_wire_end(const std::string& reason) override { lose(reason); }

  void greet() {
    state_ = State::greeting;
    deadline_.cancel();
    deadline_armed_ = false;
    const RedisAddress& to = options_.address;
    // A user without a password is asked for too: Redis would take us for its default user, who may do more.
    if (!to.username.empty()) {
      greeting({"AUTH", to.username, to.password});
    } else if (!to.password.empty()) {
      greeting({"AUTH", to.password});
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
      ready_since_ = Clock::now();
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
    if (wire_->writing() == 0 && !queued_.empty()) wire_->write(queued_);
  }

  void take_replies() {
    const auto attempt = attempt_;
    const auto arrived_at = Clock::now();  // of all that came in one go
    while (attempt == attempt_ && handler_ != nullptr) {
      const auto next = reader_.next();
      if (next == RespReader::Next::more) return;
      if (next == RespReader::Next::error)
        return lose("bad reply from " + address() + ": " + reader_.error());
      if (pending_.empty()) {
        if (state_ != State::ready) return lose("unexpected reply from " + address());
        handler_->on_push(reader_.reply());
        continue;
      }
      const Pending command = pending_.pop();
      answered_at_ = arrived_at;
      if (options_.command_times != nullptr) options_.command_times->add(arrived_at - command.queued_at);
      if (command.callback) command.callback(&reader_.reply());
    }
  }

  /// One timer for all commands: it looks at the oldest and goes back to sleep until that one's deadline.
  void watch_deadline() {
    if (deadline_armed_ || pending_.empty()) return;
    wake_at(deadline());
  }

  /// Who answers one after the other is slow, not gone: all that waits would only have to be sent again, from
  /// the first on.
  Clock::time_point deadline() {
    return std::max(pending_.front().queued_at, answered_at_) + options_.command_timeout;
  }

  void wake_at(Clock::time_point when) {
    deadline_armed_ = true;
    deadline_.expires_at(when);
    deadline_.async_wait(guarded([this](const error_code& error) {
      if (error) return;
      deadline_armed_ = false;
      if (pending_.empty()) return;
      if (Clock::now() < deadline()) return watch_deadline();
      // It may have been us who slept: what has arrived is read before anyone is blamed.
      if (wire_->has_input()) return wake_at(Clock::now() + kReadFirst);
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
  asio::steady_timer deadline_;
  asio::steady_timer pause_;
  RespReader reader_;
  std::minstd_rand random_;
  asio::io_context& io_;
  State state_ = State::idle;
  std::uint64_t attempt_ = 0;
  int failures_ = 0;               // since a useful connection
  std::size_t first_address_ = 0;  // of those that the host's name has
  Clock::time_point ready_since_;
  Clock::time_point answered_at_;  // when a command was answered last
  bool deadline_armed_ = false;
  std::shared_ptr<RedisWire> wire_;
  std::string queued_;  // commands not yet being written
  Ring<Pending> pending_;
};

RedisConnection::RedisConnection(asio::io_context& io, ConnectionOptions options, ConnectionHandler& handler)
    : impl_(std::make_shared<Impl>(io, std::move(options), handler)) {}
RedisConnection::~RedisConnection() { impl_->abandon(); }
void RedisConnection::start() { impl_->start(); }
const RedisAddress& RedisConnection::address() const { return impl_->to(); }
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
void RedisConnection::drop(std::string_view reason) { impl_->lose(std::string(reason), true); }

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
