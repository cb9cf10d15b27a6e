#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "daemon/csv_compute.hpp"
#include "daemon/csv_table.hpp"
#include "daemon/output_file.hpp"
#include "tests/daemon/whole_csv.hpp"

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("compute_stream_test_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const char* name) const { return (folder_ / name).string(); }
  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::size_t files() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()));
  }

  fs::path folder_;
};

/// Bars of a minute, of which some slots have none; with missing closes where the dialect takes them.
CsvBars walk(std::size_t count, bool missing) {
  std::mt19937 random(11);
  CsvBars bars;
  double price = 100;
  std::int64_t open_ms = 1'700'000'040'000;
  for (std::size_t i = 0; i < count; ++i) {
    price *= 1 + (static_cast<double>(random() % 2001) - 1000) * 1e-5;
    bars.closes.push_back(missing && random() % 50 == 0 ? std::numeric_limits<double>::quiet_NaN() : price);
    bars.sources.push_back(price * 0.99);
    bars.open_ms.push_back(open_ms);
    bars.lines.push_back(i + 2);
    open_ms += random() % 20 == 0 ? 180'000 : 60'000;
  }
  return bars;
}

/// Gives bars piece by piece, as a file does, and remembers how many were ever asked to be held.
class Feed {
 public:
  explicit Feed(const CsvBars& bars) : bars_(bars) {}

  std::string read(std::size_t most, CsvBars& to) {
    for (std::size_t i = 0; i < most && next_ < bars_.size(); ++i, ++next_) {
      to.closes.push_back(bars_.closes[next_]);
      to.sources.push_back(bars_.sources[next_]);
      to.open_ms.push_back(bars_.open_ms[next_]);
      to.lines.push_back(bars_.lines[next_]);
    }
    most_held_ = std::max(most_held_, to.size());
    return {};
  }

  std::size_t given() const { return next_; }
  std::size_t most_held() const { return most_held_; }

 private:
  const CsvBars& bars_;
  std::size_t next_ = 0, most_held_ = 0;
};

struct Streamed {
  std::string text, error;
  std::size_t longest_piece = 0, most_held = 0, given_at_first_piece = 0;
};

Streamed stream(const ComputeOptions& options, const CsvBars& bars, std::size_t whole_bars) {
  Streamed result;
  Feed feed(bars);
  result.error = compute_csv(
      options, [&](std::size_t most, CsvBars& to) { return feed.read(most, to); },
      [&](std::string_view text) {
        if (result.text.empty()) result.given_at_first_piece = feed.given();
        result.longest_piece = std::max(result.longest_piece, text.size());
        result.text += text;
        return true;
      },
      whole_bars);
  result.most_held = feed.most_held();
  return result;
}

ComputeOptions with_anchors(std::int64_t history_bars, std::int64_t anchor_period) {
  ComputeOptions options;
  std::string error;
  options.live_anchors = parse_live_anchors("binance:spot:BTCUSDT:1m:default", error);
  options.live_anchors->rule.history_bars = history_bars;
  options.live_anchors->rule.anchor_period = anchor_period;
  options.extras = {"time", "trend", "bar_index", "anchor_ms", "previous_trend", "trend_since_ms"};
  return options;
}

