#include "daemon/http_listen.hpp"

#include <charconv>
#include <cstdint>

namespace atcd::daemon {

std::optional<HttpListen> parse_http_listen(const std::string& text) {
  if (text == "off") return HttpListen{};
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  std::string host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(host, error);
  if (error || address.is_v6() != bracketed) return std::nullopt;
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [last, failure] = std::from_chars(text.data() + colon + 1, end, port);
  if (failure != std::errc() || last != end) return std::nullopt;
  return HttpListen{boost::asio::ip::tcp::endpoint(address, port)};
}

}  // namespace atcd::daemon
