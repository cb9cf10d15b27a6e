#include "feeds/simulator/server.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <ctime>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "feeds/simulator/connection_host.hpp"

namespace atcd::feeds::simulator {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;
using Real = Clock::Real;
using std::chrono::milliseconds;

constexpr std::int64_t kLongestFaultMs = 86'400'000;
constexpr milliseconds kAcceptPause{100};  // after an error such as too many open files

std::int64_t monotonic_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Real::now().time_since_epoch()).count();
}

std::string http_date(std::int64_t utc_ms) {
  const std::time_t seconds = utc_ms / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

tcp::acceptor listen_on(asio::io_context& io, const ListenAddress& address) {
  try {
    return {io, tcp::endpoint(asio::ip::make_address(address.host), address.port)};
  } catch (const boost::system::system_error& error) {
    throw std::runtime_error("cannot listen on " + address.host + ":" + std::to_string(address.port) + ": " +
                             error.code().message());
  }
}

/// Throws what names the file.
void load_certificate(asio::ssl::context& tls, const ServerOptions& options) {
  ErrorCode error;
  tls.use_certificate_chain_file(options.certificate_file, error);
  if (error)
    throw std::runtime_error("cannot use the certificate " + options.certificate_file + ": " +
                             error.message());
  tls.use_private_key_file(options.key_file, asio::ssl::context::pem, error);
  if (error) throw std::runtime_error("cannot use the key " + options.key_file + ": " + error.message());
}

}  // namespace

