#include "state/publisher.hpp"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <stdexcept>
#include <utility>

#include "state/notices.hpp"
#include "state/publish_function.hpp"
#include "state/redis_connection.hpp"
#include "state/series_sender.hpp"

namespace atcd::state {
namespace {

constexpr std::chrono::milliseconds kFunctionRetry{2000};
constexpr std::chrono::milliseconds kDrainLook{5};

ConnectionOptions connection_options(const RedisOptions& options) {
  std::string error;
  const auto address = parse_redis_url(options.url, error);
  if (!address) throw std::invalid_argument(error);
  ConnectionOptions connection;
  connection.address = *address;
  if (!options.username.empty()) connection.address.username = options.username;
  if (!options.password.empty()) connection.address.password = options.password;
  connection.client_name = "atcd-" + engine::percent_encode(options.instance);
  connection.command_timeout = options.command_timeout;
  return connection;
}

}  // namespace

/// Wires the parts: the connection's life, then the function, then notices and series.
class Publisher::Impl final : public ConnectionHandler {
 public:
  Impl(boost::asio::io_context& io, RedisOptions options, SignalHistory& history, PublishHandler& handler)
      : options_(std::move(options)),
        handler_(handler),
        connection_(io, connection_options(options_), *this),
        notices_(connection_, options_, counters_, handler, [this] { sender_.read_all_heads(); }),
        sender_({io, options_, connection_, history, handler, counters_, notices_,
                 [this] { prepare_function(); }}),
        function_timer_(io),
        drain_timer_(io),
        self_(std::make_shared<Impl*>(this)) {
    if (options_.keep < 1) {
      throw std::invalid_argument("redis.keep = " + std::to_string(options_.keep) + " must be at least 1");
    }
  }

  ~Impl() { *self_ = nullptr; }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void drain(std::chrono::milliseconds timeout, std::function<void(std::size_t)> done) {
    drained_ = std::move(done);
    drain_until_ = std::chrono::steady_clock::now() + timeout;
    look_at_drain();
  }

  RedisConnection& connection() { return connection_; }
  Notices& notices() { return notices_; }
  SeriesSender& sender() { return sender_; }
  const SeriesSender& sender() const { return sender_; }
  const PublishCounters& counters() const { return counters_; }
  bool connected() const { return connection_.ready(); }

 private:
  void on_ready() override {
    ++counters_.connects;
    told_unreachable_ = false;
    told_refused_.clear();
    handler_.on_publish_event(PublishEvent::connected, "", "");
    notices_.on_ready();
    prepare_function();
  }

  void on_lost(std::string_view reason) override {
    ++counters_.disconnects;
    if (reason.starts_with("timeout")) ++counters_.timeouts;
    function_timer_.cancel();
    notices_.on_lost();
    sender_.on_lost();
    told_unreachable_ = true;
    tell(PublishEvent::disconnected, "reason", reason);
  }

  void on_unreachable(std::string_view reason) override {
    // Attempts go on; one line an outage is enough.
    if (!std::exchange(told_unreachable_, true)) tell(PublishEvent::disconnected, "reason", reason);
  }

  void on_refused(std::string_view error) override {
    ++counters_.errors;
    told_unreachable_ = true;
    if (std::exchange(told_refused_, std::string(error)) != error)
      tell(PublishEvent::refused, "error", error);
  }

  void prepare_function() {
    ensure_publish_function(connection_, [this](FunctionState state, std::string_view error) {
      switch (state) {
        case FunctionState::ready:
        case FunctionState::loaded:
          return sender_.on_ready();
        case FunctionState::lost:
          return;
        case FunctionState::missing:
          refuse_function(
              "the function " + std::string(kPublishFunction) +
              " is missing and this user may not load it (atcd redis-setup does): " + std::string(error));
          break;
        case FunctionState::failed:
          refuse_function("the function " + std::string(kPublishFunction) +
                          " could not be loaded: " + std::string(error));
          break;
      }
      function_timer_.expires_after(kFunctionRetry);
      function_timer_.async_wait([self = self_](const boost::system::error_code& failed) {
        if (!failed && *self != nullptr && (*self)->connection_.ready()) (*self)->prepare_function();
      });
    });
  }

