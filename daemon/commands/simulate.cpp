#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/commands/commands.hpp"
#include "daemon/config.hpp"
#include "daemon/near_miss.hpp"
#include "daemon/toml.hpp"
#include "feeds/simulator/fault_kinds.hpp"
#include "feeds/simulator/server.hpp"
#include "feeds/simulator/wire.hpp"

namespace atcd::daemon {
namespace {

namespace simulator = feeds::simulator;
using simulator::MarketSymbol;

constexpr double kFastest = 1e6;

/// The command's options as they are written, on the command line or in the file.
struct Settings {
  std::string config, exchange = "binance", listen = "127.0.0.1:0", tls_listen, certificate, key, start,
                      playback_speed = "1", faults;
  std::vector<std::string> symbols = {"20"}, symbol, frames;
  std::uint64_t seed = 1;
  double speed = 1, quiet_share = 0;
  std::int64_t update_ms = 250, closing_delay_ms = 100, closing_spread_ms = 0, lifetime_s = 86'400,
               weight_limit = 0, ban_s = 600, message_limit = 10, connections = 2000;
};

std::invalid_argument refusal(std::string_view option, std::string_view value, std::string_view allowed) {
  return std::invalid_argument(std::string(option) + " is \"" + std::string(value.substr(0, 80)) +
                               "\": it must be " + std::string(allowed));
}

double to_number(std::string_view option, std::string_view text, double above, double most,
                 std::string_view allowed) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > above && value <= most))
    throw refusal(option, text, allowed);
  return value;
}

/// "2026-01-01", or with a time of day: "2026-01-01T12:00:00Z".
std::int64_t to_utc_ms(std::string_view option, const std::string& text) {
  using namespace std::chrono;
  unsigned y = 0, mo = 0, d = 0, h = 0, mi = 0, s = 0;
  char rest = 0;
  const bool day_only = std::sscanf(text.c_str(), "%4u-%2u-%2u%c", &y, &mo, &d, &rest) == 3;
  const bool whole = !day_only && std::sscanf(text.c_str(), "%4u-%2u-%2uT%2u:%2u:%2uZ%c", &y, &mo, &d, &h,
                                              &mi, &s, &rest) == 6;
  const year_month_day date{year{static_cast<int>(y)}, month{mo}, day{d}};
  if ((!day_only && !whole) || !date.ok() || y < 1971 || h > 23 || mi > 59 || s > 59)
    throw refusal(option, text, "a UTC time such as 2026-01-01 or 2026-01-01T12:00:00Z");
  return duration_cast<milliseconds>(
             (sys_days{date} + hours{h} + minutes{mi} + seconds{s}).time_since_epoch())
      .count();
}

/// "127.0.0.1:9000", "[::1]:0".
simulator::ListenAddress to_address(std::string_view option, const std::string& text) {
  constexpr std::string_view kAllowed = "HOST:PORT with a numeric address and a port from 0 (any) to 65535";
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) throw refusal(option, text, kAllowed);
  std::string host = text.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data() + colon + 1, end, port);
  if (read.ec != std::errc{} || read.ptr != end) throw refusal(option, text, kAllowed);
  return {host, port};
}

std::string to_text(const simulator::ListenAddress& address, std::uint16_t port) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(port);
}

/// "BTCUSDT,tick=0.5,price=60000,listed=2026-11-01,halted": what differs from what the name alone gives.
void apply_symbol(const std::string& text, std::vector<MarketSymbol>& symbols) {
  std::istringstream parts(text);
  std::string part;
  std::getline(parts, part, ',');
  auto made = simulator::make_symbol(part);
  if (!made) throw refusal("symbol", text, "NAME[,tick=T][,price=P][,listed=TIME][,halted]");
  const auto same = [&](const MarketSymbol& each) { return each.symbol == made->symbol; };
  auto symbol = std::find_if(symbols.begin(), symbols.end(), same);
  if (symbol == symbols.end()) symbol = symbols.insert(symbols.end(), *made);
  while (std::getline(parts, part, ',')) {
    const std::string key = part.substr(0, part.find('='));
    const std::string value = key.size() < part.size() ? part.substr(key.size() + 1) : "";
    if (part == "halted") {
      symbol->halted = true;
    } else if (key == "listed") {
      symbol->listed_ms = to_utc_ms("symbol: listed", value);
    } else if (key == "price") {
      symbol->price = to_number("symbol: price", value, 0, 1e8, "a number above 0 and at most 1e8");
    } else if (key == "tick") {
      const double tick = to_number("symbol: tick", value, 0.99e-8, 1e6, "from 0.00000001 to 1000000");
      symbol->tick_e8 = std::llround(tick * 1e8);
    } else {
      throw refusal("symbol", text, "NAME[,tick=T][,price=P][,listed=TIME][,halted]");
    }
  }
}

