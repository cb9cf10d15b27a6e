#include "daemon/pipeline.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "daemon/bulk.hpp"
#include "daemon/redis_login.hpp"
#include "tests/deadline.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;

/// A stop that is killed while a slow disk still takes bars did not end in order, and the next start says so.
TEST(Pipeline, TheMarkOfTheRunGoesOnceTheHistoryIsClosed) {
  std::string folder = (fs::temp_directory_path() / "atcd-pipeline-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const std::unique_ptr<const std::string, void (*)(const std::string*)> removed(
      &folder, [](const std::string* path) { fs::remove_all(*path); });
  Config config;
  config.threads = 1;
  config.state_directory = folder;
  const state::RedisServer redis;
  config.redis.url = redis.url();
  config.profiles = {ProfileConfig{}};
  std::string error;
  const auto login = redis_login(config.redis, error);
  ASSERT_TRUE(login) << error;
  gpu::Planner planner({nullptr, 1});
  Bulk bulk(planner);
  boost::asio::io_context io;
  auto pipeline = std::make_unique<Pipeline>(io, config, *login, bulk);
  pipeline->start();
  bool drained = false;
  pipeline->stop([&](const Drained&) { drained = true; });
  const auto end = std::chrono::steady_clock::now() + tests::deadline();
  while (!drained && std::chrono::steady_clock::now() < end) {
    io.restart();
    io.run_one_for(std::chrono::milliseconds(10));
  }
  ASSERT_TRUE(drained);
  EXPECT_TRUE(fs::exists(folder + "/running"));
  pipeline.reset();
  EXPECT_FALSE(fs::exists(folder + "/running"));
}

}  // namespace
}  // namespace atcd::daemon
