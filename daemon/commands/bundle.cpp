#include <fcntl.h>
#include <simdjson.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <openssl/crypto.h>
#include <zlib.h>
#include <boost/version.hpp>

#include "daemon/as_user.hpp"
#include "daemon/clock.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/commands/control_target.hpp"
#include "daemon/commands/table_text.hpp"
#include "daemon/config.hpp"
#include "daemon/control_client.hpp"
#include "daemon/output_file.hpp"
#include "daemon/redaction.hpp"
#include "daemon/secrets.hpp"
#include "daemon/tar_gz.hpp"
#include "daemon/top_view.hpp"
#include "daemon/version.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kMostBytes = 16 << 20;  // of a file
constexpr std::size_t kMostPasswordBytes = 4096;

struct BundleOptions {
  ControlTarget target;
  std::string output, config_path, log_path, unit;
  std::size_t lines = 5000;
};

/// Its newest bytes. What is no ordinary file has no end, or waits for a writer.
std::string file_text(const std::string& path, std::size_t newest_bytes) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  struct stat status {};
  const bool known = descriptor >= 0 && fstat(descriptor, &status) == 0;
  std::string trouble = !known                    ? std::strerror(errno)
                        : S_ISREG(status.st_mode) ? ""
                                                  : "it is no ordinary file";
  std::string text;
  if (trouble.empty()) {
    const auto size = static_cast<std::size_t>(status.st_size);
    text.resize(std::min(size, newest_bytes));
    const ssize_t count = pread(descriptor, text.data(), text.size(), static_cast<off_t>(size - text.size()));
    if (count < 0) trouble = std::strerror(errno);
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  if (descriptor >= 0) close(descriptor);
  if (!trouble.empty()) throw std::runtime_error(path + " can't be read: " + trouble);
  return text;
}

std::string last_lines(std::string text, std::size_t lines) {
  std::size_t at = text.empty() ? 0 : text.size() - 1;
  for (; at > 0; --at) {
    if (text[at - 1] == '\n' && --lines == 0) break;
  }
  return text.substr(at);
}

