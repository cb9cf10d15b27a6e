// Whatever bytes come as the body of a Bybit REST answer: no crash, valid rows in order, or a reason.
// Seeds: tests/feeds/frames/bybit.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "feeds/bybit.hpp"
#include "tests/fuzz/rest_rows.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atcd;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const feeds::Exchange* exchange :
       {&feeds::bybit_spot(), &feeds::bybit_linear(), &feeds::bybit_inverse()}) {
    for (const char* interval : {"1m", "1w", "1M"}) testing::check_rows(*exchange, body, "BTCUSDT", interval);
    std::vector<feeds::SymbolInfo> symbols(1);
    symbols[0].symbol = "BTCUSDT";
    std::string error, next_page;
    if (exchange->parse_volumes(body, symbols, error) != error.empty()) std::abort();
    error.clear();
    if (exchange->parse_symbols(body, symbols, next_page, error) != error.empty()) std::abort();
    for (const unsigned status : {200U, 403U}) {
      if (exchange->pause_asked(status, body).count() < 0) std::abort();
    }
  }
  return 0;
}
