#include "feeds/simulator/server.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <ctime>
#include <deque>
#include <set>
#include <variant>

#include "feeds/simulator/exchange_state.hpp"
#include "feeds/simulator/subscriptions.hpp"

namespace atcd::feeds::simulator {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

namespace {

constexpr std::size_t kMaxConnections = 2000;
constexpr std::size_t kMaxQueuedFrames = 50'000;
constexpr std::size_t kMaxBodyBytes = 64U << 10;
constexpr std::size_t kMaxMessageBytes = 256U << 10;
constexpr std::chrono::milliseconds kTick{20};
constexpr std::chrono::seconds kPingPeriod{20};

std::int64_t real_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
}

std::string http_date(std::int64_t utc_ms) {
  const std::time_t seconds = utc_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

}  // namespace

/// What the server knows of one websocket, whatever it runs on.
class Session {
 public:
  virtual ~Session() = default;
  virtual void cut(bool politely) = 0;

  void send(const std::string& text) {
    if (queue_.size() >= kMaxQueuedFrames) {
      cut(false);  // too slow a reader
      return;
    }
    queue_.push_back(text);
    wake_.cancel();
  }

  bool combined = false;
  std::set<std::string> streams;

 protected:
  explicit Session(const asio::any_io_executor& executor) : wake_(executor) {}

