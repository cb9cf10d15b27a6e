#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <zlib.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "tests/feeds/frame_reader.hpp"
#include "tests/locations.hpp"

namespace atcd::feeds {
namespace {

using testing::frame_text;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class Replay : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(std::filesystem::exists(ATCD_PROGRAM)) << ATCD_PROGRAM << " is not built";
    std::string form = (std::filesystem::temp_directory_path() / "atcd-replay-XXXXXX").string();
    ASSERT_NE(mkdtemp(form.data()), nullptr);
    folder_ = form;
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return (folder_ / name).string();
  }

  /// Runs `atcd replay` with the arguments; what it says of itself goes to said_.
  std::string replay(const std::string& arguments, int expected_status = 0) {
    const std::string errors = (folder_ / "stderr").string();
    return run(std::string(ATCD_PROGRAM) + " replay " + arguments + " 2>" + errors, expected_status, errors);
  }

  std::string run(const std::string& command, int expected_status, const std::string& errors) {
    FILE* pipe = popen(command.c_str(), "r");
    EXPECT_NE(pipe, nullptr);
    std::string output;
    std::array<char, 4096> piece{};
    while (const std::size_t read = fread(piece.data(), 1, piece.size(), pipe))
      output.append(piece.data(), read);
    const int status = pclose(pipe);
    std::ifstream file(errors);
    said_.assign(std::istreambuf_iterator<char>(file), {});
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), expected_status) << command << "\n" << said_;
    return output;
  }

  std::filesystem::path folder_;
  std::string said_;
  const std::string closed_ = frame_text("binance/2026-11-23-spot-kline-closed.json");
  const std::string forming_ = frame_text("binance/2026-11-23-spot-kline-forming.json");
  const std::string bar_ =
      R"({"symbol":"BTCUSDT","interval":"1m","open_ms":1795477200000,"close_ms":1795477260000,"open":91238.41,)"
      R"("high":91252.7,"low":91230.15,"close":91240,"volume":12.83455})"
      "\n";
};

TEST_F(Replay, PrintsClosedBarsOnceAndCountsTheRest) {
  const std::string ack = frame_text("binance/2026-11-23-ack.json");
  const std::string file = write("frames.jsonl", ack + "\n" + forming_ + "\r\n" + closed_ + "\n\n" + closed_ +
                                                     "\n{\"e\":\"kline\"}\nrubbish\n" + closed_);
  EXPECT_EQ(replay("--exchange binance --bars " + file), bar_);
  EXPECT_THAT(said_, HasSubstr("frames=7 klines=4 trades=0 ack=1 "));
  EXPECT_THAT(said_, HasSubstr(" malformed=2 closed=1 forming=1 duplicates=2 late=0 series=1"));
  EXPECT_THAT(said_, HasSubstr("first malformed: frame 5: "));
}

TEST_F(Replay, ReadsGzipStandardInputAndSeveralFiles) {
  const std::string packed = (folder_ / "frames.jsonl.gz").string();
  gzFile file = gzopen(packed.c_str(), "wb");
  gzwrite(file, closed_.data(), static_cast<unsigned>(closed_.size()));
  gzclose(file);
  EXPECT_EQ(replay("--exchange binance --bars " + packed), bar_);
  EXPECT_EQ(replay("--exchange binance --bars - <" + packed), bar_);
  const std::string plain = write("frames.jsonl", forming_ + "\n");
  EXPECT_EQ(replay("--exchange binance --bars " + plain + " " + packed), bar_);
}