/// What a program writes; a sentence where it can't be run or fails.
std::string output_of(std::vector<std::string> words) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) return "no pipe can be made\n";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  if (failed != 0) text = words[0] + " can't be run: " + std::strerror(failed) + "\n";
  std::array<char, 65536> buffer;
  for (ssize_t count = 0; failed == 0 && (count = read(ends[0], buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  close(ends[0]);
  if (failed == 0) waitpid(child, nullptr, 0);
  return text;
}

/// Of the daemon's process, where it is one of ours: a daemon that was started by hand is in the user's.
std::string unit_of(pid_t pid) {
  char* name = nullptr;
  if (pid <= 0 || sd_pid_get_unit(pid, &name) < 0) return {};
  std::string unit(name);
  std::free(name);
  return unit.starts_with("atcd") && unit.ends_with(".service") ? unit : "";
}

std::string about() {
  std::string text = "made at " + time_text(utc_ms()) + " UTC\n" + version_text() +
                     "\nBoost: " BOOST_LIB_VERSION "\nOpenSSL: " + OpenSSL_version(OPENSSL_VERSION) +
                     "\nzlib: " + zlibVersion() + "\n";
  utsname machine{};
  if (uname(&machine) == 0)
    text += std::string("kernel: ") + machine.sysname + " " + machine.release + " " + machine.machine + "\n";
  std::ifstream release("/etc/os-release");
  for (std::string line; std::getline(release, line);) {
    if (line.starts_with("PRETTY_NAME=")) text += "system: " + line.substr(12) + "\n";
  }
  return text;
}

class Bundle {
 public:
  explicit Bundle(BundleOptions options) : options_(std::move(options)) {}

  void make() {
    add("about.txt", about());
    ask_daemon();
    add_config();
    add_log();
    umask(077);
    // Secrets are known only now that the configuration was read.
    for (ArchivedFile& file : files_) file.content = without_secrets(file.content, secrets_);
    const std::string bytes = tar_gz(files_, utc_ms() / 1000);
    OutputFile file(options_.output);
    if (!file.write(bytes) || !file.commit()) throw std::runtime_error(file.error());
    for (const ArchivedFile& each : files_)
      std::cout << each.name << ": " << each.content.size() << " bytes\n";
    for (const std::string& problem : problems_) std::cerr << "atcd: " << problem << '\n';
    std::cout << options_.output << ": " << bytes.size() << " bytes, passwords left out\n";
  }

 private:
  void add(const std::string& name, std::string content) {
    files_.push_back({"atcd-bundle/" + name, std::move(content)});
  }

  /// What fails is said in the archive as well: it belongs to the report.
  void problem(const std::string& name, const std::string& sentence) {
    problems_.push_back(sentence);
    add(name, sentence + "\n");
  }

  void ask_daemon() {
    try {
      ControlClient client(options_.target);
      daemon_ = client.peer();
      ControlRequest request;
      request.command = "status";
      const std::string status = client.ask(request);
      read_status(status);
      add("status.json", status + "\n");
      request.command = "feeds";
      add("feeds.json", client.ask(request) + "\n");
      request.command = "series";
      std::string pages;
      TopData read;
      do {
        const std::string page = client.ask(request);
        request.after = take_rows(read, page);
        pages += page + "\n";
      } while (!request.after.empty());
      add("series.jsonl", pages);
    } catch (const std::exception& failure) {
      problem("no-daemon.txt", failure.what());
    }
  }

  void read_status(const std::string& json) {
    simdjson::dom::parser parser;
    const simdjson::padded_string padded(json);
    simdjson::dom::element status;
    std::string_view config;
    if (parser.parse(padded).get(status) != simdjson::SUCCESS) return;
    if (options_.config_path.empty() && status["config"].get(config) == simdjson::SUCCESS) {
      options_.config_path = config;
      told_by_daemon_ = true;
    }
    std::int64_t pid = 0;
    if (options_.unit.empty() && status["pid"].get(pid) == simdjson::SUCCESS)
      options_.unit = unit_of(static_cast<pid_t>(pid));
  }

  void add_config() {
    if (options_.config_path.empty()) return problem("no-config.txt", "no configuration is known: --config");
    // Root reads what the daemon names with no more than the daemon's rights: it might name any file.
    const bool as_daemon = told_by_daemon_ && geteuid() == 0 && daemon_.user != 0;
    try {
      std::optional<AsUser> user;
      if (as_daemon) user.emplace(daemon_.user, daemon_.group);
      const std::string text = file_text(options_.config_path, kMostBytes);
      const ConfigResult result = parse_config(text);
      // Of a faulty file too: the password is then not where it is looked for, but may be in what was logged.
      keep_secret(result.config.redis.password_file);
      add("config.toml", text);
      std::string check;
      for (const std::string& line : error_lines(options_.config_path, result)) check += line + "\n";
      add("check.txt", check.empty() ? "the configuration has no errors\n" : check);
    } catch (const std::exception& failure) {
      const std::string how =
          as_daemon ? " (with the rights of the daemon's user and group alone; --config FILE names it)" : "";
      problem("no-config.txt", failure.what() + how);
    }
  }

  void keep_secret(const std::string& password_file) {
    std::string ignored;
    std::error_code error;
    if (!password_file.empty() && std::filesystem::file_size(password_file, error) > kMostPasswordBytes)
      return;
    if (!password_file.empty() && !std::filesystem::is_regular_file(password_file, error)) return;
    const auto password = read_password(password_file, ignored);
    if (password && !password->empty()) secrets_.push_back(*password);
  }

  void add_log() {
    try {
      if (!options_.log_path.empty())
        return add("log.txt", last_lines(file_text(options_.log_path, kMostBytes), options_.lines));
      if (options_.unit.empty())
        return problem("no-log.txt", "no log is known: --log FILE, or --unit of the service manager");
      add("log.txt", output_of({"journalctl", "--no-pager", "--output=short-iso-precise", "--unit",
                                options_.unit, "--lines", std::to_string(options_.lines)}));
    } catch (const std::exception& failure) {
      problem("no-log.txt", failure.what());
    }
  }

  BundleOptions options_;
  ControlClient::Peer daemon_;
  bool told_by_daemon_ = false;  // options_.config_path
  std::vector<ArchivedFile> files_;
  std::vector<std::string> secrets_, problems_;
};

int run_bundle(const BundleOptions& options) {
  try {
    Bundle(options).make();
    return kDone;
  } catch (const std::exception& failure) {
    std::cerr << "atcd: " << failure.what() << '\n';
    return kFailed;
  }
}

}  // namespace

void add_bundle_command(CLI::App& app, int& status) {
  auto* command = app.add_subcommand(
      "bundle", "One archive for a report: log, status, series, configuration and versions, without secrets");
  auto options = std::make_shared<BundleOptions>();
  command->add_option("-o,--output", options->output, "The archive")->required()->type_name("FILE.tar.gz");
  command->add_option("--config", options->config_path, "The configuration file [the running daemon's]")
      ->type_name("FILE");
  command->add_option("--log", options->log_path, "The file that the log goes to")->type_name("FILE");
  command->add_option("--unit", options->unit,
                      "Or the unit whose log the service manager has [the running daemon's]");
  command->add_option("--lines", options->lines, "Newest lines of the log [5000]")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1'000'000}));
  add_control_options(*command, options->target);
  command->callback([options, &status] { status = run_bundle(*options); });
}

}  // namespace atcd::daemon
