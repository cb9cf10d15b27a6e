// links: daemon
// Seeds: deploy
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/config.hpp"
#include "daemon/config_warnings.hpp"
#include "daemon/market_load.hpp"

/// Any text is a configuration or a list of errors, never a crash; and of a configuration warnings can be
/// told.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = atcd::daemon::parse_config(text);
  if (!result.errors.empty()) return 0;
  if (result.config.feeds.empty()) std::abort();
  constexpr std::int64_t kNowMs = 1'764'000'000'000;
  atcd::daemon::config_warnings(result, kNowMs);
  atcd::daemon::load_warnings(result, atcd::daemon::named_symbols(result.config), kNowMs);
  return 0;
}
