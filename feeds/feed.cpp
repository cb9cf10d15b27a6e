#include "feeds/feed.hpp"

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <optional>
#include <random>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "feeds/address_limits.hpp"
#include "feeds/clocks.hpp"
#include "feeds/exchange_rest.hpp"
#include "feeds/exchange_time.hpp"
#include "feeds/feed_slot.hpp"
#include "feeds/link.hpp"
#include "feeds/malformed_report.hpp"
#include "feeds/stream_names.hpp"

namespace atcd::feeds {

namespace asio = boost::asio;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class Feed::Impl final : private LinkHandler {
 public:
  Impl(asio::io_context& io, const Exchange& exchange, FeedOptions options, FeedHandler& handler)
      : io_(io),
        exchange_(exchange),
        handler_(handler),
        random_(std::random_device{}()),
        malformed_(io, [this](std::string_view detail) {
          handler_.on_feed_event(Severity::warning, "malformed_frames", detail);
        }) {
    if (!(options.rest_share > 0 && options.rest_share <= 1))
      throw std::invalid_argument("rest_share " + std::to_string(options.rest_share) +
                                  " is not above 0 and at most 1");
    if (options.websocket_url.empty()) options.websocket_url = exchange.websocket_url();
    if (options.rest_url.empty()) options.rest_url = exchange.rest_url();
    link_.url = parse_option("websocket_url", options.websocket_url, "ws");
    link_.ping_text = exchange.ping_text();
    HttpOptions http;
    http.url = parse_option("rest_url", options.rest_url, "http");
    if (link_.url.secure() || http.url.secure())
      link_.tls = http.tls = make_tls_context({options.ca_file, "", ""});
    limits_ = options.limits ? std::move(options.limits)
                             : std::make_shared<AddressLimits>(exchange.rest_limit(), options.rest_share);
    rest_.emplace(
        io, exchange, http, limits_,
        [this](Severity severity, std::string_view event, std::string_view detail) {
          handler_.on_feed_event(severity, event, detail);
        },
        counters_, exchange_time_);
  }

  ~Impl() { stop(); }

  void add(StreamIndex index, const StreamName& name) {
    if (stopped_) return;
    if (streams_.contains(index) || !names_.add(name, index))
      return handler_.on_feed_event(Severity::error, "stream_added_twice", named(name));
    streams_[index].name = name;
    place(index);
  }

  void remove(StreamIndex index) {
    const auto found = streams_.find(index);
    if (found == streams_.end()) return;
    leave_slot(index, found->second);
    names_.erase(found->second.name);
    streams_.erase(found);
  }

  void resubscribe(StreamIndex index) {
    const auto found = streams_.find(index);
    if (found == streams_.end() || stopped_) return;
    FeedStream& stream = found->second;
    if (!stream.slot) return place(index);
    FeedSlot& slot = slots_.at(*stream.slot);
    if (!slot.active || !slot.active->carries(index)) return;  // it is on its way already
    stream.tell_up = true;
    if (renew(slot, stream)) return dial_after(*stream.slot, milliseconds(0), ConnectReason::stale);
    stream.resubscribed = {slot.active->number(), slot.active->data_beyond_first()};
    slot.active->unsubscribe(index, stream.name);
    slot.active->subscribe(index, stream.name);
  }

  void stop() {
    if (std::exchange(stopped_, true)) return;
    alive_.reset();
    for (auto& [number, slot] : slots_) close(slot);
    slots_.clear();
    for (auto& [index, stream] : streams_) stream.again.reset();
    rest_.reset();
    malformed_.stop();
  }

  ExchangeRest* rest() { return rest_ ? &*rest_ : nullptr; }
  const FeedCounters& counters() const { return counters_; }
  Connections connections() const { return connections_of(slots_); }
  const ExchangeTime& exchange_time() const { return exchange_time_; }
  steady_clock::time_point last_sign(steady_clock::time_point now) const {
    steady_clock::time_point oldest = now;
    for (const auto& [number, slot] : slots_) oldest = std::min(oldest, feeds::last_sign(slot, now));
    return oldest;
  }

 private:
  // ---- slots

