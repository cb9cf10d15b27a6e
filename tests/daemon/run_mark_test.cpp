#include "daemon/run_mark.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace atcd::daemon {
namespace {

TEST(RunMark, TellsARunThatDidNotEndInOrder) {
  const std::string directory = testing::TempDir() + "run_mark_test";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directory(directory);
  {
    RunMark first(directory);
    EXPECT_TRUE(first.last_run_ended()) << "there was none";
    first.ended();
  }
  {
    RunMark second(directory);
    EXPECT_TRUE(second.last_run_ended());
  }  // killed
  RunMark third(directory);
  EXPECT_FALSE(third.last_run_ended());
  EXPECT_EQ(third.problem(), "");
  third.ended();
  {
    RunMark fourth(directory);
    EXPECT_TRUE(fourth.last_run_ended());
    std::ofstream(directory + "/running") << "1\n";  // of a daemon that has begun since
    fourth.ended();
  }
  EXPECT_FALSE(RunMark(directory).last_run_ended());
  std::filesystem::remove_all(directory);
}

TEST(RunMark, ADirectoryThatIsNotThereIsNamed) {
  EXPECT_NE(RunMark("/nonexistent/atcd").problem().find("/nonexistent/atcd/running"), std::string::npos);
}

}  // namespace
}  // namespace atcd::daemon
