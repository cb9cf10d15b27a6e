// links: daemon
// Seeds: tests/fuzz/listener.

// What a client sends to the daemon: a request on the control socket, the socket's lines themselves, and
// requests of HTTP. Every answer is one, in the order of what was asked, and afterwards nobody is connected.
// The first byte says which.
#include <signal.h>
#include <simdjson.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "daemon/config.hpp"
#include "daemon/control_request.hpp"
#include "daemon/control_server.hpp"
#include "daemon/http_server.hpp"
#include "daemon/symbol_changes.hpp"

namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace http = boost::beast::http;
using namespace atcd::daemon;

constexpr std::size_t kLongestLine = 128, kLongestHeader = 512;
constexpr std::string_view kPage = "a page\n";

void must(bool holds) {
  if (!holds) std::abort();
}

/// libFuzzer's own alarm, which comes every few seconds, would end a connect or a write with EINTR.
void wait_on_after_alarms() {
  struct sigaction action {};
  must(sigaction(SIGALRM, nullptr, &action) == 0);
  action.sa_flags |= SA_RESTART;
  must(sigaction(SIGALRM, &action, nullptr) == 0);
}

/// Gone with the process.
struct TemporaryDirectory {
  TemporaryDirectory()
      : path(fs::exists("/dev/shm") ? "/dev/shm/atcd-fuzz-XXXXXX" : "/tmp/atcd-fuzz-XXXXXX") {
    must(mkdtemp(path.data()) != nullptr);
  }
  ~TemporaryDirectory() { fs::remove_all(path); }
  std::string path;
};

// ---- a request

const Config& some_config() {
  static const Config made = [] {
    const auto read = parse_config(
        "[[feed]]\nexchange = \"binance\"\nmarket = \"spot\"\nsymbols = [\"BTCUSDT\", \"*USDT\"]\n"
        "intervals = [\"1m\"]\n[[feed]]\nexchange = \"bybit\"\nmarket = \"linear\"\nsymbols = [\"ETHUSDT\"]\n"
        "intervals = [\"1m\", \"1h\"]\n");
    must(read.errors.empty());
    return read.config;
  }();
  return made;
}

bool same(const ControlRequest& a, const ControlRequest& b) {
  return a.command == b.command && a.feed == b.feed && a.symbols == b.symbols && a.series == b.series &&
         a.level == b.level && a.after == b.after;
}

/// One line of JSON, an object.
void must_be_answer(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  must(json.find('\n') == std::string::npos);
  must(parser.parse(json).get(object) == simdjson::SUCCESS);
}

void change_symbols(const ControlRequest& request) {
  Config config = some_config();
  const bool add = request.command == "add";
  const std::string error = (add ? add_symbols : remove_symbols)(config, request.feed, request.symbols);
  must_be_answer(control_usage_json(error));
  for (std::size_t i = 0; i < config.feeds.size(); ++i) {
    const FeedConfig &before = some_config().feeds[i], &after = config.feeds[i];
    must(error.empty() || (after.symbols == before.symbols && after.exclude == before.exclude));
    must(!after.symbols.empty());
  }
  must(check_config(config).empty());
}

/// What is answered to the line, where nothing but the line is looked at.
std::string answer_to(std::string_view line) {
  const auto [request, error] = parse_control_request(line);
  if (!error.empty()) return control_usage_json(error);
  std::string json = control_request_json(request);
  const bool ascii = std::all_of(line.begin(), line.end(), [](char c) { return c > 0; });
  // What is no UTF-8 is replaced; "\ud800" in the line is no character either.
  if (ascii && line.find('\\') == std::string_view::npos)
    must(same(parse_control_request(json).request, request));
  if (request.command == "add" || request.command == "remove") change_symbols(request);
  return json;
}

// ---- servers

