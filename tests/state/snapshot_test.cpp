#include "state/snapshot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "state/history_files.hpp"
#include "tests/state/bars.hpp"

namespace atcd::state {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSeries = 5;
constexpr std::string_view kConfig = "0123456789abcdef";

class SnapshotTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-snapshot-XXXXXX").string();
    directory_ = mkdtemp(form.data());
  }
  void TearDown() override { fs::remove_all(directory_); }

  static std::string name(std::size_t series) { return "series:" + std::string(series * 3, 's'); }
  /// What was saved of a series: a pure function of its number and the snapshot's.
  static std::vector<std::byte> engine(std::size_t series, int snapshot) {
    return std::vector<std::byte>(100 + 7 * series,
                                  static_cast<std::byte>(series + 16 * static_cast<std::size_t>(snapshot)));
  }
  static std::vector<std::string> pieces(int snapshot) {
    std::vector<std::string> made(1, snapshot_header(snapshot));
    for (std::size_t series = 0; series < kSeries; ++series) {
      const auto saved = engine(series, snapshot);
      append_entry(made.emplace_back(), {name(series), kConfig, 1, 2, series, some_bars(1, 1)[0], saved});
    }
    return made;
  }
  std::string path() const { return directory_ + "/snapshot"; }
  static std::string read(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void write(const std::string& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  }
  /// How many entries are there; each is one that was written.
  static std::size_t count_true(const Snapshot& snapshot) {
    std::size_t found = 0;
    for (std::size_t series = 0; series < kSeries; ++series) {
      const auto entry = snapshot.find(name(series));
      if (!entry) continue;
      ++found;
      const auto taken = static_cast<int>(snapshot.taken_ms());
      const auto saved = engine(series, taken);
      EXPECT_TRUE(std::equal(entry->engine.begin(), entry->engine.end(), saved.begin(), saved.end()));
      EXPECT_EQ(entry->config, kConfig);
      EXPECT_EQ(entry->corrections, series);
      EXPECT_EQ(entry->last_bar, some_bars(1, 1)[0]);
    }
    EXPECT_EQ(found, snapshot.size());
    return found;
  }
  void clear() {
    fs::remove_all(directory_);
    fs::create_directory(directory_);
  }

  std::string directory_;
};

TEST_F(SnapshotTest, GivesWhatWasWritten) {
  EXPECT_EQ(Snapshot(directory_).size(), 0U);
  EXPECT_TRUE(Snapshot(directory_).problems().empty());
  ASSERT_EQ(write_snapshot(directory_, pieces(1)), "");
  const Snapshot snapshot(directory_);
  EXPECT_EQ(count_true(snapshot), kSeries);
  EXPECT_FALSE(snapshot.find("another"));
  EXPECT_TRUE(snapshot.problems().empty());
}

TEST_F(SnapshotTest, TheOneBeforeStandsInForOneThatIsGoneOrUseless) {
  ASSERT_EQ(write_snapshot(directory_, pieces(1)), "");
  ASSERT_EQ(write_snapshot(directory_, pieces(2)), "");
  EXPECT_EQ(Snapshot(directory_).taken_ms(), 2);
  write(path(), "nothing");
  {
    const Snapshot snapshot(directory_);
    EXPECT_EQ(snapshot.taken_ms(), 1);
    EXPECT_EQ(count_true(snapshot), kSeries);
    EXPECT_THAT(snapshot.problems(), testing::ElementsAre(testing::HasSubstr("set aside as")));
  }
  EXPECT_TRUE(fs::exists(path() + ".damaged-1"));
  // A crash between the two renames.
  const Snapshot snapshot(directory_);
  EXPECT_EQ(snapshot.taken_ms(), 1);
  EXPECT_TRUE(snapshot.problems().empty());
}

TEST_F(SnapshotTest, CutAnywhereItGivesOnlyWhatIsTrueAndIsSetAside) {
  ASSERT_EQ(write_snapshot(directory_, pieces(1)), "");
  const std::string whole = read(path());
  for (std::size_t end = 0; end < whole.size(); ++end) {
    clear();
    write(path(), whole.substr(0, end));
    const Snapshot snapshot(directory_);
    ASSERT_LT(count_true(snapshot), kSeries) << end;
    // A cut between two entries looks like the end.
    ASSERT_EQ(fs::exists(path()), snapshot.problems().empty());
  }
}

TEST_F(SnapshotTest, WithBitsFlippedOrBytesZeroedItGivesOnlyWhatIsTrue) {
  ASSERT_EQ(write_snapshot(directory_, pieces(1)), "");
  const std::string whole = read(path());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const bool zero : {false, true}) {
      std::string changed = whole;
      changed[at] = zero ? '\0' : static_cast<char>(changed[at] ^ (1 << (at % 8)));
      if (changed == whole) continue;
      clear();
      write(path(), changed);
      const Snapshot snapshot(directory_);
      ASSERT_GE(count_true(snapshot) + 1, at < 32 ? 1 : kSeries) << at;
      ASSERT_FALSE(snapshot.problems().empty()) << at;
    }
  }
}

TEST_F(SnapshotTest, AnotherVersionIsRefusedWithAReasonAndLeftAsItIs) {
  ASSERT_EQ(write_snapshot(directory_, pieces(1)), "");
  const std::string whole = read(path());
  struct Case {
    std::size_t at;
    const char* words;
  };
  for (const Case& each :
       {Case{8, "version 9 is not 2"}, Case{12, "byte order"}, Case{16, "engine version"}}) {
    std::string changed = whole;
    std::uint32_t value = 9;
    std::memcpy(changed.data() + each.at, &value, sizeof value);
    const std::uint32_t checksum = checksum_of(changed.data() + 8, 24);
    std::memcpy(changed.data() + 4, &checksum, sizeof checksum);
    write(path(), changed);
    const Snapshot snapshot(directory_);
    EXPECT_EQ(snapshot.size(), 0U);
    EXPECT_THAT(snapshot.problems(), testing::ElementsAre(testing::HasSubstr(each.words)));
    EXPECT_TRUE(fs::exists(path()));
  }
}

TEST_F(SnapshotTest, AFullDiskIsASentenceAndTheSnapshotThatIsThereStays) {
  ASSERT_EQ(write_snapshot(directory_, pieces(1)), "");
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit none{100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &none);
  const std::string error = write_snapshot(directory_, pieces(2));
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  EXPECT_THAT(error, testing::HasSubstr("snapshot.new: writing to it"));
  EXPECT_FALSE(fs::exists(path() + ".new")) << "it takes the room of what else is to be written";
  const Snapshot snapshot(directory_);
  EXPECT_EQ(snapshot.taken_ms(), 1);
  EXPECT_EQ(count_true(snapshot), kSeries);
}

}  // namespace
}  // namespace atcd::state
