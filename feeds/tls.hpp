#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

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

/// The same of files that are renewed while we run, as certificates are before they expire. Any thread.
class RenewedTls {
 public:
  /// Throws as make_tls_context. `tell` is given what is wrong with files that came later, once, by whoever
  /// asks.
  RenewedTls(TlsFiles files, std::function<void(const std::string& problem)> tell);

  /// As the files are now. While they can't be used, as when a certificate is there before its key, as they
  /// were.
  std::shared_ptr<boost::asio::ssl::context> context();

 private:
  std::vector<std::filesystem::file_time_type> written() const;

  const TlsFiles files_;
  const std::function<void(const std::string&)> tell_;
  std::mutex lock_;
  std::vector<std::filesystem::file_time_type> written_;  // when each file was that context_ is of
  std::shared_ptr<boost::asio::ssl::context> context_;
  std::string told_;
};

}  // namespace atcd::feeds