/// What comes back of what is sent, until the server has closed the connection.
template <class Protocol>
std::string exchange(asio::io_context& io, const typename Protocol::endpoint& server, std::string_view bytes,
                     std::size_t piece) {
  typename Protocol::socket client(io);
  client.connect(server);
  std::string received;
  std::array<char, 4096> buffer;
  bool ended = false;
  const std::function<void()> read = [&] {
    client.async_read_some(asio::buffer(buffer),
                           [&](const boost::system::error_code& error, std::size_t size) {
                             received.append(buffer.data(), size);
                             ended = static_cast<bool>(error);
                             if (!ended) read();
                           });
  };
  read();
  for (std::size_t at = 0; at < bytes.size() && !ended; at += piece) {
    boost::system::error_code gone;
    asio::write(client, asio::buffer(bytes.substr(at, piece)), gone);
    io.poll();
  }
  boost::system::error_code ignored;
  client.shutdown(Protocol::socket::shutdown_send, ignored);
  while (!ended) must(io.run_one_for(std::chrono::seconds(5)) > 0);
  return received;
}

struct Servers {
  Servers()
      : control(io,
                [](std::string_view line, const ControlServer::Answer& answer) { answer(answer_to(line)); },
                {kLongestLine, 4, std::chrono::seconds(60)}),
        web(io, {asio::ip::make_address("127.0.0.1"), 0},
            {kLongestHeader, 4, std::chrono::seconds(60), std::chrono::seconds(60)}) {
    wait_on_after_alarms();
    must(control.listen(directory.path, "fuzz").empty());
    web.serve({{"/page", [] { return HttpAnswer{200, "text/plain", std::string(kPage)}; }}});
    const std::string address = web.address();
    web_endpoint = {asio::ip::make_address("127.0.0.1"),
                    static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)))};
  }

  TemporaryDirectory directory;
  asio::io_context io;
  ControlServer control;
  HttpServer web;
  asio::ip::tcp::endpoint web_endpoint;
};

Servers& servers() {
  static Servers made;
  return made;
}

void ask_control(std::string_view bytes, std::size_t piece) {
  const std::string received =
      exchange<asio::local::stream_protocol>(servers().io, servers().control.path(), bytes, piece);
  std::string expected;
  for (std::size_t end = 0; (end = bytes.find('\n')) != std::string_view::npos;
       bytes.remove_prefix(end + 1)) {
    if (end >= kLongestLine) break;
    expected += answer_to(bytes.substr(0, end)) + "\n";
  }
  // What is left is no line, or one that is too long.
  if (bytes.size() >= kLongestLine && bytes.find('\n') >= kLongestLine)
    expected += control_error_json("the line is longer than 128 bytes") + "\n";
  must(received == expected);
}

void ask_web(std::string_view bytes, std::size_t piece) {
  std::string received = exchange<asio::ip::tcp>(servers().io, servers().web_endpoint, bytes, piece);
  std::size_t answers = 0;
  const bool heads = bytes.find("HEAD") != std::string_view::npos;  // their answers have no body
  while (!received.empty() && !heads) {
    http::response_parser<http::string_body> parser;
    parser.eager(true);
    boost::system::error_code error;
    const std::size_t taken = parser.put(asio::buffer(received), error);
    must(!error && parser.is_done() && taken > 0);
    const auto& answer = parser.get();
    const unsigned status = answer.result_int();
    must(status == 200 || status == 400 || status == 404 || status == 405 || status == 413 || status == 431);
    must((status == 200) == (answer.body() == kPage));
    received.erase(0, taken);
    ++answers;
  }
  must(answers <= bytes.size() / 16 + 1);  // no request is shorter, and one refusal
  while (servers().web.connections() > 0) must(servers().io.run_one_for(std::chrono::seconds(5)) > 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t piece = data[1] == ' ' ? size : 1 + data[1] % 64;  // that is sent at once
  switch (data[0] % 3) {                                               // '0' to '2'
    case 0:
      must_be_answer(answer_to(text));
      break;
    case 1:
      ask_control(text, piece);
      break;
    default:
      ask_web(text, piece);
  }
  return 0;
}