std::vector<MarketSymbol> to_symbols(const Settings& settings) {
  std::vector<MarketSymbol> symbols;
  const std::string& first = settings.symbols.front();
  std::size_t count = 0;
  const auto [end, error] = std::from_chars(first.data(), first.data() + first.size(), count);
  if (settings.symbols.size() == 1 && error == std::errc{} && end == first.data() + first.size()) {
    if (count < 1 || count > simulator::kMaxSymbols)
      throw refusal("symbols", first, "a number from 1 to " + std::to_string(simulator::kMaxSymbols));
    symbols = simulator::first_symbols(count);
  } else {
    for (const std::string& name : settings.symbols) {
      const auto symbol = simulator::make_symbol(name);
      if (!symbol) throw refusal("symbols", name, "a number, or names such as BTCUSDT,ETHUSDT");
      symbols.push_back(*symbol);
    }
  }
  for (const std::string& text : settings.symbol) apply_symbol(text, symbols);
  return symbols;
}

/// "7,2.5": a seed, and how many seconds lie between two faults on average.
simulator::FaultSchedule to_schedule(const std::string& text) {
  constexpr std::string_view kAllowed =
      "SEED,MEAN_SECONDS: a whole number from 0, and a number from above 0 to 86400";
  const auto comma = std::min(text.find(','), text.size());
  simulator::FaultSchedule schedule;
  const auto [end, error] = std::from_chars(text.data(), text.data() + comma, schedule.seed);
  if (error != std::errc{} || end != text.data() + comma || comma == text.size())
    throw refusal("faults", text, kAllowed);
  const double seconds = to_number("faults", std::string_view(text).substr(comma + 1), 0, 86'400, kAllowed);
  schedule.mean = std::chrono::milliseconds(std::max<std::int64_t>(1, std::llround(seconds * 1000)));
  schedule.told = [](std::string_view target) { std::cout << "event=fault target=" << target << std::endl; };
  return schedule;
}

simulator::ServerOptions to_options(const Settings& settings) {
  using std::chrono::milliseconds, std::chrono::seconds;
  if (!simulator::new_wire(settings.exchange, 0))
    throw refusal("exchange", settings.exchange, "one of " + simulator::known_wires());
  simulator::ServerOptions options;
  simulator::VenueOptions& venue = options.venue;
  venue.exchange = settings.exchange;
  venue.symbols = to_symbols(settings);
  venue.seed = settings.seed;
  venue.quiet_share = settings.quiet_share;
  if (!settings.start.empty()) venue.start_ms = to_utc_ms("start", settings.start);
  if (std::isnan(settings.speed) || std::isnan(settings.quiet_share))  // which no range of CLI11's refuses
    throw std::invalid_argument("speed and quiet_share must be numbers");
  venue.speed = settings.speed;
  venue.update = milliseconds(settings.update_ms);
  venue.closing_delay = {settings.closing_delay_ms, settings.closing_spread_ms};
  venue.weight_limit = settings.weight_limit;
  venue.ban = std::chrono::seconds(settings.ban_s);
  venue.frame_files = settings.frames;
  if (settings.playback_speed == "max") {
    venue.playback_speed = 0;
  } else {
    venue.playback_speed =
        to_number("playback_speed", settings.playback_speed, 0, kFastest, "max, or above 0 and at most 1e6");
  }
  options.listen = to_address("listen", settings.listen);
  if (!settings.tls_listen.empty()) {
    options.tls_listen = to_address("tls_listen", settings.tls_listen);
    if (settings.certificate.empty() || settings.key.empty())
      throw std::invalid_argument("tls_listen needs both certificate and key");
  }
  options.certificate_file = settings.certificate;
  options.key_file = settings.key;
  options.lifetime = seconds(settings.lifetime_s);
  options.messages_per_second = static_cast<std::size_t>(settings.message_limit);
  options.connections = static_cast<std::size_t>(settings.connections);
  if (!settings.faults.empty()) options.faults = to_schedule(settings.faults);
  return options;
}

int serve(const simulator::ServerOptions& options) {
  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGINT, SIGTERM);
  simulator::Server server(io, options);
  server.start();
  const std::string address = to_text(options.listen, server.port());
  std::cout << "event=listening ws_url=ws://" << address << " rest_url=http://" << address;
  if (options.tls_listen) {
    const std::string secure = to_text(*options.tls_listen, server.tls_port());
    std::cout << " wss_url=wss://" << secure << " https_url=https://" << secure;
  }
  std::cout << " exchange=" << options.venue.exchange << " symbols=" << options.venue.symbols.size()
            << " seed=" << options.venue.seed << std::endl;
  signals.async_wait([&](const boost::system::error_code&, int) {
    server.stop();
    signals.clear();  // a second signal ends the program at once
  });
  io.run();
  return kDone;
}

