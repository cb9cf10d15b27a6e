#include "state/mapped_file.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace atcd::state {
namespace {

namespace fs = std::filesystem;

TEST(MappedFile, WhatCannotBeReadIsAnErrorAndNoSignal) {
  std::string form = (fs::temp_directory_path() / "atcd-mapped-XXXXXX").string();
  const fs::path folder = mkdtemp(form.data());
  const std::string path = folder / "file";
  const std::string written(100'000, 'x');
  MappedFile file;
  ASSERT_TRUE(file.open(path, MappedFile::Access::write));
  ASSERT_TRUE(file.write(0, written.data(), written.size()));
  EXPECT_EQ(file.readable(99'000, 1000).size(), 1000U);
  fs::resize_file(path, 50'000);
  EXPECT_TRUE(file.readable(99'000, 1000).empty());
  EXPECT_THAT(file.error(), testing::AllOf(testing::HasSubstr(path), testing::HasSubstr("reading it")));
  ASSERT_EQ(file.readable(49'000, 1000).size(), 1000U);
  EXPECT_EQ(static_cast<char>(file.readable(49'000, 1000)[999]), 'x');
  EXPECT_TRUE(file.readable(45'000, 90'000).empty()) << "more than there ever was";
  fs::remove_all(folder);
}

TEST(MappedFile, WhatIsWrittenToARemovedFileIsNotOnTheDisk) {
  std::string form = (fs::temp_directory_path() / "atcd-mapped-XXXXXX").string();
  const fs::path folder = mkdtemp(form.data());
  const std::string path = folder / "file";
  MappedFile file;
  ASSERT_TRUE(file.open(path, MappedFile::Access::write));
  ASSERT_TRUE(file.write(0, "bar", 3));
  EXPECT_TRUE(file.sync());
  fs::remove_all(folder);
  ASSERT_TRUE(file.write(3, "bar", 3));
  EXPECT_FALSE(file.sync());
  EXPECT_THAT(file.error(), testing::AllOf(testing::HasSubstr(path), testing::HasSubstr("it was removed")));
}

}  // namespace
}  // namespace atcd::state