TEST_F(Replay, ComputesASignalForEveryClosedBar) {
  std::string frames;
  for (int minute = 0; minute < 200; ++minute) {
    std::string frame = closed_;
    const std::int64_t open_ms = 1795477200000 + minute * 60'000;
    frame.replace(frame.find("1795477200000"), 13, std::to_string(open_ms));
    frame.replace(frame.find("1795477259999"), 13, std::to_string(open_ms + 59'999));
    frame.replace(frame.find("1795477260071"), 13, std::to_string(open_ms + 60'071));
    frames += frame + "\n";
  }
  const std::string output = replay("--exchange binance " + write("frames.jsonl", frames + closed_ + "\n"));
  EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 200);
  EXPECT_THAT(output, StartsWith(R"({"symbol":"BTCUSDT","interval":"1m","open_ms":1795477200000,)"
                                 R"("close_ms":1795477260000,"close":91240,"average":0,"trend":0,)"
                                 R"("previous_trend":0,"ema_signal":0,"ema_equity":1,)"));
  EXPECT_THAT(output, HasSubstr("\"kama_equity\":"));
  EXPECT_THAT(output, HasSubstr("\"bar_index\":199}\n"));
  EXPECT_THAT(said_, HasSubstr("closed=200 forming=0 duplicates=1"));
}

TEST_F(Replay, IsDeterministic) {
  const std::string file = write("frames.jsonl", closed_ + "\n" + closed_ + "\n");
  EXPECT_EQ(replay("--exchange binance " + file), replay("--exchange binance " + file));
}

TEST_F(Replay, ALineBeyondTheLimitIsMalformedAndTheNextIsRead) {
  const std::string file = write("frames.jsonl", std::string(20U << 20, 'x') + "\n" + closed_ + "\n");
  EXPECT_EQ(replay("--exchange binance --bars " + file), bar_);
  EXPECT_THAT(said_, HasSubstr("frames=2 klines=1"));
  EXPECT_THAT(said_, HasSubstr("first malformed: frame 1: too long"));
}

TEST_F(Replay, AFileThatCannotBeReadFailsAndTheOthersAreRead) {
  const std::string file = write("frames.jsonl", closed_ + "\n");
  EXPECT_EQ(replay("--exchange binance --bars /nowhere.jsonl " + folder_.string() + " " + file, 1), bar_);
  EXPECT_THAT(said_, HasSubstr("/nowhere.jsonl cannot be opened"));
  EXPECT_THAT(said_, HasSubstr(folder_.string() + " cannot be read"));
}

TEST_F(Replay, ACutOffGzipFileFails) {
  const std::string packed = (folder_ / "frames.jsonl.gz").string();
  gzFile file = gzopen(packed.c_str(), "wb");
  for (int i = 0; i < 1000; ++i) gzprintf(file, "{\"result\":null,\"id\":%d}\n", i * i);
  gzclose(file);
  std::filesystem::resize_file(packed, std::filesystem::file_size(packed) / 2);
  replay("--exchange binance --bars " + packed, 1);
  EXPECT_THAT(said_, HasSubstr("frames.jsonl.gz is cut off"));
  const std::string whole_lines =
      run("zcat " + packed + " 2>/dev/null | grep -c '}$' | tr -d '\\n'", 0, folder_ / "said");
  replay("--exchange binance --bars " + packed, 1);
  EXPECT_THAT(said_, HasSubstr("frames=" + whole_lines + " ")) << "what came before the cut";
  EXPECT_GT(std::stoi(whole_lines), 100);
}

TEST_F(Replay, PlainLinesBehindPackedOnesFail) {
  const std::string packed = (folder_ / "frames.jsonl.gz").string();
  gzFile file = gzopen(packed.c_str(), "wb");
  gzprintf(file, "%s\n", closed_.c_str());
  gzclose(file);
  std::ofstream(packed, std::ios::app) << forming_ << '\n';
  EXPECT_EQ(replay("--exchange binance --bars " + packed, 1), bar_);
  EXPECT_THAT(said_, HasSubstr("frames.jsonl.gz cannot be read: incorrect header check"));
}

TEST_F(Replay, UnknownExchangesAndMissingArgumentsAreBadUsage) {
  replay("--exchange nowhere x.jsonl", 2);
  EXPECT_THAT(said_, HasSubstr("unknown exchange and market \"nowhere spot\"; known are: binance spot"));
  replay("x.jsonl", 2);
  replay("--exchange binance", 2);
}

TEST_F(Replay, EveryRecordingGivesTheBarsThatAnIndependentReadingFinds) {
  const std::filesystem::path folder = std::filesystem::path(ATCD_SHARED_DIR) / "data/ws";
  if (!std::filesystem::exists(folder)) GTEST_SKIP() << "the recordings are not at " << folder;
  if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "/usr/bin/python3 is not installed";
  const std::map<std::string, std::string> markets = {{"binance", "spot"},
                                                      {"binance_spot", "spot"},
                                                      {"binance_us", "spot"},
                                                      {"binance_usdm", "usdm"},
                                                      {"binance_coinm", "coinm"}};
  for (const auto& [name, market] : markets) {
    std::string command = "/usr/bin/python3 " + std::string(ATCD_SOURCE_DIR) +
                          "/tests/feeds/replay_check.py " + ATCD_PROGRAM + " " + market;
    std::size_t recordings = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder / name)) {
      if (!entry.path().string().ends_with(".jsonl.gz")) continue;
      command += " " + entry.path().string();
      ++recordings;
    }
    ASSERT_GT(recordings, 0U) << name;
    const std::string errors = (folder_ / "stderr").string();
    std::fputs(run(command + " 2>" + errors, 0, errors).c_str(), stdout);
  }
}

}  // namespace
}  // namespace atcd::feeds
