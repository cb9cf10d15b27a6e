#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/bar.hpp"
#include "engine/interval.hpp"

namespace atcd::feeds {

/// One bar as a frame reported it. Views live as long as the frame.
struct Kline {
  std::string_view symbol;    // native
  std::string_view interval;  // as in our configuration ("1m"), whatever the exchange calls it
  engine::Bar bar;
  std::int64_t event_time_ms = 0;  // the exchange's clock when it sent the frame; 0 where it does not say
  bool closed = false;             // the exchange marked the bar closed
};

/// One trade as a frame reported it, or several that the exchange tells as one. Views live as long as the
/// frame.
struct Trade {
  std::string_view symbol;   // native
  double price = 0;          // above 0
  double quantity = 0;       // above 0, in the unit of the exchange's own volumes
  std::int64_t time_ms = 0;  // when it was made, on the exchange's clock
  // Numbers of the first and last trade told here: those of one symbol follow one another without a hole. 0
  // where the exchange has no such numbers.
  std::int64_t first_id = 0;
  std::int64_t last_id = 0;
  std::int64_t event_time_ms = 0;  // the exchange's clock when it sent the frame; 0 where it does not say
  // Without numbers: tells a trade from all others of the symbol, the same whenever it is told. 0: unknown.
  std::uint64_t identity = 0;
  // Agreed on outside of the order book: whether the exchange's bars have it is told nowhere.
  bool off_book = false;
};

/// What a frame turned out to be.
enum class FrameKind : std::uint8_t {
  klines,     // one or more bars were handed to the sink
  trades,     // one or more trades were
  ack,        // answer to a request: it was taken
  refusal,    // answer to a request: it was refused, `text` says why
  ping,       // the exchange asks in a text frame; `text` is the answer to send
  pong,       // answer to our ping
  closing,    // the exchange announces that it will close the connection
  ignored,    // a well-formed frame of a kind we did not ask for
  malformed,  // refused: not what the exchange documents; `text` says why
};

/// A stream as a frame names it: `interval` is empty for trades. Lives until the next call of the parser.
struct StreamView {
  std::string_view symbol;
  std::string_view interval;
};

/// What a frame was, apart from its bars and trades, which its sink has.
struct FrameResult {
  FrameKind kind = FrameKind::ignored;
  std::int64_t request_id = 0;  // of ack and refusal; 0 where they carry no number
  std::string_view text;        // static, or lives until the next call of the parser
  // Of ack and refusal where the exchange answers for each stream, not for the request as a whole; without a
  // symbol the answer is to all that the request asked for.
  StreamView stream{};
  bool carried = false;  // of refusal: because this connection has the stream already
};

/// Takes the bars and trades of a frame in their order.
class FrameSink {
 public:
  virtual void on_kline(const Kline& kline) = 0;
  virtual void on_trade(const Trade& trade) = 0;

 protected:
  ~FrameSink() = default;
};

/// Bytes to bars, pure but for its own scratch memory. One per connection, used by one thread.
class FrameParser {
 public:
  virtual ~FrameParser() = default;
  /// `frame` must be followed by at least simdjson::SIMDJSON_PADDING readable bytes.
  virtual FrameResult parse(std::string_view frame, FrameSink& sink) = 0;
};

enum class StreamKind : std::uint8_t { klines, trades };

/// What can be subscribed to: a symbol's bars of one interval, or its trades.
struct StreamName {
  std::string symbol;    // native
  std::string interval;  // "1m"; empty: the symbol's trades
  StreamKind kind() const { return interval.empty() ? StreamKind::trades : StreamKind::klines; }
  bool operator==(const StreamName&) const = default;
};

/// A page of REST history.
struct HistoryRequest {
  std::string symbol;
  std::string interval;
  std::int64_t from_ms = 0;  // open time of the first wanted bar
  std::int64_t to_ms = 0;    // open time of the last wanted bar, inclusive
  // The exchange's clock, as far as we know it, when it was asked for: where there is another address for
  // older rows. 0: not known.
  std::int64_t asked_at_ms = 0;
  // The exchange's own clock when it answered (Date header), for parse_history(). 0: not known.
  std::int64_t answered_at_ms = 0;
  // For parse_history(): rows that have their place, but whose numbers are none of a bar's, are no reason to
  // refuse the others. They are given too, engine::is_valid() tells them.
  bool with_unusable = false;
};

/// What the exchange's own list says of one symbol.
struct SymbolInfo {
  std::string symbol;  // native
  std::string base;
  std::string quote;
  bool trading = false;        // false: halted, or not yet or no longer traded
  std::int64_t listed_ms = 0;  // 0 where the exchange does not say
  double quote_volume_24h = 0;
  std::string settle{};          // of a derivative: the currency that it is settled in
  std::int64_t delivery_ms = 0;  // of a dated future; 0: spot, or perpetual
  double contract_size = 0;      // 0 where the exchange does not say
};

/// A limit of the exchange on the REST requests of one address.
struct RestLimit {
  int weight = 0;                    // what the exchange grants one address in any
  std::chrono::milliseconds window;  // this long
  std::string_view used_header;      // response header that tells the weight used in it; may be empty
};

/// What an exchange must supply: one file each (feeds/binance.cpp), one row in feeds/exchanges.cpp.
/// Pure functions of their arguments; the network is feeds/connection.* and feeds/rest_client.*.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual std::string_view name() const = 0;    // "binance"
  virtual std::string_view market() const = 0;  // "spot"
  virtual bool offers(const engine::Interval& interval) const = 0;

