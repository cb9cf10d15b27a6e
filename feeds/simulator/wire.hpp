#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "feeds/simulator/source.hpp"

namespace atcd::feeds::simulator {

/// How a client gets its frames: which market's way of writing numbers, wrapped or not. The wire gives it a
/// meaning; below kForms.
using Form = std::uint8_t;
inline constexpr std::size_t kForms = 4;

/// A websocket's address, understood.
struct WireOpening {
  Form form = 0;
  std::vector<std::string> streams;  // named in the address itself
};

/// What a client's message asks for.
struct WireRequest {
  enum class Kind : std::uint8_t { subscribe, unsubscribe, list, set_form, get_form, ping, malformed };
  Kind kind = Kind::malformed;
  std::vector<std::string> streams;
  std::string id;        // as the client wrote it
  bool wrapped = false;  // of set_form
  std::string refusal;   // of malformed: the answer
};

/// Why a subscription is refused.
enum class Refusal : std::uint8_t { unknown_stream, refused_stream, too_many_streams };

/// "btcusdt@kline_1m", understood.
struct WireStream {
  std::string symbol;  // native
  engine::Interval interval{1, engine::Interval::Unit::minute};
  std::string interval_text;
  bool trades = false;  // the symbol's trades; there is no interval then
};

struct WireFrame {
  std::string_view stream;  // its name, as it was subscribed
  const MarketSymbol& symbol;
  std::string_view interval_text;
  const Kline& kline;
  bool closed = false;
  std::int64_t event_ms = 0;
};

/// One recorded frame, understood as far as it takes to send it again.
struct WireRecorded {
  std::string_view payload;                  // without its wrapping; a part of the line
  std::string stream;                        // whose subscribers get it
  std::int64_t event_ms = 0;                 // the exchange's clock in it; 0 where it tells none
  std::string symbol;                        // native; may be empty
  std::optional<engine::Interval> interval;  // of a kline, with
  Kline kline;
  bool closed = false;
};

struct RestAnswer {
  int status = 200;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::chrono::milliseconds after{0};  // it is held back for so long
  bool cut = false;                    // the connection ends in the middle of it
};

struct RestQuestion {
  std::string_view target;
  const Source& source;
  std::int64_t now_ms = 0;   // the exchange's clock
  std::int64_t real_ms = 0;  // monotonic: limits hold in the clients' time
};

/// One exchange's formats: all that is bytes, nothing that is a socket. One thread.
class Wire {
 public:
  virtual ~Wire() = default;

  /// How the exchange writes the symbol.
  virtual std::string native_name(const MarketSymbol& symbol) const = 0;

  /// Empty: there is no websocket at that address.
  virtual std::optional<WireOpening> open(std::string_view target) const = 0;
  virtual WireRequest read(std::string_view message) const = 0;
  /// The answers to a request that was taken, in order: one, or one for each stream.
  virtual std::vector<std::string> accepted(const WireRequest& request) const = 0;
  virtual std::string refused(const WireRequest& request, Refusal why, std::string_view stream) const = 0;
  /// Each stream of a request is taken or refused by itself; else all are, or none.
  virtual bool answers_each() const { return false; }
  virtual std::string listed(const WireRequest& request, const std::set<std::string>& streams) const = 0;
  virtual std::string form_told(const WireRequest& request, Form form) const = 0;
  /// The answer to a ping in a text; empty where the exchange has none.
  virtual std::string pong(const WireRequest& request) const = 0;
  virtual Form wrapped(Form form, bool wrapped) const = 0;
  virtual std::size_t streams_per_connection() const = 0;
  /// A text that says that the server is about to go; empty where the exchange has none.
  virtual std::string shutdown_text(std::int64_t now_ms) const = 0;

  /// Where a bar opens: at the close of the one before it, or at its first trade.
  virtual bool opens_at_last_close() const = 0;
  /// Empty for a name of another form, or an interval that the exchange does not offer.
  virtual std::optional<WireStream> parse_stream(std::string_view name) const = 0;
  virtual std::string frame(const WireFrame& content, Form form) const = 0;
  /// One trade; `content.kline` is all there is to it. `number`: those of one symbol follow one another.
  virtual std::string trade_frame(const WireFrame& content, std::int64_t number, Form form) const = 0;
  /// Empty for a line that is no frame of a stream.
  virtual std::optional<WireRecorded> read_recorded(std::string_view line) const = 0;
  /// A recorded frame, told without its wrapping, as this form has it.
  virtual std::string rewrapped(std::string_view stream, std::string_view payload, Form form) const = 0;

  /// GET; counts the weight.
  virtual RestAnswer get(const RestQuestion& question) = 0;
};

inline constexpr std::chrono::milliseconds kDocumentedBan = std::chrono::minutes(10);

/// The formats of an exchange of known_wires(); null for another name. `weight_limit`: of REST, in a real
/// minute; 0: what the exchange grants. `ban`: so long it shuts out who goes beyond, where it does (Bybit).
std::unique_ptr<Wire> new_wire(std::string_view exchange, std::int64_t weight_limit,
                               std::chrono::milliseconds ban = kDocumentedBan);
/// "binance, bybit": for error messages.
std::string known_wires();

}  // namespace atcd::feeds::simulator