class Server::Impl final : public ConnectionHost, public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, const ServerOptions& options)
      : io_(io),
        venue_(options.venue),
        limits_{options.queued_bytes, options.lifetime, options.ping_period, options.ping_period * 3,
                options.messages_per_second},
        most_connections_(options.connections),
        tls_(asio::ssl::context::tls_server),
        plain_(listen_on(io, options.listen)),
        timer_(io),
        fault_timer_(io),
        schedule_(options.faults),
        random_(options.faults.seed) {
    if (!options.tls_listen) return;
    tls_.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                     asio::ssl::context::no_tlsv1_1);
    load_certificate(tls_, options);
    secure_.emplace(listen_on(io, *options.tls_listen));
    tls_port_ = secure_->local_endpoint().port();
  }

  void start() {
    accept(plain_, false);
    if (secure_) accept(*secure_, true);
    fault_later();
  }

  void stop() {
    stopped_ = true;
    ErrorCode ignored;
    plain_.close(ignored);
    if (secure_) secure_->close(ignored);
    timer_.cancel();
    fault_timer_.cancel();
    const std::vector<Connection*> all(connections_.begin(), connections_.end());
    for (Connection* connection : all) connection->cut(Cut::close);
  }

  std::uint16_t port() const { return port_; }
  std::uint16_t tls_port() const { return tls_port_; }

  // ---- of the connections ----

  const ConnectionLimits& limits() const override { return limits_; }
  void began(Connection& connection) override { connections_.insert(&connection); }
  void ended(Connection& connection) override { connections_.erase(&connection); }
  void count_slow_client() override { ++slow_clients_; }

  std::optional<WireOpening> open(std::string_view target) override { return venue_.open(target); }
  void joined(WebsocketClient& client, const WireOpening& opening) override {
    clients_.insert(&client);
    venue_.join(client, opening);
    wake();
  }
  void left(WebsocketClient& client) override {
    clients_.erase(&client);
    venue_.leave(client);
  }
  void on_message(WebsocketClient& client, std::string_view text) override {
    for (std::string& answer : venue_.on_message(client, text))
      client.send(std::make_shared<const std::string>(std::move(answer)));
    wake();
  }

  Answer answer(const HttpRequest& request, bool from_loopback) override {
    RestAnswer rest = answer_of(request, from_loopback);
    HttpResponse response(static_cast<http::status>(rest.status), request.version());
    response.set(http::field::content_type, "application/json;charset=UTF-8");
    response.set(http::field::date, http_date(venue_.told_ms()));
    for (const auto& [name, value] : rest.headers) response.set(name, value);
    response.keep_alive(request.keep_alive() && !stopped_);
    response.body() = std::move(rest.body);
    response.prepare_payload();
    return {std::move(response), rest.after, rest.cut};
  }

  Welcome welcome() const override {
    const auto left = std::chrono::ceil<milliseconds>(turned_away_until_ - Real::now());
    if (left.count() <= 0) return {};
    Welcome welcome = welcome_;
    welcome.left = left;
    return welcome;
  }

 private:
  RestAnswer answer_of(const HttpRequest& request, bool from_loopback) {
    const std::string text(request.target().data(), request.target().size());
    const bool post = request.method() == http::verb::post;
    if (!post && request.method() != http::verb::get) return {405, R"({"error":"GET or POST only"})", {}};
    if (!text.starts_with("/sim/")) {
      if (post) return {405, R"({"error":"GET only"})", {}};
      return venue_.get(text, monotonic_ms());
    }
    if (!from_loopback) return {403, R"({"error":"control is for loopback only"})", {}};
    const Target target = parse_target(text);
    if (!post && target.path == "/sim/klines") return venue_.truth(target);
    if (!post) return target.path == "/sim/status" ? status() : unknown_control();
    return control(target);
  }

  static RestAnswer unknown_control() {
    return {404,
            "{\"error\":\"there are POST /sim/ with " + known_faults() +
                ", and GET /sim/status and /sim/klines\"}",
            {}};
  }

  RestAnswer control(const Target& target) {
    const FaultRow* row = find_fault(target.path.substr(std::string_view("/sim/").size()));
    if (row == nullptr) return unknown_control();
    const auto answer = venue_.control(row->kind, target);
    wake();
    RestAnswer done = answer ? *answer : control_websockets(row->kind, target);
    if (done.status == 200) ++faults_[static_cast<std::size_t>(row->kind)];
    return done;
  }

  RestAnswer control_websockets(FaultKind kind, const Target& target) {
    const std::string_view how = target.value("how");
    if (kind == FaultKind::cut) return cut(how);
    const std::string_view text = target.value("ms");
    std::int64_t ms = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
    if (error != std::errc{} || end != text.data() + text.size() || ms < 1 || ms > kLongestFaultMs)
      return {400, R"({"error":"ms must be a whole number from 1 to 86400000"})", {}};
    if (kind == FaultKind::turn_away) return turn_away(milliseconds(ms), how.empty() ? "503" : how);
    const bool all = target.value("pings") == "no";
    hush(kind == FaultKind::stall ? Hush::stall : all ? Hush::all : Hush::frames, milliseconds(ms));
    return {200, "{}", {}};
  }

  void hush(Hush how, milliseconds time) {
    for (WebsocketClient* client : clients_) client->hush(how, time);
  }

  RestAnswer turn_away(milliseconds time, std::string_view how) {
    Welcome welcome;
    const auto [end, error] = std::from_chars(how.data(), how.data() + how.size(), welcome.status);
    const bool status = error == std::errc{} && end == how.data() + how.size();
    if (status ? welcome.status < 400 || welcome.status > 599 : how != "reset" && how != "hang")
      return {400, R"({"error":"how must be a status from 400 to 599, reset or hang"})", {}};
    welcome.kind = status           ? Welcome::Kind::status
                   : how == "reset" ? Welcome::Kind::reset
                                    : Welcome::Kind::hang;
    welcome_ = welcome;
    turned_away_until_ = Real::now() + time;
    return {200, "{}", {}};
  }

  RestAnswer cut(std::string_view how) {
    if (how.empty()) how = "close";
    if (how != "close" && how != "reset" && how != "shutdown")
      return {400, R"({"error":"how must be close, reset or shutdown"})", {}};
    const std::vector<WebsocketClient*> all(clients_.begin(), clients_.end());
    for (WebsocketClient* client : all) {
      if (how == "shutdown") {
        client->close_after(venue_.shutdown_text());
      } else {
        client->cut(how == "close" ? Cut::close : Cut::reset);
      }
    }
    return {200, "{\"cut\":" + std::to_string(all.size()) + "}", {}};
  }

  /// The next fault of the schedule, by a Poisson process in real time.
  void fault_later() {
    if (schedule_.mean.count() <= 0) return;
    const std::exponential_distribution<double>::param_type rate(1.0 /
                                                                 static_cast<double>(schedule_.mean.count()));
    const milliseconds wait(static_cast<std::int64_t>(std::exponential_distribution<double>(rate)(random_)));
    fault_timer_.expires_after(wait);
    fault_timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
      if (error || self->stopped_) return;
      const std::string fault = draw_fault(self->random_, self->venue_.symbol_names());
      if (self->schedule_.told) self->schedule_.told(fault);
      self->control(parse_target(fault));
      self->fault_later();
    });
  }

  RestAnswer status() const {
    return {200,
            "{\"connections\":" + std::to_string(connections_.size()) + ",\"websockets\":" +
                std::to_string(clients_.size()) + ",\"connections_refused\":" + std::to_string(refused_) +
                ",\"slow_clients_cut\":" + std::to_string(slow_clients_) + ",\"faults\":{" + counts() + "}," +
                venue_.status() + "}",
            {}};
  }

  /// How often each fault was asked for.
  std::string counts() const {
    std::string text;
    for (const FaultRow& row : fault_rows()) {
      if (!text.empty()) text += ',';
      text.append("\"").append(row.name).append("\":");
      text += std::to_string(faults_[static_cast<std::size_t>(row.kind)]);
    }
    return text;
  }

  void accept(tcp::acceptor& acceptor, bool secure) {
    acceptor.async_accept(
        [self = shared_from_this(), &acceptor, secure](const ErrorCode& error, tcp::socket socket) {
          if (self->stopped_) return;
          if (error) {
            self->accept_later(acceptor, secure);
            return;
          }
          if (self->connections_.size() >= self->most_connections_) {
            ++self->refused_;  // the socket closes itself
          } else {
            serve_http(self, Stream(self->io_, secure ? &self->tls_ : nullptr, std::move(socket)));
          }
          self->accept(acceptor, secure);
        });
  }

  void accept_later(tcp::acceptor& acceptor, bool secure) {
    auto timer = std::make_shared<asio::steady_timer>(io_, kAcceptPause);
    timer->async_wait([self = shared_from_this(), timer, &acceptor, secure](const ErrorCode&) {
      if (!self->stopped_) self->accept(acceptor, secure);
    });
  }

  /// Something has changed: what is due is looked at anew.
  void wake() {
    if (std::exchange(awake_, true)) return;
    asio::post(io_, [self = shared_from_this()] { self->run_venue(); });
  }

  void run_venue() {
    awake_ = false;
    if (stopped_) return;
    const auto now = Real::now();
    const auto next = venue_.run(now);
    if (next <= now) {
      wake();  // more is due, but the sockets come first
      return;
    }
    timer_.cancel();
    if (next == Real::time_point::max()) return;
    timer_.expires_at(next);
    timer_.async_wait([self = shared_from_this()](const ErrorCode& error) {
      if (!error) self->wake();
    });
  }

  asio::io_context& io_;
  Venue venue_;
  ConnectionLimits limits_;
  std::size_t most_connections_;
  asio::ssl::context tls_;
  tcp::acceptor plain_;
  std::optional<tcp::acceptor> secure_;
  std::uint16_t port_ = plain_.local_endpoint().port();
  std::uint16_t tls_port_ = 0;
  asio::steady_timer timer_, fault_timer_;
  FaultSchedule schedule_;
  std::mt19937_64 random_;
  std::array<std::uint64_t, kFaultKinds> faults_{};
  Welcome welcome_;  // until
  Real::time_point turned_away_until_{};
  std::set<Connection*> connections_;
  std::set<WebsocketClient*> clients_;
  std::uint64_t refused_ = 0, slow_clients_ = 0;
  bool awake_ = false, stopped_ = false;
};

Server::Server(asio::io_context& io, const ServerOptions& options)
    : impl_(std::make_shared<Impl>(io, options)) {}
Server::~Server() { impl_->stop(); }
void Server::start() { impl_->start(); }
void Server::stop() { impl_->stop(); }
std::uint16_t Server::port() const { return impl_->port(); }
std::uint16_t Server::tls_port() const { return impl_->tls_port(); }

}  // namespace atcd::feeds::simulator
