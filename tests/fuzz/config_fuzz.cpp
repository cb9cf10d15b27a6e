// links: daemon
// Seeds: deploy
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/config.hpp"

/// Any text is a configuration or a list of errors, never a crash.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto result = atcd::daemon::parse_config(text);
  if (result.errors.empty() && result.config.feeds.empty()) std::abort();
  return 0;
}
