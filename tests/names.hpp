#pragma once

// Names that no machine has. Included by one file of a test program: it defines getaddrinfo.
#include <dlfcn.h>
#include <netdb.h>

#include <atomic>
#include <string_view>

namespace atcd::tests {

inline constexpr std::string_view kTwoAddresses = "two-addresses.test";  // 127.0.0.2, then 127.0.0.1
inline constexpr std::string_view kUnanswered = "unanswered.test";
inline std::atomic<bool> unanswered{false};  // while it is, that name is being looked up

}  // namespace atcd::tests

/// In place of the C library's: knows one name more, with two addresses, and one that no server answers for.
extern "C" int getaddrinfo(const char* name, const char* service, const addrinfo* hints, addrinfo** found) {
  static const auto real = reinterpret_cast<decltype(&getaddrinfo)>(dlsym(RTLD_NEXT, "getaddrinfo"));
  if (name != nullptr && name == atcd::tests::kUnanswered) {
    atcd::tests::unanswered.wait(true);
    return EAI_AGAIN;
  }
  if (name == nullptr || name != atcd::tests::kTwoAddresses) return real(name, service, hints, found);
  if (const int error = real("127.0.0.2", service, hints, found); error != 0) return error;
  addrinfo* last = *found;
  while (last->ai_next != nullptr) last = last->ai_next;
  return real("127.0.0.1", service, hints, &last->ai_next);
}
