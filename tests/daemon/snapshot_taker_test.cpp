#include "daemon/snapshot_taker.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <thread>

#include "tests/daemon/no_threads.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;

class SnapshotTakerTest : public testing::Test {
 protected:
  SnapshotTakerTest()
      : directory_(fs::temp_directory_path() / ("atcd-taker." + std::to_string(getpid()))),
        taker_(directory_, 0) {
    fs::create_directories(directory_);
  }
  ~SnapshotTakerTest() override { fs::remove_all(directory_); }

  std::string result() {
    std::optional<std::string> problem;
    while (!(problem = taker_.take_result())) std::this_thread::yield();
    return *problem;
  }

  fs::path directory_;
  SnapshotTaker taker_;
};

TEST_F(SnapshotTakerTest, IsWrittenOnceAllPartsAreThere) {
  ASSERT_TRUE(taker_.begin(2));
  EXPECT_FALSE(taker_.begin(2));
  taker_.add({});
  EXPECT_FALSE(taker_.take_result());
  taker_.add({});
  EXPECT_EQ(result(), "");
  EXPECT_TRUE(fs::exists(directory_ / "snapshot"));
  EXPECT_GT(taker_.last_success_ms(), 0);
  EXPECT_FALSE(taker_.busy());
}

TEST_F(SnapshotTakerTest, WithoutAThreadItIsToldAndTheNextOneIsWritten) {
  ASSERT_TRUE(taker_.begin(1));
  {
    const NoThreads none;
    taker_.add({});
  }
  EXPECT_THAT(result(), testing::HasSubstr("no thread could be had"));
  EXPECT_EQ(taker_.last_success_ms(), 0);
  ASSERT_TRUE(taker_.begin(1));
  taker_.add({});
  EXPECT_EQ(result(), "");
}

}  // namespace
}  // namespace atcd::daemon
