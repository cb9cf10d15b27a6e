// Whatever bytes come as the body of an OKX REST answer: no crash, valid rows in order, or a reason.
// Seeds: tests/feeds/frames/okx.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "engine/interval.hpp"
#include "feeds/okx.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atcd;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const char* interval : {"1m", "1w", "1M"}) {
    const feeds::HistoryRequest request{"BTC-USDT", interval, 0, 4'000'000'000'000};
    std::vector<engine::Bar> rows;
    std::string error;
    const bool read = feeds::okx_spot().parse_history(body, request, rows, error);
    if (read != error.empty() || (!read && !rows.empty())) std::abort();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool in_order = i == 0 || rows[i].open_time_ms >= rows[i - 1].close_time_ms;
      if (!engine::is_valid(rows[i]) || !in_order ||
          !engine::Interval::parse(interval)->is_boundary(rows[i].open_time_ms))
        std::abort();
    }
  }
  for (const feeds::Exchange* exchange : {&feeds::okx_spot(), &feeds::okx_swap()}) {
    std::vector<feeds::SymbolInfo> symbols(1);
    symbols[0].symbol = "BTC-USDT";
    std::string error, next_page;
    if (exchange->parse_volumes(body, symbols, error) != error.empty()) std::abort();
    error.clear();
    if (exchange->parse_symbols(body, symbols, next_page, error) != error.empty()) std::abort();
  }
  return 0;
}
