// A daemon runs for months: certificates on its way to Redis are renewed meanwhile.
#include "daemon/redis_login.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <chrono>
#include <filesystem>
#include <string>

#include "state/redis_connection.hpp"
#include "tests/certificates.hpp"
#include "tests/deadline.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;

struct Heard final : state::ConnectionHandler {
  void on_ready() override { ++ready; }
  void on_lost(std::string_view) override { ++lost; }
  void on_unreachable(std::string_view) override { ++unreachable; }
  void on_refused(std::string_view) override {}
  int ready = 0, lost = 0, unreachable = 0;
};

TEST(RedisLogin, ACertificateThatIsRenewedOnDiskIsUsedFromTheNextConnectionOn) {
  const auto file = [](const std::string& name) { return tests::Certificates::get().file(name); };
  const state::ReservedPort port;
  // It wants to see a certificate of its own authority.
  state::RedisServer server({"--tls-port", port.text(), "--bind", "127.0.0.1", "--tls-cert-file",
                             file("localhost.pem"), "--tls-key-file", file("leaf.key"), "--tls-ca-cert-file",
                             file("ca.pem"), "--tls-auth-clients", "yes"});
  const auto put = [&](const std::string& certificate, const std::string& name) {
    fs::copy_file(file(certificate), server.directory() + "/ours-" + name,
                  fs::copy_options::overwrite_existing);
  };
  put("other-ca.pem", "cert.pem");
  put("other.key", "key.pem");
  RedisConfig config;
  config.url = "rediss://localhost:" + port.text();
  config.ca_file = file("ca.pem");
  config.cert_file = server.directory() + "/ours-cert.pem";
  config.key_file = server.directory() + "/ours-key.pem";
  std::string error;
  const auto login = redis_login(config, error);
  ASSERT_TRUE(login) << error;

  state::ConnectionOptions options;
  options.address = login->url.addresses.front();
  options.tls = login->tls;
  options.first_backoff = std::chrono::milliseconds(5);
  options.longest_backoff = std::chrono::milliseconds(50);
  boost::asio::io_context io;
  Heard heard;
  state::RedisConnection connection(io, options, heard);
  connection.start();
  const auto run_until = [&](auto condition) {
    const auto end = std::chrono::steady_clock::now() + tests::deadline();
    while (!condition() && std::chrono::steady_clock::now() < end)
      io.run_one_for(std::chrono::milliseconds(20));
    return condition();
  };
  ASSERT_TRUE(run_until([&] { return heard.lost + heard.unreachable >= 3; }));
  ASSERT_EQ(heard.ready, 0) << "a stranger's certificate is not to be taken";
  put("localhost.pem", "cert.pem");
  put("leaf.key", "key.pem");
  EXPECT_TRUE(run_until([&] { return heard.ready == 1; }));
}

}  // namespace
}  // namespace atcd::daemon