/// The values of one TOML node as they would stand on the command line; false for a table.
bool to_arguments(const toml::node& node, std::vector<std::string>& values) {
  if (const auto* list = node.as_array()) {
    for (const auto& each : *list) {
      if (each.is_array() || !to_arguments(each, values)) return false;
    }
    return true;
  }
  if (node.is_table()) return false;
  if (const auto* text = node.as_string()) {
    values.push_back(text->get());
  } else {
    std::ostringstream out;
    node.visit([&](const auto& value) { out << value; });
    values.push_back(out.str());
  }
  return true;
}

/// Gives the command's options the file's values: the same names with _ for -, the same checks. What the
/// command line says stays.
std::vector<ConfigError> read_config(const std::string& path, CLI::App& command) {
  std::vector<ConfigError> errors;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return {{0, "", "is a directory"}};
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  if (!file) return {{0, "", "can't be read"}};
  toml::table document;
  ConfigError malformed;
  if (!parse_toml(text, document, malformed)) return {malformed};
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    std::string name = option->get_single_name();
    std::replace(name.begin(), name.end(), '-', '_');
    if (name != "config" && name != "help") names.push_back(name);
  }
  const std::vector<std::string_view> known(names.begin(), names.end());
  for (const auto& [key, node] : document) {
    const std::string name(key.str());
    const int line = static_cast<int>(node.source().begin.line);
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      errors.push_back({line, name, "is no key that atcd simulate knows" + suggestion(name, known)});
      continue;
    }
    std::string option_name = "--" + name;
    std::replace(option_name.begin(), option_name.end(), '_', '-');
    CLI::Option* option = command.get_option(option_name);
    std::vector<std::string> values;
    if (!to_arguments(node, values) || values.empty()) {
      errors.push_back({line, name, "must be a value or a list of values"});
      continue;
    }
    if (option->count() > 0) continue;
    try {
      for (const std::string& value : values) option->add_result(value);
      option->run_callback();
    } catch (const CLI::Error& error) {
      const std::string message = error.what();
      errors.push_back(
          {line, name, message.substr(message.starts_with(option_name) ? option_name.size() + 2 : 0)});
    }
  }
  std::sort(errors.begin(), errors.end(),
            [](const ConfigError& a, const ConfigError& b) { return a.line < b.line; });
  return errors;
}

int simulate(const Settings& settings, CLI::App& command) {
  if (!settings.config.empty()) {
    ConfigResult result;
    result.errors = read_config(settings.config, command);
    print_errors(settings.config, result);
    if (!result.errors.empty()) return kBadUsage;
  }
  simulator::ServerOptions options;
  try {
    options = to_options(settings);
  } catch (const std::invalid_argument& error) {
    std::cerr << "atcd simulate: " << error.what() << '\n';
    return kBadUsage;
  }
  try {
    return serve(options);
  } catch (const std::exception& error) {
    std::cerr << "atcd simulate: " << error.what() << '\n';
    return kFailed;
  }
}

