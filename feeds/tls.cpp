#include "feeds/tls.hpp"

#include <boost/asio/ssl/context.hpp>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace atcd::feeds {

std::shared_ptr<boost::asio::ssl::context> make_tls_context(const TlsFiles& files) {
  namespace ssl = boost::asio::ssl;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  boost::system::error_code error;
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  const auto check = [&error](const char* key, const std::string& file, const char* what) {
    if (!error) return;
    throw std::runtime_error(std::string(key) + " " + (file.empty() ? "(the system's)" : "\"" + file + "\"") +
                             " cannot be read as " + what + " in PEM form: " + error.message());
  };
  if (files.ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(files.ca_file, error);
  }
  check("ca_file", files.ca_file, "certificates");
  if (!files.cert_file.empty()) {
    context->use_certificate_chain_file(files.cert_file, error);
    check("cert_file", files.cert_file, "a certificate");
    const std::string& key_file = files.key_file.empty() ? files.cert_file : files.key_file;
    context->use_private_key_file(key_file, ssl::context::pem, error);
    check("key_file", key_file, "the certificate's private key");
  }
  context->set_verify_mode(ssl::verify_peer);
  return context;
}

RenewedTls::RenewedTls(TlsFiles files, std::function<void(const std::string&)> tell)
    : files_(std::move(files)),
      tell_(std::move(tell)),
      written_(written()),
      context_(make_tls_context(files_)) {}

std::shared_ptr<boost::asio::ssl::context> RenewedTls::context() {
  const std::lock_guard lock(lock_);
  // Looked at before the files are read: what changes meanwhile is read again.
  if (auto now = written(); now != written_) {
    try {
      context_ = make_tls_context(files_);
      written_ = std::move(now);
      told_.clear();
    } catch (const std::runtime_error& failure) {  // the next one who asks tries again
      if (std::exchange(told_, failure.what()) != failure.what()) tell_(told_);
    }
  }
  return context_;
}

std::vector<std::filesystem::file_time_type> RenewedTls::written() const {
  std::vector<std::filesystem::file_time_type> times;
  for (const std::string* file : {&files_.ca_file, &files_.cert_file, &files_.key_file}) {
    std::error_code absent;
    times.push_back(std::filesystem::last_write_time(*file, absent));
  }
  return times;
}

}  // namespace atcd::feeds