  void place(StreamIndex index) {
    FeedStream& stream = streams_.at(index);
    const StreamKind kind = stream.name.kind();
    auto slot = std::find_if(slots_.begin(), slots_.end(), [this, kind](const auto& each) {
      return each.second.kind == kind &&
             each.second.streams.size() < std::max<std::size_t>(1, exchange_.streams_per_connection());
    });
    if (slot == slots_.end()) {
      slot = slots_.try_emplace(next_slot_++, io_, kind).first;
      dial_after(slot->first, milliseconds(0), ConnectReason::start);
    }
    stream.slot = slot->first;
    slot->second.streams.push_back(index);
    for (const auto& link : {slot->second.active, slot->second.standby}) {
      if (link) link->subscribe(index, stream.name);
    }
  }

  void leave_slot(StreamIndex index, FeedStream& stream) {
    stream.up = false;
    if (!stream.slot) return;
    const auto found = slots_.find(*stream.slot);
    stream.slot.reset();
    FeedSlot& slot = found->second;
    std::erase(slot.streams, index);
    for (const auto& link : {slot.active, slot.standby}) {
      if (link) link->unsubscribe(index, stream.name);
    }
    if (!slot.streams.empty()) return finish_hand_over(slot);
    close(slot);
    slots_.erase(found);
  }

  void close(FeedSlot& slot) {
    slot.timer.cancel();
    for (const auto& link : {slot.active, slot.standby}) {
      if (!link) continue;
      if (link->open()) ++counters_.disconnects;
      link->retire();
    }
    slot.active = slot.standby = nullptr;
  }

  std::map<std::uint64_t, FeedSlot>::iterator slot_of(const Link& link) {
    return std::find_if(slots_.begin(), slots_.end(), [&link](const auto& each) {
      return each.second.active.get() == &link || each.second.standby.get() == &link;
    });
  }

  // ---- connecting

  void dial_after(std::uint64_t number, milliseconds delay, ConnectReason reason) {
    FeedSlot& slot = slots_.at(number);
    slot.reason = reason;
    slot.timer.expires_after(delay);
    slot.timer.async_wait([this, number, alive = std::weak_ptr<bool>(alive_)](const auto& error) {
      if (error || alive.expired()) return;
      if (slots_.contains(number)) dial(number);
    });
  }

  void dial(std::uint64_t number) {
    FeedSlot& slot = slots_.at(number);
    if (slot.active && slot.standby) return;
    // The exchange counts the connects of the address: each waits for its turn.
    const auto now = steady_clock::now();
    const auto turn = limits_->take_connect(now, exchange_.connect_spacing(), exchange_.connects_at_once());
    if (turn > now) return dial_after(number, std::chrono::ceil<milliseconds>(turn - now), slot.reason);
    ConnectionOptions options = link_;
    options.path = exchange_.websocket_path(slot.kind);
    const auto link = std::make_shared<Link>(io_, exchange_, std::move(options), ++links_made_,
                                             static_cast<LinkHandler&>(*this), counters_);
    (slot.active ? slot.standby : slot.active) = link;
    for (const StreamIndex index : slot.streams) link->subscribe(index, streams_.at(index).name);
  }

  void schedule_hand_over(std::uint64_t number, const Link& link) {
    const auto lifetime = exchange_.connection_lifetime();
    if (lifetime <= milliseconds(0)) return;
    dial_after(number, wait_for_hand_over(link, lifetime, random_), ConnectReason::hand_over);
  }

  /// The next connection takes over once it carries every stream.
  void finish_hand_over(FeedSlot& slot) {
    if (!slot.active || !slot.standby || !slot.standby->settled()) return;
    const bool whole = std::all_of(slot.streams.begin(), slot.streams.end(),
                                   [&](StreamIndex index) { return slot.standby->carries(index); });
    if (!whole) return;
    ++counters_.disconnects;
    const auto old = std::exchange(slot.active, std::exchange(slot.standby, nullptr));
    old->retire();
    schedule_hand_over(slot_of(*slot.active)->first, *slot.active);
    tell(Severity::info, "handed_over", *slot.active, "from=" + std::to_string(old->number()));
    take_trades_from_active(slot);
  }

  // ---- what links tell

  void on_link_open(Link& link) override {
    const auto at = slot_of(link);
    ++counters_.connects_for[static_cast<std::size_t>(at->second.reason)];
    if (at->second.active.get() == &link) schedule_hand_over(at->first, link);
    tell(Severity::info, "connected", link, "streams=" + std::to_string(at->second.streams.size()));
  }