  std::deque<std::string> queue_;
  asio::steady_timer wake_;
};

class Server::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, const ServerOptions& options)
      : io_(io),
        options_(options),
        state_(options.seed, options.symbols,
               Clock(options.start_ms != 0 ? options.start_ms
                                           : static_cast<std::int64_t>(std::time(nullptr)) * 1000,
                     options.speed),
               options.weight_limit),
        plain_(io, listen_endpoint(options.host, options.port)),
        timer_(io),
        tls_(asio::ssl::context::tls_server) {
    if (options.tls_port >= 0) {
      tls_.use_certificate_chain_file(options.certificate_file);
      tls_.use_private_key_file(options.key_file, asio::ssl::context::pem);
      secure_.emplace(io, listen_endpoint(options.host, static_cast<std::uint16_t>(options.tls_port)));
    }
  }

  void start() {
    asio::co_spawn(io_, accept(plain_, false), asio::detached);
    if (secure_) asio::co_spawn(io_, accept(*secure_, true), asio::detached);
    asio::co_spawn(io_, tick(), asio::detached);
  }

  void stop() {
    stopped_ = true;
    ErrorCode ignored;
    plain_.close(ignored);
    if (secure_) secure_->close(ignored);
    timer_.cancel();
    cut_all(false);
  }

  std::uint16_t port() const { return plain_.local_endpoint().port(); }
  std::uint16_t tls_port() const { return secure_ ? secure_->local_endpoint().port() : std::uint16_t{0}; }

 private:
  template <typename Stream>
  class StreamSession;

  static tcp::endpoint listen_endpoint(const std::string& host, std::uint16_t port) {
    return {asio::ip::make_address(host), port};
  }

  asio::awaitable<void> accept(tcp::acceptor& acceptor, bool secure) {
    const auto self = shared_from_this();
    while (!stopped_) {
      auto [error, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
      if (error == asio::error::operation_aborted) break;
      if (error || connections_ >= kMaxConnections) continue;  // the socket closes itself
      asio::co_spawn(io_, secure ? serve_tls(std::move(socket)) : serve(beast::tcp_stream(std::move(socket))),
                     asio::detached);
    }
  }

  asio::awaitable<void> serve_tls(tcp::socket socket) {
    beast::ssl_stream<beast::tcp_stream> stream(beast::tcp_stream(std::move(socket)), tls_);
    const auto [error] =
        co_await stream.async_handshake(asio::ssl::stream_base::server, asio::as_tuple(asio::use_awaitable));
    if (!error) co_await serve(std::move(stream));
  }

  /// Answers requests until the connection ends or becomes a websocket.
  template <typename Stream>
  asio::awaitable<void> serve(Stream stream) {
    const auto self = shared_from_this();
    ++connections_;
    beast::flat_buffer buffer(kMaxBodyBytes);
    while (!stopped_) {
      http::request_parser<http::string_body> parser;
      parser.body_limit(kMaxBodyBytes);
      const auto [error, bytes] =
          co_await http::async_read(stream, buffer, parser, asio::as_tuple(asio::use_awaitable));
      if (error) break;
      const auto request = parser.release();
      if (websocket::is_upgrade(request)) {
        co_await run_websocket(std::move(stream), request);
        break;
      }
      const auto response = answer(request);
      const auto [write_error, written] =
          co_await http::async_write(stream, response, asio::as_tuple(asio::use_awaitable));
      if (write_error || !response.keep_alive()) break;
    }
    --connections_;
  }

  http::response<http::string_body> answer(const http::request<http::string_body>& request) {
    RestAnswer rest;
    const std::string target(request.target());
    if (request.method() == http::verb::post && target.starts_with("/sim/")) {
      if (!state_.control(target, rest)) rest = control_sockets(target);
    } else if (path_of(target) == "/sim/status") {
      rest = {200, status()};
    } else {
      rest = state_.get(target, real_ms());
    }
    http::response<http::string_body> response(static_cast<http::status>(rest.status), request.version());
    response.set(http::field::content_type, "application/json;charset=UTF-8");
    response.set(http::field::date, http_date(state_.clock().now_ms()));
    response.set("x-mbx-used-weight-1m", std::to_string(state_.used_weight()));
    if (rest.retry_after_s > 0) response.set(http::field::retry_after, std::to_string(rest.retry_after_s));
    response.keep_alive(request.keep_alive());
    response.body() = std::move(rest.body);
    response.prepare_payload();
    return response;
  }

  RestAnswer control_sockets(const std::string& target) {
    if (path_of(target) != "/sim/cut") return {404, R"({"error":"no such control"})"};
    const auto query = query_of(target);
    const auto how = query.find("how");
    cut_all(how == query.end() || how->second != "reset");
    return {200, "{}"};
  }

  std::string status() const {
    std::size_t subscriptions = 0;
    for (const Session* session : sessions_) subscriptions += session->streams.size();
    return R"({"now_ms":)" + std::to_string(state_.clock().now_ms()) + R"(,"websockets":)" +
           std::to_string(sessions_.size()) + R"(,"subscriptions":)" + std::to_string(subscriptions) +
           R"(,"frames_sent":)" + std::to_string(frames_sent_) + R"(,"closing_frames":)" +
           std::to_string(state_.closing_frames_sent()) + "}";
  }

  void cut_all(bool politely) {
    const std::set<Session*> all = sessions_;
    for (Session* session : all) session->cut(politely);
  }

  template <typename Stream>
  asio::awaitable<void> run_websocket(Stream stream, const http::request<http::string_body>& request);

  /// The answer to SUBSCRIBE, UNSUBSCRIBE and LIST_SUBSCRIPTIONS.
  void on_request(Session& session, std::string_view text) {
    const SubscriptionRequest request = parse_subscription_request(text);
    std::string answer;
    if (!request.error.empty()) {
      answer = R"({"error":{"code":2,"msg":")" + request.error + R"("}})";
    } else if (request.method == SubscriptionRequest::Method::list) {
      answer = list_answer(session.streams, request.id);
    } else {
      answer = change_subscriptions(session, request);
    }
    session.send(answer);
  }

  std::string change_subscriptions(Session& session, const SubscriptionRequest& request) {
    const bool subscribe = request.method == SubscriptionRequest::Method::subscribe;
    for (const std::string& stream : request.streams) {
      if (!state_.is_stream(stream) || (subscribe && state_.is_refused(stream))) {
        return R"({"error":{"code":2,"msg":"Invalid request: unknown stream"},"id":)" +
               std::to_string(request.id) + "}";
      }
    }
    if (subscribe && session.streams.size() + request.streams.size() > kMaxStreams) {
      return R"({"error":{"code":1,"msg":"Too many streams"},"id":)" + std::to_string(request.id) + "}";
    }
    for (const std::string& stream : request.streams) {
      if (subscribe) {
        subscribe_to(session, stream);
      } else {
        unsubscribe_from(session, stream);
      }
    }
    return R"({"result":null,"id":)" + std::to_string(request.id) + "}";
  }

  void subscribe_to(Session& session, const std::string& stream) {
    if (!state_.is_stream(stream) || !session.streams.insert(stream).second) return;
    subscribers_[stream].insert(&session);
    state_.open(stream);
  }

  void unsubscribe_from(Session& session, const std::string& stream) {
    if (session.streams.erase(stream) == 0) return;
    const auto found = subscribers_.find(stream);
    found->second.erase(&session);
    if (!found->second.empty()) return;
    subscribers_.erase(found);
    state_.close(stream);
  }

  void leave(Session& session) {
    while (!session.streams.empty()) unsubscribe_from(session, std::string(*session.streams.begin()));
    sessions_.erase(&session);
  }

  asio::awaitable<void> tick() {
    const auto self = shared_from_this();
    auto next_forming = std::chrono::steady_clock::now();
    while (!stopped_) {
      const auto now = std::chrono::steady_clock::now();
      const bool forming = now >= next_forming;
      if (forming) next_forming = now + options_.update;
      for (const ExchangeState::Due& frame : state_.due(forming)) {
        const auto found = subscribers_.find(frame.stream);
        if (found == subscribers_.end()) continue;
        const std::set<Session*> receivers = found->second;
        for (Session* session : receivers) {
          ++frames_sent_;
          session->send(session->combined ? frame.combined : frame.raw);
        }
      }
      timer_.expires_after(kTick);
      co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
  }

  asio::io_context& io_;
  ServerOptions options_;
  ExchangeState state_;
  tcp::acceptor plain_;
  std::optional<tcp::acceptor> secure_;
  asio::steady_timer timer_;
  asio::ssl::context tls_;
  std::set<Session*> sessions_;
  std::map<std::string, std::set<Session*>> subscribers_;
  std::size_t connections_ = 0;
  std::uint64_t frames_sent_ = 0;
  bool stopped_ = false;
};

template <typename Stream>
class Server::Impl::StreamSession final : public Session {
 public:
  explicit StreamSession(Stream stream) : Session(stream.get_executor()), socket_(std::move(stream)) {}

  websocket::stream<Stream>& socket() { return socket_; }
  bool ended() const { return ended_; }

  void cut(bool politely) override {
    if (ended_) return;
    if (politely) {
      closing_ = true;
      wake_.cancel();
      return;
    }
    end();
    auto& raw = beast::get_lowest_layer(socket_).socket();
    ErrorCode ignored;
    raw.set_option(asio::socket_base::linger(true, 0), ignored);  // a reset, not an end
    raw.close(ignored);
  }

  void end() {
    ended_ = true;
    wake_.cancel();
  }

  /// Writes what is queued until the connection ends.
  asio::awaitable<void> write() {
    while (!ended_) {
      if (queue_.empty() && closing_) {
        co_await socket_.async_close(websocket::close_code::going_away, asio::as_tuple(asio::use_awaitable));
        break;
      }
      if (queue_.empty()) {
        wake_.expires_after(kPingPeriod);
        const auto [woken] = co_await wake_.async_wait(asio::as_tuple(asio::use_awaitable));
        if (woken || ended_) continue;
        const auto [ping_error] = co_await socket_.async_ping({}, asio::as_tuple(asio::use_awaitable));
        if (ping_error) break;
        continue;
      }
      const std::string text = std::move(queue_.front());
      queue_.pop_front();
      socket_.text(true);
      const auto [error, bytes] =
          co_await socket_.async_write(asio::buffer(text), asio::as_tuple(asio::use_awaitable));
      if (error) break;
    }
    end();
    ErrorCode ignored;
    beast::get_lowest_layer(socket_).socket().close(ignored);
  }

 private:
  websocket::stream<Stream> socket_;
  bool ended_ = false;
  bool closing_ = false;
};

template <typename Stream>
asio::awaitable<void> Server::Impl::run_websocket(Stream stream,
                                                  const http::request<http::string_body>& request) {
  const auto session = std::make_shared<StreamSession<Stream>>(std::move(stream));
  auto& socket = session->socket();
  socket.read_message_max(kMaxMessageBytes);
  const auto [accept_error] = co_await socket.async_accept(request, asio::as_tuple(asio::use_awaitable));
  if (accept_error) co_return;
  const std::string target(request.target());
  session->combined = path_of(target).ends_with("/stream");
  sessions_.insert(session.get());
  for (const std::string& name : streams_of_target(target)) subscribe_to(*session, name);
  asio::co_spawn(
      socket.get_executor(), [session]() -> asio::awaitable<void> { co_await session->write(); },
      asio::detached);
  if (options_.lifetime.count() > 0) {
    asio::co_spawn(
        socket.get_executor(),
        [session, lifetime = options_.lifetime]() -> asio::awaitable<void> {
          asio::steady_timer end(co_await asio::this_coro::executor, lifetime);
          co_await end.async_wait(asio::as_tuple(asio::use_awaitable));
          session->cut(true);
        },
        asio::detached);
  }
  beast::flat_buffer buffer;
  while (!session->ended()) {
    const auto [error, bytes] = co_await socket.async_read(buffer, asio::as_tuple(asio::use_awaitable));
    if (error) break;
    on_request(*session, beast::buffers_to_string(buffer.data()));
    buffer.clear();
  }
  session->end();
  leave(*session);
}

Server::Server(asio::io_context& io, const ServerOptions& options)
    : impl_(std::make_shared<Impl>(io, options)) {}
Server::~Server() { impl_->stop(); }
void Server::start() { impl_->start(); }
void Server::stop() { impl_->stop(); }
std::uint16_t Server::port() const { return impl_->port(); }
std::uint16_t Server::tls_port() const { return impl_->tls_port(); }

}  // namespace atcd::feeds::simulator
