// Claim: from a closing frame to the command for Redis takes at most one and a half times as long as a
// minimal chain that reads, parses and writes as many bytes. Measured spans:
// - frame_to_command: raw frame, parsed, found by its name, through its series' ledger and its prepared
// engine,
//   formatted as one FCALL into a reused buffer; no I/O.
// - frame_read_to_command_written: the same with the frame read from one socket and the command written to
// another,
//   beside the minimal chain in turn, so that whatever disturbs the machine disturbs both. The claim is about
//   TCP, as exchanges and Redis are reached; over unix sockets, which cost next to nothing, the work itself
//   is compared.
#include <benchmark/benchmark.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <simdjson.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "engine/plan.hpp"
#include "perf/frame_path.hpp"

namespace {

using namespace atcd;
using namespace atcd::perf;

void frame_to_command(benchmark::State& state) {
  const auto plan = std::make_shared<const engine::Plan>(engine::Parameters{});
  const std::vector<std::string> frames = make_frames();
  // Prepared or not, a series says the same: all commands are compared, byte by byte, before anything is
  // timed.
  Path plain(plan), prepared(plan);
  plain.say_always(kFirstOpenMs * 1000);
  prepared.say_always(kFirstOpenMs * 1000);
  for (const std::string& frame : frames) {
    plain.take(frame);
    prepared.prepare();
    prepared.take(frame);
  }
  if (plain.command() != prepared.command() || plain.command().find("FCALL") == std::string::npos) {
    state.SkipWithError("the commands differ");
    return;
  }
  auto path = std::make_unique<Path>(plan);
  std::size_t at = 0;
  for (auto _ : state) {
    if (at == frames.size()) {
      path = std::make_unique<Path>(plan);
      at = 0;
    }
    path->prepare();
    path->command().clear();
    const auto began = std::chrono::steady_clock::now();
    path->take(frames[at++]);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    benchmark::DoNotOptimize(path->command().data());
    state.SetIterationTime(took.count());
  }
}
// Reading the clock is part of the figure, some 25 ns.
BENCHMARK(frame_to_command)->UseManualTime();

// ---- with sockets, beside a minimal chain

/// Two connected sockets of this machine.
struct Pipe {
  explicit Pipe(bool tcp) {
    if (!tcp) {
      if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) std::abort();
      return;
    }
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    const int at_once = 1;
    if (bind(listener, generic, size) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, generic, &size) != 0 || connect(ends[0], generic, size) != 0 ||
        setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once) != 0 ||
        (ends[1] = accept(listener, nullptr, nullptr)) < 0)
      std::abort();
    close(listener);
  }
  ~Pipe() {
    for (const int end : ends) close(end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void write(std::string_view text) {
    if (::write(ends[0], text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
  }
  std::string_view read(std::array<char, 8192>& into) {
    const ssize_t size = ::read(ends[1], into.data(), into.size() - simdjson::SIMDJSON_PADDING);
    if (size <= 0) std::abort();
    return {into.data(), static_cast<std::size_t>(size)};
  }
  std::array<int, 2> ends{};
};

/// The least that can be called a chain: five numbers of the frame, in their documented order, and a command
/// that is ready but for two of its texts.
class MinimalChain {
 public:
  /// So many bytes are written.
  void resize(std::size_t size) { command_.resize(size, '0'); }

  const std::string& take(std::string_view frame) {
    namespace ondemand = simdjson::ondemand;
    ondemand::document document;
    const std::size_t readable = frame.size() + simdjson::SIMDJSON_PADDING;
    ondemand::object bar;
    std::string_view close;
    bool closed = false;
    if (parser_.iterate(frame.data(), frame.size(), readable).get(document) != simdjson::SUCCESS ||
        document["data"]["k"].get(bar) != simdjson::SUCCESS || bar["t"].get(open_ms_) != simdjson::SUCCESS ||
        bar["s"].get(symbol_) != simdjson::SUCCESS || bar["c"].get(close) != simdjson::SUCCESS ||
        bar["x"].get(closed) != simdjson::SUCCESS || !closed ||
        std::from_chars(close.data(), close.data() + close.size(), close_).ec != std::errc())
      std::abort();
    std::to_chars(command_.data(), command_.data() + 20, open_ms_);
    std::to_chars(command_.data() + 32, command_.data() + 64, close_);
    return command_;
  }

 private:
  simdjson::ondemand::parser parser_;
  std::string_view symbol_;
  std::int64_t open_ms_ = 0;
  double close_ = 0;
  std::string command_;
};

double percentile(std::vector<double>& nanoseconds, double part) {
  const auto at =
      nanoseconds.begin() + static_cast<std::ptrdiff_t>(part * static_cast<double>(nanoseconds.size() - 1));
  std::nth_element(nanoseconds.begin(), at, nanoseconds.end());
  return *at;
}

/// Nanoseconds from before the read to after the write.
template <class Chain>
double pass(Pipe& in, Pipe& out, std::array<char, 8192>& buffer, const std::string& frame, Chain&& chain) {
  in.write(frame);
  const auto began = std::chrono::steady_clock::now();
  const std::string& command = chain(in.read(buffer));
  out.write(command);
  const std::chrono::duration<double, std::nano> took = std::chrono::steady_clock::now() - began;
  for (std::size_t size = 0; size < command.size();) size += out.read(buffer).size();
  return took.count();
}

void frame_read_to_command_written(benchmark::State& state, bool tcp) {
  const auto plan = std::make_shared<const engine::Plan>(engine::Parameters{});
  const std::vector<std::string> frames = make_frames();
  Pipe in(tcp), out(tcp);
  std::array<char, 8192> buffer{};
  std::vector<double> ours, minimal;
  MinimalChain chain;
  for (auto _ : state) {
    Path path(plan);
    for (const std::string& frame : frames) {
      if (path.command().empty()) {  // the first: nothing has grown to its size yet
        path.take(frame);
        continue;
      }
      path.prepare();
      path.command().clear();
      const double took = pass(in, out, buffer, frame, [&](std::string_view text) -> const std::string& {
        path.take(text);
        return path.command();
      });
      chain.resize(path.command().size());
      ours.push_back(took);
      minimal.push_back(pass(in, out, buffer, frame,
                             [&](std::string_view text) -> const std::string& { return chain.take(text); }));
    }
  }
  for (const auto& [name, part] : {std::pair("p50", 0.5), {"p99", 0.99}, {"p99.9", 0.999}}) {
    const double our = percentile(ours, part), least = percentile(minimal, part);
    state.counters[std::string(name) + "_ns"] = our;
    state.counters[std::string(name) + "_minimal_ns"] = least;
    state.counters[std::string(name) + "_times"] = our / least;
  }
}
BENCHMARK_CAPTURE(frame_read_to_command_written, tcp, true)->Iterations(5)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(frame_read_to_command_written, unix, false)->Iterations(5)->Unit(benchmark::kMillisecond);

}  // namespace
