#pragma once

#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace atcd::feeds {

/// A client's TLS settings: TLS 1.2 or later, the peer verified against `ca_file` alone, or against the
/// system's authorities where it is empty. Throws std::runtime_error, naming the file, when it cannot be
/// read.
std::shared_ptr<boost::asio::ssl::context> make_tls_context(const std::string& ca_file);

}  // namespace atcd::feeds
