#include "feeds/rest_client.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "feeds/clocks.hpp"
#include "feeds/http_date.hpp"

namespace atcd::feeds {

namespace asio = boost::asio;

namespace {

constexpr std::chrono::seconds kPauseWithoutRetryAfter{60};
constexpr std::chrono::hours kLongestPause{72};  // what the longest known ban lasts
constexpr std::int64_t kUsualAnswerMs = 150;     // for estimates
constexpr std::size_t kLongestQuote = 200;

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Seconds or a date; a date counts from the reply's own clock. Without either: `pause`.
std::chrono::milliseconds pause_of(const HttpReply& reply, std::chrono::milliseconds pause) {
  if (const auto seconds = whole_number(reply.retry_after)) {
    const std::int64_t longest = std::chrono::seconds(kLongestPause).count();
    pause = std::chrono::seconds(std::clamp<std::int64_t>(*seconds, 1, longest));
  } else if (const auto until = parse_http_date(reply.retry_after)) {
    if (const auto date = parse_http_date(reply.date)) pause = std::chrono::milliseconds(*until - *date);
  }
  return std::clamp<std::chrono::milliseconds>(pause, std::chrono::seconds(1), kLongestPause);
}

/// A body fit for a log line.
std::string quote(std::string_view body) {
  std::string text(body.substr(0, kLongestQuote));
  for (char& c : text) {
    if (c < ' ' || c > '~') c = '?';
    if (c == '"') c = '\'';
  }
  return text;
}

}  // namespace

class RestClient::Impl : public std::enable_shared_from_this<RestClient::Impl> {
 public:
  Impl(asio::io_context& io, const RestOptions& options, Log log)
      : io_(io),
        options_(options),
        log_(std::move(log)),
        timer_(io),
        channels_(std::max<std::size_t>(1, options.connections)) {}

  void get(RestRequest request) {
    queued_weight_ += request.weight;
    const Order order{request.priority, next_number_++};
    queue_.emplace(order, std::move(request));
    pump_later();
  }

  void hold(bool held) {
    held_ = held;
    pump_later();
  }

  void stop() {
    stopped_ = true;
    timer_.cancel();
    queue_.clear();
    for (Channel& channel : channels_) channel = {};
  }

  std::size_t pending() const {
    return queue_.size() +
           static_cast<std::size_t>(
               std::count_if(channels_.begin(), channels_.end(), [](const auto& each) { return each.busy; }));
  }

  std::chrono::milliseconds estimated_time() const {
    const auto requests = static_cast<std::int64_t>(pending());
    const auto rounds = (requests + static_cast<std::int64_t>(channels_.size()) - 1) /
                        static_cast<std::int64_t>(channels_.size());
    if (queue_.empty()) return std::chrono::milliseconds(rounds * kUsualAnswerMs);
    return std::chrono::milliseconds(
        std::max(options_.limits->time_for_ms(queued_weight_, monotonic_ms()), rounds * kUsualAnswerMs));
  }

 private:
  struct Order {
    int priority;
    std::uint64_t number;
    auto operator<=>(const Order&) const = default;
  };

  struct Channel {
    std::unique_ptr<HttpSession> session;
    bool busy = false;
    RestRequest request;
    std::int64_t sent_ms = 0;  // monotonic
  };

  void pump_later() {
    asio::post(io_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->pump();
    });
  }

  void pump() {
    while (!stopped_ && !held_ && !queue_.empty()) {
      const auto channel =
          std::find_if(channels_.begin(), channels_.end(), [](const Channel& each) { return !each.busy; });
      if (channel == channels_.end()) return;  // the next answer pumps again
      const int weight = queue_.begin()->second.weight;
      const std::int64_t now_ms = monotonic_ms();
      const bool can_wait = queue_.begin()->first.priority >= kPriorityThatCanWait;
      const std::int64_t ready_ms = options_.limits->take(weight, now_ms, can_wait);
      if (ready_ms > now_ms) return wait(ready_ms - now_ms);
      queued_weight_ -= weight;
      channel->request = std::move(queue_.begin()->second);
      queue_.erase(queue_.begin());
      channel->busy = true;
      send(*channel);
    }
  }

