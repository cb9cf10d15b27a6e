#include "daemon/control_server.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/post.hpp>
#include <filesystem>
#include <thread>
#include <vector>

#include "daemon/control_client.hpp"
#include "daemon/control_path.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;

/// A server on a thread of its own that answers each line with itself in brackets; "later" only when told to.
class Rig {
 public:
  explicit Rig(const ControlLimits& limits = {})
      : directory_(make_directory()),
        server_(
            io_,
            [this](std::string_view line, ControlServer::Answer answer) {
              if (line == "later") {
                kept_.push_back(std::move(answer));
              } else {
                answer("[" + std::string(line) + "]");
              }
            },
            limits) {
    error_ = server_.listen(directory_, "main");
    path_ = server_.path();
    thread_ = std::thread([this] { io_.run(); });
  }
  ~Rig() {
    on_its_thread([this] { server_.stop([this] { io_.stop(); }); });
    thread_.join();
    fs::remove_all(directory_);
  }

  static std::string make_directory() {
    std::string path = (fs::temp_directory_path() / "atcd-control-XXXXXX").string();
    return mkdtemp(path.data());
  }

  template <class Task>
  void on_its_thread(Task task) {
    boost::asio::post(io_, task);
  }
  void answer_later(const std::string& text) {
    on_its_thread([this, text] {
      for (const auto& answer : kept_) answer(text);
      kept_.clear();
    });
  }

  boost::asio::io_context io_;
  std::string directory_;
  std::vector<ControlServer::Answer> kept_;
  ControlServer server_;
  std::string error_, path_;
  std::thread thread_;
};

/// A client that sends whatever it likes.
class Peer {
 public:
  explicit Peer(const std::string& path) : descriptor_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), std::begin(address.sun_path));
    const timeval longest{20, 0};  // a server that says nothing fails the test
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &longest, sizeof(longest));
    connected_ = connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~Peer() { close(descriptor_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// The next line; "" where the connection ends first.
  std::string line() {
    for (std::size_t looked_at = 0;;) {
      if (const auto end = received_.find('\n', looked_at); end != std::string::npos) {
        std::string text = received_.substr(0, end);
        received_.erase(0, end + 1);
        return text;
      }
      std::array<char, 4096> buffer;
      const ssize_t count = recv(descriptor_, buffer.data(), buffer.size(), 0);
      if (count <= 0) return "";
      looked_at = received_.size();
      received_.append(buffer.data(), static_cast<std::size_t>(count));
    }
  }
  bool connected() const { return connected_; }

 private:
  int descriptor_;
  bool connected_ = false;
  std::string received_;
};

TEST(ControlServer, AnswersLineByLine) {
  Rig rig;
  ASSERT_EQ(rig.error_, "");
  Peer peer(rig.path_);
  peer.send("one\ntwo\nth");
  EXPECT_EQ(peer.line(), "[one]");
  EXPECT_EQ(peer.line(), "[two]");
  peer.send("ree\n\n");
  EXPECT_EQ(peer.line(), "[three]");
  EXPECT_EQ(peer.line(), "[]");
}

TEST(ControlServer, OnlyTheOwnerMayEnter) {
  Rig rig;
  struct stat found {};
  ASSERT_EQ(stat(rig.path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
}

TEST(ControlServer, AnotherUserIsRefusedEvenWhereItCanConnect) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  Rig rig;
  chmod(rig.directory_.c_str(), 0755);
  chmod(rig.path_.c_str(), 0666);
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(12345) != 0 || setuid(12345) != 0) _exit(2);
    Peer peer(rig.path_);
    peer.send("one\n");
    _exit(peer.line().find("only the daemon's own user and root") != std::string::npos ? 0 : 1);
  }
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(ControlServer, AnAnswerMayComeLaterAndOthersAreServedMeanwhile) {
  Rig rig;
  Peer slow(rig.path_), quick(rig.path_);
  slow.send("later\nnext\n");
  quick.send("now\n");
  EXPECT_EQ(quick.line(), "[now]");
  rig.answer_later("at last");
  EXPECT_EQ(slow.line(), "at last");
  EXPECT_EQ(slow.line(), "[next]");
}

TEST(ControlServer, AnAnswerToOneWhoHasGoneIsDropped) {
  Rig rig;
  {
    Peer gone(rig.path_);
    gone.send("later\n");
    Peer other(rig.path_);
    other.send("now\n");
    EXPECT_EQ(other.line(), "[now]");
  }
  rig.answer_later("nobody hears it");
  Peer next(rig.path_);
  next.send("still here\n");
  EXPECT_EQ(next.line(), "[still here]");
}

TEST(ControlServer, ALineThatIsTooLongIsRefusedAndTheConnectionEnds) {
  Rig rig({.line_bytes = 1000});
  Peer peer(rig.path_);
  peer.send(std::string(5000, 'x'));
  EXPECT_NE(peer.line().find("longer than 1000 bytes"), std::string::npos);
  EXPECT_EQ(peer.line(), "");
}

TEST(ControlServer, ConnectionsBeyondTheLimitAreRefusedUntilOneGoes) {
  Rig rig({.connections = 3});
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(std::make_unique<Peer>(rig.path_));
    peers.back()->send("x\n");
    EXPECT_EQ(peers.back()->line(), "[x]");
  }
  for (int i = 0; i < 100; ++i) {
    Peer refused(rig.path_);
    ASSERT_NE(refused.line().find("3 connections already"), std::string::npos);
  }
  peers.pop_back();
  for (std::string answer; answer != "[x]";) {  // until the server has noticed
    Peer taken(rig.path_);
    taken.send("x\n");
    answer = taken.line();
    EXPECT_FALSE(answer.empty());
  }
}