  // Websocket.
  virtual std::string_view websocket_url() const = 0;  // scheme://host:port, no path
  virtual std::string_view websocket_path(StreamKind kind) const = 0;
  virtual std::size_t streams_per_connection() const = 0;
  virtual std::size_t streams_per_request() const = 0;
  virtual std::chrono::milliseconds request_spacing() const = 0;  // between two requests on one connection
  virtual std::chrono::milliseconds connection_lifetime() const = 0;  // handed over before; 0: without end
  virtual std::chrono::milliseconds connect_spacing() const = 0;      // between two connects of one address
  /// So many may be made without that distance, where as many were not made before: after a cut each that
  /// waits for its turn is without signals.
  virtual int connects_at_once() const { return 1; }
  /// A text frame that we send when nothing came for a while (the exchange's own ping style); empty where
  /// websocket ping frames do.
  virtual std::string_view ping_text() const = 0;
  virtual std::string subscribe_text(std::span<const StreamName> streams, std::int64_t request_id) const = 0;
  virtual std::string unsubscribe_text(std::span<const StreamName> streams,
                                       std::int64_t request_id) const = 0;
  virtual std::unique_ptr<FrameParser> new_parser() const = 0;

  // Closing rule (exchanges.md, section 1).
  virtual bool marks_closed() const = 0;
  /// How long after a bar's end, on the exchange's clock, a REST row counts as final.
  virtual std::chrono::milliseconds settling_time() const = 0;

  // Bars from trades.
  /// Each trade has a number, without a hole. Else that none is missing is proven by one connection's order.
  virtual bool numbers_trades() const = 0;
  /// A bar opens at the close of the one before it, not at its first trade.
  virtual bool opens_at_last_close() const = 0;

  // REST.
  virtual std::string_view rest_url() const = 0;
  virtual RestLimit rest_limit() const = 0;
  /// How long a reply asks us to stay away that says so in its body only; 0: it does not.
  virtual std::chrono::seconds pause_asked(unsigned /*status*/, std::string_view /*body*/) const {
    return {};
  }
  virtual std::int64_t history_rows_per_request() const = 0;
  virtual std::int64_t history_depth() const = 0;  // bars that can be had at all; INT64_MAX: all
  virtual std::string history_target(const HistoryRequest& request) const = 0;  // path and query
  virtual int history_weight(const HistoryRequest& request) const = 0;
  /// Rows oldest first, whatever the exchange's order. False, with the reason, for a body of another form, or
  /// where a row is no bar; then `rows` is left as it was.
  virtual bool parse_history(std::string_view body, const HistoryRequest& request,
                             std::vector<engine::Bar>& rows, std::string& error) const = 0;
  /// `page`: empty for the first, else what parse_symbols() gave as the next.
  virtual std::string symbols_target(std::string_view page) const = 0;
  virtual int symbols_weight() const = 0;
  /// Appends the symbols of one page; `next_page` is empty after the last. False, with the reason, for a body
  /// of another form; then `symbols` is left as it was.
  virtual bool parse_symbols(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& next_page,
                             std::string& error) const = 0;
  virtual std::string volumes_target() const = 0;  // 24 h quote volumes, for "top"
  virtual int volumes_weight() const = 0;
  /// Fills quote_volume_24h of the symbols named in the body.
  virtual bool parse_volumes(std::string_view body, std::vector<SymbolInfo>& symbols,
                             std::string& error) const = 0;
};

/// The row of an exchange and market; null for an unknown name. Lives as long as the program.
const Exchange* find_exchange(std::string_view name, std::string_view market);

/// How many rows the table has, and the row with a number below that.
std::size_t exchange_count();
const Exchange& exchange_at(std::size_t index);

/// "binance spot, binance usdm": what the table holds, for error messages.
std::string known_exchanges();

}  // namespace atcd::feeds
