#include "daemon/end_limit.hpp"

#include <cstdlib>
#include <exception>
#include <string_view>
#include <system_error>
#include <thread>

#include "daemon/log.hpp"

namespace atcd::daemon {
namespace {

constexpr std::chrono::milliseconds kToTell{200};

}  // namespace

EndLimit::~EndLimit() {
  const int status = std::uncaught_exceptions() > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
  const auto leave = [limit = limit_, status] {
    std::this_thread::sleep_for(limit);
    // Who reads the log may be what hangs.
    std::thread([] {
      log_event(Level::error, "end",
                {{"detail", std::string_view("a device or its driver hangs: it is not waited for")}});
    }).detach();
    std::this_thread::sleep_for(kToTell);
    std::_Exit(status);
  };
  try {
    std::thread(leave).detach();
  } catch (const std::system_error&) {
    return;  // no thread can be had: whatever hangs is waited for
  }
}

}  // namespace atcd::daemon