void add_market_options(CLI::App& command, Settings& settings) {
  command.add_option("--exchange", settings.exchange, "Whose formats")
      ->type_name(CLI::detail::find_and_replace(simulator::known_wires(), ", ", "|"))
      ->capture_default_str();
  command.add_option("--symbols", settings.symbols, "How many, or their names, as BTCUSDT,ETHUSDT")
      ->delimiter(',')
      ->capture_default_str();
  command.add_option("--symbol", settings.symbol,
                     "NAME[,tick=T][,price=P][,listed=TIME][,halted]: one symbol more, or otherwise");
  command.add_option("--seed", settings.seed, "The whole market follows from it")
      ->check(CLI::Validator(
          [](const std::string& text) {
            return text.find_first_not_of("0123456789") == std::string::npos
                       ? std::string()
                       : "is \"" + text.substr(0, 40) + "\": it must be a whole number from 0";
          },
          ""))
      ->capture_default_str();
  command.add_option("--quiet-share", settings.quiet_share, "Share of the minutes without a trade")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  command.add_option("--start", settings.start, "The market's time at the start, UTC; else now");
  command.add_option("--speed", settings.speed, "Market time over real time; 0: only on request")
      ->check(CLI::Range(0.0, kFastest))
      ->capture_default_str();
  command.add_option("--update-ms", settings.update_ms, "Real time between frames of a running bar")
      ->check(CLI::Range(10, 60'000))
      ->capture_default_str();
  command
      .add_option("--closing-delay-ms", settings.closing_delay_ms,
                  "Market time from a bar's end to its closing frame")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  command
      .add_option("--closing-spread-ms", settings.closing_spread_ms,
                  "The streams' closing frames are spread over so much market time after that")
      ->check(CLI::Range(0, 10'000))
      ->capture_default_str();
  command
      .add_option("--frames", settings.frames, "Recordings (.jsonl, .jsonl.gz) to play instead of a market")
      ->type_name("FILE");
  command.add_option("--playback-speed", settings.playback_speed, "Over recorded speed, or max")
      ->capture_default_str();
}

void add_server_options(CLI::App& command, Settings& settings) {
  command.add_option("--faults", settings.faults,
                     "SEED,MEAN_SECONDS: so often on average one of the faults below, at random");
  command.add_option("--listen", settings.listen, "HOST:PORT; port 0 takes any")->capture_default_str();
  command.add_option("--tls-listen", settings.tls_listen, "HOST:PORT for TLS besides");
  command.add_option("--certificate", settings.certificate, "Certificate chain, PEM")->type_name("FILE");
  command.add_option("--key", settings.key, "Its private key, PEM")->type_name("FILE");
  command.add_option("--lifetime-s", settings.lifetime_s, "A websocket is closed after it; 0: never")
      ->check(CLI::Range(0, 864'000))
      ->capture_default_str();
  command.add_option("--weight-limit", settings.weight_limit, "REST weight a minute; 0: the exchange's")
      ->check(CLI::Range(0, 1'000'000'000))
      ->capture_default_str();
  command.add_option("--ban-s", settings.ban_s, "Bybit shuts out for so long who goes beyond it")
      ->check(CLI::Range(0, 86'400))
      ->capture_default_str();
  command.add_option("--message-limit", settings.message_limit, "Messages a second from a client; 0: any")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  command.add_option("--connections", settings.connections, "At once")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
}

}  // namespace

void add_simulate_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand(
      "simulate", "A local exchange in the wire formats of a real one, for trials and tests");
  auto settings = std::make_shared<Settings>();
  command->add_option("--config", settings->config, "A TOML file with these options; the command line wins")
      ->type_name("FILE");
  add_market_options(*command, *settings);
  add_server_options(*command, *settings);
  command->footer(
      "Faults on demand, from loopback only: POST /sim/NAME; GET /sim/status tells what was done.\n" +
      simulator::faults_help());
  command->callback([settings, command, &status] { status = simulate(*settings, *command); });
}

}  // namespace atcd::daemon
