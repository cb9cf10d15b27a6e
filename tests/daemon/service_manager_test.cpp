#include "daemon/service_manager.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

namespace atcd::daemon {
namespace {

/// Where a service manager listens; it reads when it is told to.
class Manager {
 public:
  explicit Manager(const std::string& path) : path_(path), socket_(socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    if (path[0] == '@') address.sun_path[0] = 0;
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    EXPECT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }
  ~Manager() {
    unsetenv("NOTIFY_SOCKET");
    close(socket_);
    if (path_[0] == '/') unlink(path_.c_str());
  }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  std::vector<std::string> heard() const {
    std::vector<std::string> all;
    std::string text(4096, 0);
    for (;;) {
      const ssize_t length = recv(socket_, text.data(), text.size(), MSG_DONTWAIT);
      if (length < 0) return all;
      all.push_back(text.substr(0, static_cast<std::size_t>(length)));
    }
  }

 private:
  std::string path_;
  int socket_;
};

using Texts = std::vector<std::string>;

std::string path_of(const char* name) {
  return testing::TempDir() + name + std::to_string(getpid()) + ".sock";
}

TEST(ServiceManagerTest, IsToldInOrder) {
  for (const std::string& path : {path_of("manager"), "@atcd-test-" + std::to_string(getpid())}) {
    const Manager manager(path);
    ServiceManager service;
    service.tell("STATUS=begins");
    service.tell_state("READY=1");
    service.tell("WATCHDOG=1");
    EXPECT_EQ(manager.heard(), (Texts{"STATUS=begins", "READY=1", "WATCHDOG=1"})) << path;
  }
}

TEST(ServiceManagerTest, OneThatReadsNothingHoldsNobodyUpAndLearnsTheNewestState) {
  const Manager manager(path_of("stands-still"));
  ServiceManager service;
  for (int i = 0; i < 10'000; ++i) service.tell("WATCHDOG=1");
  service.tell_state("RELOADING=1");
  service.tell_state("READY=1");
  service.tell("STATUS=while nobody reads");
  const Texts before = manager.heard();
  EXPECT_LT(before.size(), 10'000U) << "it never was full: nothing was tested";
  EXPECT_EQ(before.back(), "WATCHDOG=1");
  service.tell("STATUS=goes on");
  EXPECT_EQ(manager.heard(), (Texts{"READY=1", "STATUS=goes on"}));
  service.tell("STATUS=still");
  EXPECT_EQ(manager.heard(), (Texts{"STATUS=still"})) << "a state is told once";
}

// A daemon that can open nothing more still works: it must not be killed for it.
TEST(ServiceManagerTest, IsToldWhereNoDescriptorIsFree) {
  const Manager manager(path_of("no-descriptor"));
  ServiceManager service;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  service.tell("WATCHDOG=1");
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(manager.heard(), (Texts{"WATCHDOG=1"}));
}

TEST(ServiceManagerTest, WithoutOneNobodyIsTold) {
  unsetenv("NOTIFY_SOCKET");
  ServiceManager service;
  service.tell_state("READY=1");
  service.tell("STATUS=alone");
}

}  // namespace
}  // namespace atcd::daemon
