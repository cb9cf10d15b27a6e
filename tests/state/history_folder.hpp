#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "state/history.hpp"
#include "tests/state/bars.hpp"

namespace atcd::state {

/// A test with a history in a folder of its own.
class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (std::filesystem::temp_directory_path() / "atcd-history-XXXXXX").string();
    directory_ = mkdtemp(form.data());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string path(const char* file) const { return directory_ + "/" + file; }

  static void append(History& history, const std::string& name, std::span<const engine::Bar> bars) {
    const auto series = history.add(name);
    ASSERT_TRUE(series) << history.error();
    for (const engine::Bar& bar : bars) {
      ASSERT_TRUE(history.append(*series, bar, bar.open_time_ms)) << history.error();
    }
  }

  std::vector<engine::Bar> reread(const std::string& name) const {
    History history(directory_, History::Access::read);
    const auto series = history.find(name);
    return series ? history.newest(*series, 0).bars : std::vector<engine::Bar>{};
  }

  std::string read(const char* file) const {
    std::ifstream in(path(file), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const char* file, const std::string& bytes) const {
    std::ofstream(path(file), std::ios::binary | std::ios::trunc) << bytes;
  }

  /// What a damaged history still gives must be true: a run of the bars that were written, not one other.
  /// `says_so`: of damage in the last row of a tail nothing can be known, as rows behind it are none.
  void expect_part_of(const std::vector<engine::Bar>& written, const std::string& what,
                      bool says_so = true) const {
    History history(directory_, History::Access::write);
    const auto series = history.find("a");
    if (!series) return;
    const StoredBars stored = history.newest(*series, 0);
    const auto first = std::find_if(written.begin(), written.end(), [&](const engine::Bar& bar) {
      return !stored.bars.empty() && bar == stored.bars[0];
    });
    ASSERT_TRUE(stored.bars.empty() || first != written.end()) << what;
    ASSERT_LE(stored.bars.size(), static_cast<std::size_t>(written.end() - first)) << what;
    ASSERT_TRUE(std::equal(stored.bars.begin(), stored.bars.end(), first)) << what;
    if (says_so && stored.bars.size() < written.size()) {
      ASSERT_FALSE(history.problems().empty()) << what;
    }
    if (!stored.bars.empty()) {
      ASSERT_LE(stored.covered_to_ms, written.back().close_time_ms) << what;
    }
  }

  std::string directory_;
};

}  // namespace atcd::state
