#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace atcd::daemon {

/// What [http] listen may be, for messages.
inline constexpr std::string_view kHttpListenRule =
    "it must be \"off\", or an IP address and a port, such as 127.0.0.1:9464 or [::1]:9464 (port 0: any free "
    "one)";

struct HttpListen {
  std::optional<boost::asio::ip::tcp::endpoint> endpoint;  // empty: off
};

/// Empty where the text is neither.
std::optional<HttpListen> parse_http_listen(const std::string& text);

}  // namespace atcd::daemon
