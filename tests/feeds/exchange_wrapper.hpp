#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "feeds/exchange.hpp"

namespace atcd::feeds::testing {

/// An exchange with other limits: everything else is that of the one it wraps.
class ExchangeWrapper : public Exchange {
 private:
  const Exchange& inner_;

 public:
  explicit ExchangeWrapper(const Exchange& inner) : inner_(inner) {}

  std::size_t streams_per_connection_ = 200;
  std::size_t streams_per_request_ = 50;
  std::chrono::milliseconds request_spacing_{1};
  std::chrono::milliseconds connection_lifetime_ = std::chrono::hours(24);
  std::chrono::milliseconds connect_spacing_{1};
  int connects_at_once_ = 1;
  std::int64_t history_rows_per_request_ = inner_.history_rows_per_request();
  std::int64_t history_depth_ = inner_.history_depth();

  std::string_view name() const override { return inner_.name(); }
  std::string_view market() const override { return inner_.market(); }
  bool offers(const engine::Interval& interval) const override { return inner_.offers(interval); }
  std::string_view websocket_url() const override { return inner_.websocket_url(); }
  std::string_view websocket_path(StreamKind kind) const override { return inner_.websocket_path(kind); }
  std::size_t streams_per_connection() const override { return streams_per_connection_; }
  std::size_t streams_per_request() const override { return streams_per_request_; }
  std::chrono::milliseconds request_spacing() const override { return request_spacing_; }
  std::chrono::milliseconds connection_lifetime() const override { return connection_lifetime_; }
  std::chrono::milliseconds connect_spacing() const override { return connect_spacing_; }
  int connects_at_once() const override { return connects_at_once_; }
  std::string_view ping_text() const override { return inner_.ping_text(); }
  std::string subscribe_text(std::span<const StreamName> streams, std::int64_t id) const override {
    return inner_.subscribe_text(streams, id);
  }
  std::string unsubscribe_text(std::span<const StreamName> streams, std::int64_t id) const override {
    return inner_.unsubscribe_text(streams, id);
  }
  std::unique_ptr<FrameParser> new_parser() const override { return inner_.new_parser(); }
  bool marks_closed() const override { return inner_.marks_closed(); }
  std::chrono::milliseconds settling_time() const override { return inner_.settling_time(); }
  bool numbers_trades() const override { return inner_.numbers_trades(); }
  bool opens_at_last_close() const override { return inner_.opens_at_last_close(); }
  std::string_view rest_url() const override { return inner_.rest_url(); }
  RestLimit rest_limit() const override { return inner_.rest_limit(); }
  std::int64_t history_rows_per_request() const override { return history_rows_per_request_; }
  std::int64_t history_depth() const override { return history_depth_; }
  std::chrono::seconds pause_asked(unsigned status, std::string_view body) const override {
    return inner_.pause_asked(status, body);
  }
  std::string history_target(const HistoryRequest& request) const override {
    return inner_.history_target(request);
  }
  int history_weight(const HistoryRequest& request) const override { return inner_.history_weight(request); }
  bool parse_history(std::string_view body, const HistoryRequest& request, std::vector<engine::Bar>& rows,
                     std::string& error) const override {
    return inner_.parse_history(body, request, rows, error);
  }
  std::string symbols_target(std::string_view page) const override { return inner_.symbols_target(page); }
  int symbols_weight() const override { return inner_.symbols_weight(); }
  bool parse_symbols(std::string_view body, std::vector<SymbolInfo>& symbols, std::string& next_page,
                     std::string& error) const override {
    return inner_.parse_symbols(body, symbols, next_page, error);
  }
  std::string volumes_target() const override { return inner_.volumes_target(); }
  int volumes_weight() const override { return inner_.volumes_weight(); }
  bool parse_volumes(std::string_view body, std::vector<SymbolInfo>& symbols,
                     std::string& error) const override {
    return inner_.parse_volumes(body, symbols, error);
  }
};

}  // namespace atcd::feeds::testing