TEST(ComputeStreamTest, WhatIsStreamedHasTheBytesOfTheWhole) {
  std::vector<ComputeOptions> all(5);
  for (const auto path : kPathNames) {
    all.emplace_back();
    all.back().path = path;
    // Not on this processor; and the device's is never streamed.
    if (!check_options(all.back()).empty() || path == "cuda") all.pop_back();
  }
  all[1].parameters.dialect = engine::Dialect::pine;
  all[1].parameters.cutout = 5000;
  all[2].dump = true;
  all[2].extras = {"time", "trend"};
  all[3].parameters.strategy_mode = true;
  all[3].parameters.lengths = {20, 33, 25, 18, 40, 15};
  all[4].parameters.robustness = engine::Robustness::wide;
  all.push_back(with_anchors(300, 200));
  all.push_back(with_anchors(90, 5000));
  all.push_back(with_anchors(20'000, 100));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const CsvBars bars = walk(9000, all[i].parameters.dialect == engine::Dialect::lts);
    const TextResult whole = compute_csv(all[i], bars);
    ASSERT_EQ(whole.error, "") << i;
    for (const std::size_t whole_bars : {std::size_t{100}, bars.size() - 1}) {
      const Streamed streamed = stream(all[i], bars, whole_bars);
      EXPECT_EQ(streamed.error, "") << i;
      EXPECT_TRUE(streamed.text == whole.text) << "options " << i << ", " << whole_bars << " as a whole";
    }
  }
}

TEST(ComputeStreamTest, NeitherBarsNorTextAreHeldForLong) {
  constexpr std::size_t kPiece = 4096;
  const CsvBars bars = walk(60'000, true);
  const Streamed plain = stream({}, bars, 5000);
  EXPECT_LE(plain.given_at_first_piece, 5001U);
  EXPECT_LE(plain.most_held, 5001U);
  EXPECT_LE(plain.longest_piece, kPiece * 300);
  const Streamed anchored = stream(with_anchors(300, 200), bars, 1000);
  EXPECT_LE(anchored.most_held, 500 + kPiece);
}

TEST(ComputeStreamTest, WhatIsRefusedLateNamesItsLineAndEndsThere) {
  CsvBars bars = walk(20'000, false);
  bars.closes[18'500] = -1;
  const Streamed streamed = stream({}, bars, 100);
  EXPECT_EQ(streamed.error, "line 18502: close is -1, but must be a finite number above 0, or empty");
  const auto rows = std::count(streamed.text.begin(), streamed.text.end(), '\n');
  EXPECT_GT(rows, 8192);
  EXPECT_LE(rows, 18'501);
  bars.closes.resize(18'500), bars.sources.resize(18'500), bars.open_ms.resize(18'500),
      bars.lines.resize(18'500);
  EXPECT_TRUE(compute_csv({}, bars).text.starts_with(streamed.text));

  bars.open_ms[9'000] = bars.open_ms[8'999];
  EXPECT_EQ(stream(with_anchors(60, 60), bars, 100).error,
            "line 9002: open_ms is " + std::to_string(bars.open_ms[9'000]) +
                ", but must be later than that of the bar before");
}

TEST(ComputeStreamTest, TooFewBarsAreKnownAtTheEnd) {
  ComputeOptions options;
  options.parameters.cutout = 5000;
  EXPECT_EQ(stream(options, walk(5000, false), 100).error,
            "cutout is 5000, but must be below the number of bars, 5000");
  EXPECT_EQ(stream(options, walk(5001, false), 100).error, "");
  EXPECT_EQ(stream({}, walk(20, false), 5).error,
            "there are 20 bars, but the longest length outside KAMA needs 34");
}

TEST(ComputeStreamTest, WhoTakesNoMoreIsGivenNoMore) {
  const CsvBars bars = walk(30'000, false);
  for (const std::size_t whole_bars : {std::size_t{100}, bars.size()}) {
    int calls = 0;
    const auto refuse = [&](std::string_view) { return ++calls < 2; };
    Feed feed(bars);
    EXPECT_EQ(compute_csv(
                  {}, [&](std::size_t most, CsvBars& to) { return feed.read(most, to); }, refuse, whole_bars),
              "");
    EXPECT_EQ(calls, 2);
  }
}

class CsvBarFileTest : public FolderTest {
 protected:
  /// All bars, a few at a time.
  static CsvResult read_few(const std::string& path) {
    CsvResult result;
    CsvBarFile file(path);
    for (std::size_t before = 1; result.error.empty() && before != result.bars.size();) {
      before = result.bars.size();
      result.error = file.read(3, result.bars);
    }
    return result;
  }
};

TEST_F(CsvBarFileTest, GivesTheBarsOfTheWholeText) {
  std::string large = "open_ms,src,close\r\n";
  for (int i = 0; i < 60'000; ++i) {
    large +=
        std::to_string(i * 60'000LL) + "," + (i % 7 == 0 ? "" : "2.5") + ",1." + std::to_string(i) + "\r\n";
    if (i % 1000 == 0) large += "\n";
  }
  const std::string texts[] = {"",
                               "\n",
                               "close",
                               "close\n",
                               "\xEF\xBB\xBF"
                               "close\n1\n\n3",
                               "close,a\n1,2\n\n3,4\n",
                               large};
  for (const std::string& text : texts) {
    const CsvResult whole = parse_csv_bars(text);
    std::ofstream(path("plain.csv"), std::ios::binary) << text;
    gzFile gz = gzopen(path("packed.csv.gz").c_str(), "wb");
    gzwrite(gz, text.data(), static_cast<unsigned>(text.size()));
    gzclose(gz);
    for (const char* name : {"plain.csv", "packed.csv.gz"}) {
      const CsvResult pieces = read_few(path(name));
      EXPECT_EQ(pieces.error, whole.error);
      ASSERT_EQ(pieces.bars.size(), whole.bars.size());
      for (std::size_t i = 0; i < whole.bars.size(); ++i) {
        const bool both_missing = std::isnan(pieces.bars.closes[i]) && std::isnan(whole.bars.closes[i]);
        ASSERT_TRUE(both_missing || pieces.bars.closes[i] == whole.bars.closes[i]) << i;
      }
      EXPECT_EQ(pieces.bars.lines, whole.bars.lines);
      EXPECT_EQ(pieces.bars.open_ms, whole.bars.open_ms);
    }
  }
}

TEST_F(CsvBarFileTest, WhatCannotBeReadIsSaid) {
  EXPECT_EQ(read_few(path("none.csv")).error, "cannot open it: No such file or directory");
  EXPECT_EQ(read_few(folder_.string()).error, "cannot read it: Is a directory");
  std::ofstream(path("long.csv")) << "close\n1\n"
                                  << std::string(CsvBarFile::kLongestLine + 1, '1') << "\n2\n";
  EXPECT_EQ(read_few(path("long.csv")).error, "line 3: it is longer than 1048576 bytes");
  std::ofstream(path("bad.csv")) << "close\n1\nx\n";
  EXPECT_EQ(read_few(path("bad.csv")).error,
            "line 3: close is \"x\", but must be a number within a double's range, or empty");
}

/// What gzip(1) makes of the text.
std::string packed(const std::string& text, const std::string& path) {
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  std::ifstream written(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(written), {}};
}

TEST_F(CsvBarFileTest, OfWhatLiesBehindTheEndOfAPackedFileNoRowIsLeftOutInSilence) {
  const std::string first = packed("close\n1\n2\n", path("a")), second = packed("3\n4\n", path("b"));
  const auto read = [&](const std::string& bytes) {
    std::ofstream(path("packed.csv.gz"), std::ios::binary) << bytes;
    return read_few(path("packed.csv.gz"));
  };
  for (const std::string& zeros : {std::string(), std::string(70'000, '\0')}) {
    const CsvResult both = read(first + second + zeros);
    EXPECT_EQ(both.error, "");
    EXPECT_EQ(both.bars.closes, (std::vector<double>{1, 2, 3, 4}));
  }
  EXPECT_EQ(read(first + "3\n4\n").error, "cannot read it: incorrect header check");
  for (std::size_t cut = 1; cut < second.size(); ++cut) {
    EXPECT_EQ(read(first + second.substr(0, cut)).error, "cannot read it: unexpected end of file") << cut;
    EXPECT_FALSE(read(first.substr(0, cut)).error.empty()) << cut;
  }
  std::string damaged = first;
  damaged[first.size() - 6] ^= 1;  // its checksum
  EXPECT_EQ(read(damaged).error, "cannot read it: incorrect data check");
}

class OutputFileTest : public FolderTest {};

TEST_F(OutputFileTest, IsThereWholeOrNotAtAll) {
  {
    OutputFile file(path("new"));
    EXPECT_TRUE(file.write("half"));
    EXPECT_FALSE(fs::exists(path("new")));
  }
  EXPECT_EQ(files(), 0U);

  std::ofstream(path("old")) << "before";
  ::chmod(path("old").c_str(), 0600);
  fs::create_symlink("old", path("link"));
  {
    OutputFile file(path("link"));
    EXPECT_TRUE(file.write("after"));
    EXPECT_EQ(read(path("old")), "before");
    EXPECT_TRUE(file.commit());
  }
  EXPECT_EQ(read(path("old")), "after");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(fs::status(path("old")).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_EQ(files(), 2U);
}

TEST_F(OutputFileTest, ADeviceStaysOne) {
  OutputFile nothing("/dev/null");
  EXPECT_TRUE(nothing.write("text") && nothing.commit());
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  OutputFile full("/dev/full");
  EXPECT_FALSE(full.write("text") && full.commit());
  EXPECT_EQ(full.error(), "cannot write to /dev/full: No space left on device");
  OutputFile none(path("none/file"));
  EXPECT_FALSE(none.write("text"));
  EXPECT_EQ(none.error(), "cannot write to " + path("none/file") + ": No such file or directory");
}

}  // namespace
}  // namespace atcd::daemon
