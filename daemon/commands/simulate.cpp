#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <iostream>
#include <string>

#include "daemon/commands/commands.hpp"
#include "feeds/simulator/server.hpp"

namespace atcd::daemon {
namespace {

using feeds::simulator::Server;
using feeds::simulator::ServerOptions;

int simulate(const ServerOptions& options) {
  try {
    boost::asio::io_context io(1);
    Server server(io, options);
    server.start();
    const std::string address = options.host + ":" + std::to_string(server.port());
    std::cout << "event=listening ws_url=ws://" << address << " rest_url=http://" << address;
    if (options.tls_port >= 0) {
      const std::string secure = options.host + ":" + std::to_string(server.tls_port());
      std::cout << " wss_url=wss://" << secure << " https_url=https://" << secure;
    }
    std::cout << std::endl;
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code&, int) {
      server.stop();
      io.stop();
    });
    io.run();
    return kDone;
  } catch (const std::exception& error) {
    std::cerr << "atcd simulate: " << error.what() << '\n';
    return kFailed;
  }
}

}  // namespace

void add_simulate_command(CLI::App& app, int& status) {
  auto* command =
      app.add_subcommand("simulate", "A local exchange in Binance's wire formats, for trials and tests");
  auto options = std::make_shared<ServerOptions>();
  auto listen = std::make_shared<std::string>("127.0.0.1:0");
  auto update_ms = std::make_shared<std::int64_t>(250);
  command->add_option("--listen", *listen, "HOST:PORT; port 0 takes any")->capture_default_str();
  command->add_option("--symbols", options->symbols, "How many")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->add_option("--seed", options->seed, "The whole market follows from it")->capture_default_str();
  command->add_option("--speed", options->speed, "Market time over real time")
      ->check(CLI::Range(0.001, 100000.0));
  command->add_option("--update-ms", *update_ms, "Real time between forming frames")
      ->check(CLI::Range(10, 60000));
  command->add_option("--weight-limit", options->weight_limit, "REST weight a minute");
  command->callback([=, &status] {
    const auto colon = listen->rfind(':');
    options->host = listen->substr(0, colon);
    options->port = static_cast<std::uint16_t>(std::stoi(listen->substr(colon + 1)));
    options->update = std::chrono::milliseconds(*update_ms);
    status = simulate(*options);
  });
}

}  // namespace atcd::daemon