TEST(ControlServer, AnIdleConnectionEnds) {
  Rig rig({.idle = std::chrono::milliseconds(50)});
  Peer peer(rig.path_);
  peer.send("half a line");
  EXPECT_EQ(peer.line(), "");
}

TEST(ControlServer, WhatADeadProcessLeftIsReplaced) {
  const std::string directory = Rig::make_directory(), path = directory + "/main.sock";
  const pid_t child = fork();
  if (child == 0) {
    boost::asio::io_context io;
    ControlServer server(io, [](std::string_view, const ControlServer::Answer&) {});
    _exit(server.listen(directory, "main").empty() ? 0 : 1);  // nothing is cleaned up
  }
  int status = 1;
  waitpid(child, &status, 0);
  ASSERT_EQ(status, 0);
  ASSERT_TRUE(fs::exists(path));
  boost::asio::io_context io;
  ControlServer server(io, [](std::string_view, const ControlServer::Answer&) {});
  EXPECT_EQ(server.listen(directory, "main"), "");
  EXPECT_TRUE(Peer(path).connected());
  fs::remove_all(directory);
}

TEST(ControlServer, ThatOfALivingDaemonIsNotTaken) {
  Rig rig;
  boost::asio::io_context io;
  ControlServer second(io, [](std::string_view, const ControlServer::Answer&) {});
  const std::string error = second.listen(rig.directory_, "main");
  EXPECT_NE(error.find("another daemon has the control socket"), std::string::npos) << error;
  Peer peer(rig.path_);
  peer.send("still the first\n");
  EXPECT_EQ(peer.line(), "[still the first]");
  EXPECT_EQ(second.listen(rig.directory_, "other"), "");
}

TEST(ControlServer, APathThatIsTooLongIsNamed) {
  boost::asio::io_context io;
  ControlServer server(io, [](std::string_view, const ControlServer::Answer&) {});
  const std::string directory = "/tmp/" + std::string(100, 'd');
  const std::string error = server.listen(directory, "main");
  EXPECT_NE(error.find("at most 107"), std::string::npos) << error;
  EXPECT_NE(error.find(directory), std::string::npos) << error;
}

TEST(ControlServer, TheLastAnswerIsWrittenBeforeItStops) {
  auto rig = std::make_unique<Rig>();
  Peer peer(rig->path_);
  peer.send("later\n");
  Peer other(rig->path_);
  other.send("x\n");
  EXPECT_EQ(other.line(), "[x]");
  const std::string large(3'000'000, 'a');
  rig->answer_later(large);
  std::thread reader([&] { EXPECT_EQ(peer.line().size(), large.size()); });
  const std::string path = rig->path_;
  rig.reset();
  reader.join();
  EXPECT_FALSE(fs::exists(path));
}

TEST(ControlPath, ADirectoryOfOthersIsRefusedAndAnOpenOneIsClosed) {
  const std::string base = Rig::make_directory();
  EXPECT_EQ(prepare_control_directory(base + "/new"), "");
  struct stat found {};
  ASSERT_EQ(stat((base + "/new").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700U);
  chmod((base + "/new").c_str(), 0755);
  EXPECT_EQ(prepare_control_directory(base + "/new"), "");
  ASSERT_EQ(stat((base + "/new").c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0700U);
  fs::create_symlink(base + "/new", base + "/link");
  if (geteuid() == 0) {
    EXPECT_EQ(prepare_control_directory(base + "/link"), "") << "the service manager makes such links";
    ASSERT_EQ(lchown((base + "/link").c_str(), 12345, 12345), 0);
  }
  EXPECT_EQ(prepare_control_directory(base + "/link"), base + "/link is no directory");
  EXPECT_NE(prepare_control_directory(base + "/none/deeper"), "");
  if (geteuid() == 0) {
    ASSERT_EQ(chown((base + "/new").c_str(), 12345, 12345), 0);
    EXPECT_NE(prepare_control_directory(base + "/new").find("belongs to user 12345"), std::string::npos);
  }
  fs::remove_all(base);
}

TEST(ControlPath, FollowsTheServiceManagerThenTheUserThenTheSystem) {
  setenv("RUNTIME_DIRECTORY", "/run/a:/run/b", 1);
  EXPECT_EQ(control_directories(), std::vector<std::string>{"/run/a"});
  unsetenv("RUNTIME_DIRECTORY");
  setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
  const std::string last = "/tmp/atcd-" + std::to_string(geteuid());
  EXPECT_EQ(control_directories(), (std::vector<std::string>{"/run/user/7/atcd", "/run/atcd", last}));
  unsetenv("XDG_RUNTIME_DIR");
  EXPECT_EQ(control_directories(), (std::vector<std::string>{"/run/atcd", last}));
}

TEST(ControlClient, SaysWhereItLooked) {
  try {
    ControlClient client({"nobody-has-this-name", ""});
    FAIL();
  } catch (const std::runtime_error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("instance \"nobody-has-this-name\""), std::string::npos) << text;
    EXPECT_NE(text.find("/run/atcd/nobody-has-this-name.sock"), std::string::npos) << text;
  }
}

TEST(ControlClient, GetsTheAnswer) {
  Rig rig;
  ControlClient client({"", rig.path_});
  ControlRequest request;
  request.command = "status";
  EXPECT_EQ(client.ask(request), R"([{"command":"status"}])");
  EXPECT_EQ(client.ask(request), R"([{"command":"status"}])");
}

}  // namespace
}  // namespace atcd::daemon
