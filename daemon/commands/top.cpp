#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/control_target.hpp"
#include "daemon/top_view.hpp"

namespace atcd::daemon {
namespace {

using Clock = std::chrono::steady_clock;

struct TopOptions {
  ControlTarget target;
  double delay_s = 1;
  bool once = false;
  std::string sort = "s";
};

volatile std::sig_atomic_t ended = 0;
void on_signal(int number) {
  if (number != SIGWINCH) ended = 1;
}

TopData fetch(ControlClient& client) {
  TopData data;
  ControlRequest request;
  request.command = "status";
  take_status(data, client.ask(request));
  request.command = "feeds";
  take_feeds(data, client.ask(request));
  request.command = "series";
  do {
    request.after = take_rows(data, client.ask(request));
  } while (!request.after.empty());
  return data;
}

/// The terminal without echo and line ends, on its other screen; as it was when this goes.
class RawTerminal {
 public:
  RawTerminal() {
    tcgetattr(STDIN_FILENO, &before_);
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
    std::cout << "\x1b[?1049h\x1b[?25l" << std::flush;
  }
  ~RawTerminal() {
    std::cout << "\x1b[?25h\x1b[?1049l" << std::flush;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
};

class Top {
 public:
  explicit Top(const TopOptions& options) : options_(options) {
    if (options.sort != "s") view_.on_key(options.sort);  // it is sorted by series to begin with
  }

  void once() {
    ControlClient client(options_.target);
    std::cout << view_.plain(fetch(client));
  }

  void run() {
    client_ = std::make_unique<ControlClient>(options_.target);  // throws where there is none to begin with
    sigset_t waited_for, before;
    sigemptyset(&waited_for);
    struct sigaction action {};
    action.sa_handler = on_signal;
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) {
      sigaction(number, &action, nullptr);
      sigaddset(&waited_for, number);
    }
    // Heard only while we wait, so that none comes between looking and waiting.
    sigprocmask(SIG_BLOCK, &waited_for, &before);
    const RawTerminal terminal;
    Clock::time_point next{};
    while (ended == 0) {
      if (Clock::now() >= next) {
        refresh();
        next = Clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(options_.delay_s * 1000));
      }
      draw();
      if (!keys(before, next)) return;
    }
  }

 private:
  /// A daemon that goes is waited for: it may be restarted. It also ends a connection that was idle for long.
  void refresh() {
    for (int attempt = 0; attempt < 2; ++attempt) {
      try {
        if (!client_) client_ = std::make_unique<ControlClient>(options_.target);
        data_ = fetch(*client_);
        return trouble_.clear();
      } catch (const std::exception& failure) {
        client_.reset();
        trouble_ = failure.what();
      }
    }
  }

  void draw() {
    winsize size{};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0;
    const std::size_t width = known ? size.ws_col : 80, height = known ? size.ws_row : 24;
    std::vector<std::string> lines = view_.screen(data_, width, height);
    if (!trouble_.empty()) lines.back() = trouble_.substr(0, width);
    std::string out = "\x1b[H";
    for (std::size_t i = 0; i < lines.size(); ++i) out += (i == 0 ? "" : "\n") + lines[i] + "\x1b[K";
    std::cout << out << "\x1b[J" << std::flush;
  }

  /// Waits for keys until then. False when one asks for the end.
  bool keys(const sigset_t& signals, Clock::time_point until) {
    const auto left = std::max(until - Clock::now(), Clock::duration::zero());
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    const timespec wait{ns / 1'000'000'000, ns % 1'000'000'000};
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (ppoll(&input, 1, &wait, &signals) <= 0) return true;
    std::array<char, 256> bytes{};
    const ssize_t count = read(STDIN_FILENO, bytes.data(), bytes.size());
    if (count == 0 || (count < 0 && errno != EINTR && errno != EAGAIN)) return false;  // the terminal is gone
    std::string_view typed(bytes.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
    while (!typed.empty()) {
      const std::string_view key = typed.substr(0, key_length(typed));
      if (!view_.on_key(key)) return false;
      typed.remove_prefix(key.size());
    }
    return true;
  }

  /// An escape sequence is one key: ESC [ parameters letter-or-~.
  static std::size_t key_length(std::string_view typed) {
    if (typed.size() < 3 || typed[0] != '\x1b' || typed[1] != '[') return 1;
    std::size_t end = 2;
    while (end < typed.size() && (typed[end] < '@' || typed[end] > '~')) ++end;
    return std::min(end + 1, typed.size());
  }

  const TopOptions& options_;
  TopView view_;
  TopData data_;
  std::unique_ptr<ControlClient> client_;
  std::string trouble_;
};

int run_top(const TopOptions& options) {
  try {
    Top top(options);
    if (options.once || isatty(STDIN_FILENO) == 0 || isatty(STDOUT_FILENO) == 0) {
      top.once();
    } else {
      top.run();
    }
    return kDone;
  } catch (const std::exception& failure) {
    std::cerr << "atcd: " << failure.what() << '\n';
    return kFailed;
  }
}

}  // namespace

void add_top_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand(
      "top", "Live view of a running daemon's series; a table, once, where it is no terminal");
  auto options = std::make_shared<TopOptions>();
  add_control_options(*command, options->target);
  command->add_flag("--once", options->once, "A plain table, once");
  command->add_option("--delay", options->delay_s, "Seconds between updates [1]")
      ->check(CLI::Range(0.1, 3600.0));
  command
      ->add_option("--sort", options->sort,
                   "s series, t state, a average, d trend, g age, l lag: also the keys; again: reversed [s]")
      ->type_name("s|t|a|d|g|l")
      ->check(CLI::IsMember({"s", "t", "a", "d", "g", "l"}).description(""));
  command->callback([options, &status] { status = run_top(*options); });
}

}  // namespace atcd::daemon
