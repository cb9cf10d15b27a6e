#pragma once

#include <functional>
#include <memory>

namespace boost::asio::ssl {
class context;
}

namespace atcd::state {

/// Gives the TLS settings for the connection that is made next: they may be others than for the last one.
using TlsSource = std::function<std::shared_ptr<boost::asio::ssl::context>()>;

}  // namespace atcd::state
