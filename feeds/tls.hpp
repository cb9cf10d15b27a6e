#pragma once

#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace atcd::feeds {

/// PEM files of a client; every one may be left out.
struct TlsFiles {
  std::string ca_file;    // whom to trust; empty: the system's authorities
  std::string cert_file;  // our own certificate, where the server asks for one
  std::string key_file;   // its key; empty: it is in cert_file
};

/// A client's TLS settings: TLS 1.2 or later, the peer verified against `ca_file` alone, or against the
/// system's authorities where it is empty. Throws std::runtime_error, naming the file, when one cannot be
/// read.
std::shared_ptr<boost::asio::ssl::context> make_tls_context(const TlsFiles& files);

}  // namespace atcd::feeds