  void refuse_function(const std::string& error) {
    ++counters_.errors;
    if (std::exchange(told_refused_, error) != error) tell(PublishEvent::refused, "error", error);
  }

  void tell(PublishEvent event, std::string_view key, std::string_view text) {
    std::string detail(key);
    handler_.on_publish_event(event, "", detail.append("=\"").append(text).append("\""));
  }

  void look_at_drain() {
    const bool level = sender_.idle() && notices_.idle() && connection_.in_flight() == 0;
    if (!level && std::chrono::steady_clock::now() < drain_until_) {
      drain_timer_.expires_after(kDrainLook);
      drain_timer_.async_wait([self = self_](const boost::system::error_code& error) {
        if (!error && *self != nullptr) (*self)->look_at_drain();
      });
      return;
    }
    boost::asio::post(drain_timer_.get_executor(), [done = std::exchange(drained_, nullptr),
                                                    left = sender_.unpublished()] { done(left); });
  }

  RedisOptions options_;
  PublishHandler& handler_;
  PublishCounters counters_;
  RedisConnection connection_;
  Notices notices_;
  SeriesSender sender_;
  boost::asio::steady_timer function_timer_;
  boost::asio::steady_timer drain_timer_;
  std::function<void(std::size_t)> drained_;
  std::chrono::steady_clock::time_point drain_until_;
  std::string told_refused_;
  bool told_unreachable_ = false;
  std::shared_ptr<Impl*> self_;  // what waits for a timer asks whether we are still there
};

Publisher::Publisher(boost::asio::io_context& io, RedisOptions options, SignalHistory& history,
                     PublishHandler& handler)
    : impl_(std::make_unique<Impl>(io, std::move(options), history, handler)) {}
Publisher::~Publisher() = default;

void Publisher::start() { impl_->connection().start(); }
void Publisher::drain(std::chrono::milliseconds timeout, std::function<void(std::size_t)> done) {
  impl_->drain(timeout, std::move(done));
}
void Publisher::add(SeriesIndex series, PublishedSeries info, bool ready) {
  impl_->sender().add(series, std::move(info), ready);
}
void Publisher::remove(SeriesIndex series) { impl_->sender().remove(series); }
void Publisher::publish(SeriesIndex series, const SignalRecord& record) {
  impl_->sender().publish(series, record);
}
void Publisher::resume(SeriesIndex series) { impl_->sender().resume(series); }
void Publisher::correct(SeriesIndex series) { impl_->sender().correct(series); }
void Publisher::publish_forming(SeriesIndex series, const SignalRecord& record) {
  impl_->sender().publish_forming(series, record);
}
void Publisher::set_config(const std::string& hash, const std::string& json) {
  impl_->notices().set_config(hash, json);
}
void Publisher::set_state(const std::string& series_name, std::string_view state, std::int64_t since_ms,
                          std::string_view reason) {
  impl_->notices().set_state(series_name, state, since_ms, reason);
}
void Publisher::event(std::string_view event, std::int64_t at_ms, std::string_view series,
                      std::string_view detail) {
  impl_->notices().event(event, at_ms, series, detail);
}
void Publisher::heartbeat(const std::vector<std::pair<std::string, std::string>>& fields) {
  impl_->notices().heartbeat(fields);
}
void Publisher::describe(const std::string& series_name, const std::string& catalogue_json) {
  impl_->notices().add_series(series_name, catalogue_json);
}
std::size_t Publisher::unsettled() const { return impl_->sender().unsettled(); }
bool Publisher::connected() const { return impl_->connected(); }
const PublishCounters& Publisher::counters() const { return impl_->counters(); }
std::size_t Publisher::unpublished() const { return impl_->sender().unpublished(); }

}  // namespace atcd::state
