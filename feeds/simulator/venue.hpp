#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "feeds/simulator/clock.hpp"
#include "feeds/simulator/faults.hpp"
#include "feeds/simulator/market.hpp"
#include "feeds/simulator/market_streams.hpp"
#include "feeds/simulator/playback.hpp"
#include "feeds/simulator/subscriptions.hpp"
#include "feeds/simulator/target.hpp"
#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

struct VenueOptions {
  std::string exchange = "binance";                       // whose formats: one of known_wires()
  std::vector<MarketSymbol> symbols = first_symbols(20);  // 1 to kMaxSymbols, no name twice
  std::uint64_t seed = 1;
  double quiet_share = 0;                          // of the minutes are without a trade, 0 to 0.9
  std::optional<std::int64_t> start_ms;            // of the exchange's clock, UTC; without: now
  double speed = 1;                                // of that clock; 0: it moves on request only
  std::chrono::milliseconds update{250};           // real time between two frames of a running bar
  ClosingDelay closing_delay;                      // from a bar's end to its closing frame
  std::int64_t weight_limit = 0;                   // REST, a real minute; 0: what the exchange grants
  std::chrono::milliseconds ban = kDocumentedBan;  // of an address that went beyond, where there is one
  std::vector<std::string> frame_files;            // to be played instead of the market
  double playback_speed = 1;                       // 0: as fast as the clients read
};

/// The exchange behind the sockets: what a request is answered, which frames are due, what goes wrong on
/// demand. Frames leave through the subscribers. No I/O but for reading recordings; one thread.
class Venue {
 public:
  using Real = Clock::Real;

  /// Throws std::runtime_error where the recordings can't be read and std::invalid_argument for symbols that
  /// are none, too many or there twice.
  explicit Venue(const VenueOptions& options);

  std::int64_t now_ms() const { return clock_.now_ms(); }
  /// What the exchange tells of its clock, be it true or not.
  std::int64_t told_ms() const { return clock_.now_ms() + faults_.clock_offset_ms; }

  RestAnswer get(std::string_view target, std::int64_t real_ms);
  /// POST /sim/NAME of a fault; empty where it is none of the venue's.
  std::optional<RestAnswer> control(FaultKind kind, const Target& target);
  /// GET /sim/klines: the bars that have closed, as the market and its corrections have them, whatever REST
  /// says of them: [[open_ms, close_ms, open, high, low, close, volume], ...].
  RestAnswer truth(const Target& target) const;
  std::vector<std::string_view> symbol_names() const;
  /// The venue's part of GET /sim/status, as members of a JSON object.
  std::string status() const;

  std::optional<WireOpening> open(std::string_view target) const { return wire_->open(target); }
  void join(Subscriber& subscriber, const WireOpening& opening);
  void leave(Subscriber& subscriber);
  /// The answers to a client's message.
  std::vector<std::string> on_message(Subscriber& subscriber, std::string_view message);
  std::string shutdown_text() const { return wire_->shutdown_text(told_ms()); }

  /// Sends what is due. Returns when to be called again; time_point::max(): not before a request came.
  Real::time_point run(Real::time_point now);

 private:
  const Source& source() const;
  std::optional<Refusal> fault_of(const std::string& stream) const;
  void subscribe(Subscriber& subscriber, const std::string& stream);
  void unsubscribe(Subscriber& subscriber, const std::string& stream);
  std::vector<std::string> change(Subscriber& subscriber, const WireRequest& request);
  std::vector<std::string> change_all(Subscriber& subscriber, const WireRequest& request);
  Real::time_point run_market(Real::time_point now);
  Real::time_point run_playback(Real::time_point now);
  RestAnswer control_symbol(FaultKind kind, const Target& target, std::size_t symbol);
  RestAnswer spoil_frames(FaultKind kind, const Target& target, const std::string& symbol);
  RestAnswer spoil_rest(const Target& target);
  RestAnswer end_for_all(FaultKind kind);
  RestAnswer advance(const Target& target);
  RestAnswer jump_clock(const Target& target);
  RestAnswer replace(const Target& target, const std::string& symbol);

  std::unique_ptr<Wire> wire_;
  Clock clock_;
  Faults faults_;
  Subscriptions subscriptions_;
  std::unique_ptr<Market> market_;  // this and its streams, or
  std::unique_ptr<MarketStreams> streams_;
  std::unique_ptr<Playback> playback_;  // this
  std::chrono::milliseconds update_;
  double playback_speed_;
  Real::time_point next_forming_{};
  std::optional<Real::time_point> play_at_;  // set by subscriptions
  std::optional<Real::time_point> played_from_;
  std::uint64_t rest_requests_ = 0, rest_rejected_ = 0, subscriptions_refused_ = 0;
};

}  // namespace atcd::feeds::simulator
