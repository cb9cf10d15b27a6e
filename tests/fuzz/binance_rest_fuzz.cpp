// Whatever bytes come as the body of a Binance REST answer: no crash, valid rows in order, or a reason.
// Seeds: tests/feeds/frames/binance.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "feeds/binance.hpp"
#include "tests/fuzz/rest_rows.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace atcd;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  for (const char* interval : {"1m", "1w", "1M"})
    testing::check_rows(feeds::binance_spot(), body, "BTCUSDT", interval);
  for (const feeds::Exchange* exchange : {&feeds::binance_usdm(), &feeds::binance_coinm()}) {
    std::vector<feeds::SymbolInfo> symbols(1);
    symbols[0].symbol = "BTCUSDT";
    std::string error, next_page;
    if (exchange->parse_volumes(body, symbols, error) != error.empty()) std::abort();
    error.clear();
    if (exchange->parse_symbols(body, symbols, next_page, error) != error.empty()) std::abort();
  }
  return 0;
}