  void wait(std::int64_t time_ms) {
    timer_.expires_after(std::chrono::milliseconds(time_ms));
    timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
      if (error) return;
      if (const auto self = weak.lock()) self->pump();
    });
  }

  void send(Channel& channel) {
    if (!channel.session || !channel.session->usable())
      channel.session = std::make_unique<HttpSession>(io_, options_.http);
    channel.sent_ms = monotonic_ms();
    channel.session->get(channel.request.target, [this, &channel](HttpReply reply) {
      // The session calls only while it lives, and it lives in this object.
      if (reply.stale) return send(channel);
      const auto self = shared_from_this();  // the callback may destroy the client
      channel.busy = false;
      RestRequest request = std::move(channel.request);
      RestReply result = judge(reply, request.target);
      result.sent_ms = channel.sent_ms;
      result.received_ms = monotonic_ms();
      request.done(std::move(result));
      pump();
    });
  }

  RestReply judge(HttpReply& reply, const std::string& target) {
    const std::string path = target.substr(0, target.find('?'));
    RestReply result;
    if (!reply.error.empty()) {
      result.error = reply.timed_out ? RestError::timeout : RestError::network;
      result.message = path + ": " + reply.error;
      return result;
    }
    result.server_time_ms = parse_http_date(reply.date).value_or(0);
    if (const auto used = whole_number(reply.used)) options_.limits->reported(*used, monotonic_ms());
    const auto asked =
        options_.pause_asked ? options_.pause_asked(reply.status, reply.body) : std::chrono::seconds(0);
    if (reply.status == 200 && asked.count() == 0) {
      result.body = std::move(reply.body);
      return result;
    }
    result.message = path + ": HTTP " + std::to_string(reply.status);
    const bool banned = reply.status == 418 || reply.status == 429 || asked.count() > 0;
    const bool location = !banned && (reply.status == 403 || reply.status == 451);
    if (location) result.message += ", the exchange refuses this location";
    if (banned) result.message += ", too many requests from this address";
    result.error = location ? RestError::refused_location
                   : banned ? RestError::banned
                            : RestError::http_status;
    if (!reply.body.empty()) result.message += ": " + quote(reply.body);
    if (location || banned)
      pause(pause_of(reply, asked.count() > 0 ? asked : kPauseWithoutRetryAfter), result.message);
    return result;
  }

  void pause(std::chrono::milliseconds time, const std::string& why) {
    const std::int64_t now_ms = monotonic_ms();
    if (!options_.limits->pause_until(now_ms + time.count(), now_ms) || !log_) return;
    log_(Severity::warning, "rest_paused",
         "seconds=" + std::to_string(time.count() / 1000) + " reason=\"" + why + "\"");
  }

  asio::io_context& io_;
  RestOptions options_;
  Log log_;
  asio::steady_timer timer_;
  std::vector<Channel> channels_;  // never resized: requests under way refer to theirs
  std::map<Order, RestRequest> queue_;
  std::int64_t queued_weight_ = 0;
  std::uint64_t next_number_ = 0;
  bool stopped_ = false;
  bool held_ = false;
};

RestClient::RestClient(asio::io_context& io, const RestOptions& options, Log log)
    : impl_(std::make_shared<Impl>(io, options, std::move(log))) {}

RestClient::~RestClient() { impl_->stop(); }

void RestClient::get(RestRequest request) { impl_->get(std::move(request)); }

void RestClient::hold(bool held) { impl_->hold(held); }

std::size_t RestClient::pending() const { return impl_->pending(); }

std::chrono::milliseconds RestClient::estimated_time() const { return impl_->estimated_time(); }

}  // namespace atcd::feeds