  void on_link_kline(const Kline& kline, std::int64_t received_us) override {
    if (kline.event_time_ms != 0) exchange_time_.on_event(kline.event_time_ms, monotonic_ms());
    if (const StreamIndex* index = names_.find(kline.symbol, kline.interval)) {
      handler_.on_kline(*index, kline, received_us);
    } else {
      ++counters_.unknown_streams;
    }
  }

  void on_link_trade(const Link& link, const Trade& trade, std::int64_t received_us) override {
    const std::int64_t told_ms = trade.event_time_ms != 0 ? trade.event_time_ms : trade.time_ms;
    const bool believed = exchange_time_.on_event(told_ms, monotonic_ms());
    const StreamIndex* index = names_.find(trade.symbol, {});
    if (index == nullptr) {
      ++counters_.unknown_streams;
    } else if (!exchange_.numbers_trades() && streams_.at(*index).teller != link.number()) {
      ++counters_.passed_over;
    } else if (!believed) {
      // It would end the running slot. That it is missing its number tells, or we do.
      ++counters_.malformed;
      malformed_.add("symbol=" + std::string(trade.symbol) + " time_ms=" + std::to_string(told_ms),
                     "a trade from the future of the exchange's own clock");
      if (!exchange_.numbers_trades()) handler_.on_trades_interrupted(*index);
    } else {
      handler_.on_trade(*index, trade, received_us);
    }
  }

  void on_link_carries(Link& link, StreamIndex index) override {
    const auto found = streams_.find(index);
    if (found == streams_.end() || !found->second.slot) return;
    FeedStream& stream = found->second;
    stream.refusals.reset();
    const bool was_up = std::exchange(stream.up, true);
    const bool tell_up = std::exchange(stream.tell_up, false) || !was_up;
    if (tell_up) stream.teller = link.number();
    if (const auto at = slot_of(link); at != slots_.end()) finish_hand_over(at->second);
    if (tell_up && !stopped_) handler_.on_stream_up(index);
  }

  void on_link_refused(Link& link, StreamIndex index, std::string_view reason) override {
    const auto found = streams_.find(index);
    if (found == streams_.end() || !found->second.slot) return;
    if (refuses_all(slot_of(link)->second, link, index))
      return link.give_up("it refuses what is carried: " + std::string(reason));
    const std::string why = named(found->second.name) + " reason=\"" + std::string(reason) + "\"";
    leave_slot(index, found->second);
    ask_again_later(index, found->second);
    tell(Severity::error, "subscription_refused", link, why);
    if (!stopped_) handler_.on_stream_refused(index, reason);
  }

  void ask_again_later(StreamIndex index, FeedStream& stream) {
    stream.again.emplace(io_, stream.refusals.next(random_));
    stream.again->async_wait([this, index, alive = std::weak_ptr<bool>(alive_)](const auto& error) {
      if (error || alive.expired() || !streams_.contains(index)) return;
      if (!streams_.at(index).slot) place(index);
    });
  }

  void on_link_malformed(const Link& link, std::string_view frame, std::string_view reason) override {
    malformed_.add(frame, reason);
    const auto at = slot_of(link);
    if (at->second.kind != StreamKind::trades || exchange_.numbers_trades()) return;
    std::vector<StreamIndex> doubtful;  // whose trade it may have been
    for (const StreamIndex index : at->second.streams) {
      if (streams_.at(index).teller == link.number()) doubtful.push_back(index);
    }
    tell_interrupted(doubtful);
  }

  void on_link_closing(Link& link) override {
    const auto at = slot_of(link);
    if (!at->second.standby) dial_after(at->first, milliseconds(0), ConnectReason::hand_over);
    tell(Severity::info, "close_announced", link, "");
  }

