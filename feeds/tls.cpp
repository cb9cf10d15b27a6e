#include "feeds/tls.hpp"

#include <boost/asio/ssl/context.hpp>
#include <stdexcept>

namespace atcd::feeds {

std::shared_ptr<boost::asio::ssl::context> make_tls_context(const std::string& ca_file) {
  namespace ssl = boost::asio::ssl;
  auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
  boost::system::error_code error;
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  if (ca_file.empty()) {
    context->set_default_verify_paths(error);
  } else {
    context->load_verify_file(ca_file, error);
  }
  if (error) {
    throw std::runtime_error("ca_file " + (ca_file.empty() ? "(the system's)" : "\"" + ca_file + "\"") +
                             " cannot be read as certificates in PEM form: " + error.message());
  }
  context->set_verify_mode(ssl::verify_peer);
  return context;
}

}  // namespace atcd::feeds