  void on_link_end(Link& link, const ConnectionEnd& end) override {
    const auto at = slot_of(link);
    FeedSlot& slot = at->second;
    const bool was_active = slot.active.get() == &link;
    const auto ended = std::exchange(was_active ? slot.active : slot.standby, nullptr);
    if (was_active) slot.active = std::exchange(slot.standby, nullptr);
    std::vector<StreamIndex> down;
    for (const StreamIndex index : slot.streams) {
      const bool carried = slot.active && slot.active->carries(index);
      if (!carried && std::exchange(streams_.at(index).up, false)) down.push_back(index);
    }
    if (was_active && slot.active) {  // the next one takes over early
      if (slot.active->open()) schedule_hand_over(at->first, *slot.active);
    } else {
      dial_after(at->first, wait_after(slot, *ended, end, random_), ConnectReason::lost);
    }
    tell(end.refused_location ? Severity::error : Severity::warning,
         ended->open() ? "disconnected" : "connect_failed", *ended, "reason=\"" + end.reason + "\"");
    take_trades_from_active(slot);
    for (const StreamIndex index : down) {
      if (stopped_) return;
      if (streams_.contains(index)) handler_.on_stream_down(index, end.reason);
    }
  }

  /// Trades without numbers come from one connection: two tell each of them twice, and how far behind the
  /// other each is nothing says.
  void take_trades_from_active(const FeedSlot& slot) {
    if (slot.kind != StreamKind::trades || exchange_.numbers_trades() || !slot.active) return;
    std::vector<StreamIndex> changed;
    for (const StreamIndex index : slot.streams) {
      FeedStream& stream = streams_.at(index);
      if (stream.up && std::exchange(stream.teller, slot.active->number()) != slot.active->number())
        changed.push_back(index);
    }
    tell_interrupted(changed);
  }

  void tell_interrupted(const std::vector<StreamIndex>& streams) {
    for (const StreamIndex index : streams) {
      if (!stopped_ && streams_.contains(index)) handler_.on_trades_interrupted(index);
    }
  }

  void tell(Severity severity, std::string_view event, const Link& link, const std::string& more) {
    handler_.on_feed_event(severity, event,
                           "connection=" + std::to_string(link.number()) + (more.empty() ? "" : " ") + more);
  }

  asio::io_context& io_;
  const Exchange& exchange_;
  FeedHandler& handler_;
  ConnectionOptions link_;
  FeedCounters counters_;
  ExchangeTime exchange_time_;
  std::minstd_rand random_;
  MalformedReport malformed_;
  std::unordered_map<StreamIndex, FeedStream> streams_;
  StreamNames names_;
  std::map<std::uint64_t, FeedSlot> slots_;
  std::uint64_t next_slot_ = 0;
  std::uint64_t links_made_ = 0;
  std::shared_ptr<AddressLimits> limits_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // timers that fired late look here
  bool stopped_ = false;
  std::optional<ExchangeRest> rest_;
};

Feed::Feed(asio::io_context& io, const Exchange& exchange, FeedOptions options, FeedHandler& handler)
    : impl_(std::make_unique<Impl>(io, exchange, std::move(options), handler)) {}

Feed::~Feed() = default;

void Feed::add(StreamIndex stream, const StreamName& name) { impl_->add(stream, name); }
void Feed::remove(StreamIndex stream) { impl_->remove(stream); }
void Feed::resubscribe(StreamIndex stream) { impl_->resubscribe(stream); }
void Feed::stop() { impl_->stop(); }

void Feed::fetch_history(const HistoryRequest& request, int priority,
                         std::function<void(HistoryResult)> done) {
  if (ExchangeRest* rest = impl_->rest()) rest->fetch(request, priority, std::move(done));
}

void Feed::fetch_symbols(bool with_volumes, std::function<void(SymbolsResult)> done) {
  if (ExchangeRest* rest = impl_->rest()) rest->fetch_symbols(with_volumes, std::move(done));
}

void Feed::hold_rest(bool held) {
  if (ExchangeRest* rest = impl_->rest()) rest->hold(held);
}

const FeedCounters& Feed::counters() const { return impl_->counters(); }
Feed::Connections Feed::connections() const { return impl_->connections(); }
std::optional<std::int64_t> Feed::exchange_ms(std::int64_t monotonic_ms) const {
  return impl_->exchange_time().exchange_ms(monotonic_ms);
}

steady_clock::time_point Feed::last_sign(steady_clock::time_point now) const { return impl_->last_sign(now); }

milliseconds Feed::estimated_rest_time() const {
  ExchangeRest* rest = impl_->rest();
  return rest == nullptr ? milliseconds(0) : rest->estimated_time();
}

}  // namespace atcd::feeds
