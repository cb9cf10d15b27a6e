#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/csv_compute.hpp"
#include "daemon/scan.hpp"
#include "engine/dispatch.hpp"
#include "gpu/device.hpp"
#include "gpu/planner.hpp"
#include "tests/daemon/csv_walk.hpp"
#include "tests/daemon/whole_csv.hpp"
#include "tests/gpu/injected_device.hpp"
#include "tests/locations.hpp"

// The paths of compute and scan, the device among them: here mostly one that computes with the engine.

namespace atcd::daemon {
namespace {

namespace fs = std::filesystem;
using gpu::InjectedDevice;
using gpu::Outcome;

TEST(ComputePathTest, CudaHasTheDeviceComputeTheWholeSeries) {
  ComputeOptions options;
  options.dump = true;
  options.extras = {"trend"};
  const CsvBars bars = walk(300);
  const std::string expected = compute_csv(options, bars).text;
  InjectedDevice::Script script;
  gpu::Planner::Options forced;
  forced.choice = gpu::Choice::device;
  gpu::Planner planner(forced, std::make_unique<InjectedDevice>(script));
  options.path = "cuda";
  options.planner = &planner;
  EXPECT_EQ(check_options(options), std::vector<std::string>{});
  EXPECT_TRUE(compute_csv(options, bars).text == expected);
  EXPECT_EQ(script.computed, 1);
  EXPECT_EQ(compute_csv(options, walk(20)).error,
            "there are 20 bars, but the longest length outside KAMA needs 34");
  script.calls[1] = {Outcome::Kind::out_of_memory, "CUDA: device memory: out of memory"};
  const TextResult failed = compute_csv(options, bars);
  EXPECT_EQ(failed.error, "--path cuda: CUDA: device memory: out of memory");
  EXPECT_EQ(failed.text, "");
}

TEST(ComputePathTest, CudaRefusesWhatItCannotComputeAsAWhole) {
  ComputeOptions options;
  options.path = "cuda";
  const CsvBars bars = walk(300);
  const auto read = [&bars](std::size_t, CsvBars& to) {
    to = bars;
    return std::string();
  };
  bool wrote = false;
  const auto write = [&wrote](std::string_view) { return wrote = true; };
  EXPECT_EQ(compute_csv(options, read, write, 299),
            "there are more than 299 bars, which is the most that --path cuda computes; other paths have no "
            "such limit");
  EXPECT_FALSE(wrote);
  std::string error;
  options.live_anchors = parse_live_anchors("binance:spot:BTCUSDT:1m:default", error);
  EXPECT_EQ(check_options(options),
            (std::vector<std::string>{
                "--path is cuda, but must be another with --live-anchors, which goes bar by bar"}));
}

class FolderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-path-XXXXXX").string();
    folder_ = mkdtemp(form.data());
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const CsvBars& bars) const {
    std::ofstream file(folder_ / name);
    file.precision(17);
    file << "close\n";
    for (const double close : bars.closes) file << close << '\n';
  }

  fs::path folder_;
};

class ScanPathTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    for (unsigned i = 0; i < 40; ++i) write(std::to_string(i) + ".csv", walk(100 + 37 * i, i));
    expected_ = scan_with({});
  }

  ScanOptions with_device(gpu::Choice choice) {
    ScanOptions options;
    options.choice = choice;
    options.group_bars = 2'000;
    options.device = [this] { return std::make_unique<InjectedDevice>(script_); };
    return options;
  }
  ScanResult scan_with(const ScanOptions& options) const {
    return scan(folder_.string(), options, [](std::size_t, std::size_t) {});
  }
  void expect_the_same_rows(const ScanResult& result) const {
    EXPECT_EQ(result.refused, std::vector<std::string>{});
    ASSERT_EQ(result.rows.size(), expected_.rows.size());
    for (std::size_t i = 0; i < result.rows.size(); ++i) {
      EXPECT_EQ(result.rows[i].series, expected_.rows[i].series);
      EXPECT_EQ(result.rows[i].average, expected_.rows[i].average);
      EXPECT_EQ(result.rows[i].layer1, expected_.rows[i].layer1);
      EXPECT_EQ(result.rows[i].bars, expected_.rows[i].bars);
    }
  }

  InjectedDevice::Script script_;
  ScanResult expected_;
};

TEST_F(ScanPathTest, EveryKernelGivesTheSameRows) {
  for (const engine::Kernel* kernel : engine::available_kernels()) {
    ScanOptions options;
    options.kernel = kernel;
    options.whole_bars = 500;  // longer ones bar by bar
    expect_the_same_rows(scan_with(options));
  }
}

TEST_F(ScanPathTest, AForcedDeviceComputesAllGroupsForAllThreads) {
  ScanOptions options = with_device(gpu::Choice::device);
  options.threads = 3;
  expect_the_same_rows(scan_with(options));
  EXPECT_GE(script_.computed, 10);
  EXPECT_FALSE(script_.overlapped);
}

TEST_F(ScanPathTest, AForcedDeviceThatDoesNotStartIsAnError) {
  script_.start = {Outcome::Kind::no_device, "there is no NVIDIA driver"};
  try {
    scan_with(with_device(gpu::Choice::device));
    FAIL() << "there was a result";
  } catch (const std::runtime_error& error) {
    EXPECT_STREQ(error.what(), "--path cuda: there is no NVIDIA driver");
  }
}

TEST_F(ScanPathTest, AForcedDeviceThatIsLostLeavesItsSeriesRefused) {
  script_.calls[1] = {Outcome::Kind::failed, "CUDA: computing: unspecified launch failure"};
  const ScanResult result = scan_with(with_device(gpu::Choice::device));
  EXPECT_EQ(result.rows.size() + result.refused.size(), 40U);
  ASSERT_FALSE(result.refused.empty());
  EXPECT_TRUE(result.refused[0].ends_with(": --path cuda: CUDA: computing: unspecified launch failure"));
}

TEST_F(ScanPathTest, AutomaticStartsADeviceForManySeriesOnly) {
  ScanOptions options = with_device(gpu::Choice::automatic);
  expect_the_same_rows(scan_with(options));
  EXPECT_EQ(script_.started, 0);
  options.threads = 2;
  options.device_series_per_thread = 21;
  expect_the_same_rows(scan_with(options));
  EXPECT_EQ(script_.started, 0);
  options.device_series_per_thread = 20;
  expect_the_same_rows(scan_with(options));
  EXPECT_EQ(script_.started, 1);
  script_.start = {Outcome::Kind::no_device, "there is no NVIDIA driver"};
  expect_the_same_rows(scan_with(options));
}

class ProgramPathTest : public FolderTest {
 protected:
  void SetUp() override {
    FolderTest::SetUp();
    ASSERT_TRUE(fs::exists(ATCD_PROGRAM)) << "the program is not built: " << ATCD_PROGRAM;
  }
  std::string run(const std::string& arguments, int& status) const {
    const fs::path output = folder_ / "output";
    const std::string command =
        std::string(ATCD_PROGRAM) + " " + arguments + " > " + output.string() + " 2>&1";
    const int result = std::system(command.c_str());
    status = WIFEXITED(result) ? WEXITSTATUS(result) : -1;
    std::ostringstream text;
    text << std::ifstream(output).rdbuf();
    return text.str();
  }
};

TEST_F(ProgramPathTest, WithoutADeviceThePathCudaSaysWhy) {
  const gpu::DeviceReport report = gpu::find_devices();
  if (!report.devices.empty()) GTEST_SKIP() << "there is a device";
  write("walk.csv", walk(100));
  int status = -1;
  EXPECT_EQ(run("compute " + (folder_ / "walk.csv").string() + " --path cuda", status),
            "atcd compute: --path cuda: " + report.reason + '\n');
  EXPECT_EQ(status, 1);
  EXPECT_EQ(run("scan " + folder_.string() + " --path cuda", status),
            "atcd scan: --path cuda: " + report.reason + '\n');
  EXPECT_EQ(status, 1);
  EXPECT_NE(run("scan " + folder_.string() + " --path incremental", status)
                .find("(allowed: baseline, scalar, avx2, avx512, neon, cuda, auto)"),
            std::string::npos);
  EXPECT_EQ(status, 2);
  EXPECT_NE(run("scan " + folder_.string() + " --path baseline", status).find("walk"), std::string::npos);
  EXPECT_EQ(status, 0);
}

TEST_F(ProgramPathTest, WithADeviceThePathCudaWritesTheSameOfEveryGoldenFile) {
  if (const auto report = gpu::find_devices(); report.devices.empty()) GTEST_SKIP() << report.reason;
  int files = 0, status = -1;
  for (const char* dialect : {"lts", "pine"}) {
    for (const auto& entry : fs::directory_iterator(fs::path(ATCD_SOURCE_DIR) / "tests/golden" / dialect)) {
      if (!entry.path().string().ends_with(".csv.gz") || entry.path().stem().stem().has_extension()) continue;
      const std::string arguments =
          "compute --dump --dialect " + std::string(dialect) + ' ' + entry.path().string();
      const std::string expected = run(arguments, status);
      const int expected_status = status;
      EXPECT_EQ(run(arguments + " --path cuda", status), expected) << entry.path();
      EXPECT_EQ(status, expected_status) << entry.path();
      ++files;
    }
  }
  EXPECT_GT(files, 0);
  write("walk.csv", walk(1'000));
  const std::string expected = run("scan " + folder_.string(), status);
  EXPECT_EQ(run("scan " + folder_.string() + " --path cuda", status), expected);
}

TEST_F(ProgramPathTest, CompareTellsByItsStatusWhetherAChartAgrees) {
  write("walk.csv", walk(100));
  const std::string input = (folder_ / "walk.csv").string(), chart = (folder_ / "chart.csv").string();
  int status = -1;
  run("compute " + input + " -o " + chart, status);
  ASSERT_EQ(status, 0);
  const std::string report = run("compute " + input + " --compare " + chart, status);
  EXPECT_NE(report.find("\nAverage_Signal: 100 of 100 agree to "), std::string::npos) << report;
  EXPECT_EQ(status, 0);
  const std::string other = run("compute " + input + " --lengths ema=20 --compare " + chart, status);
  EXPECT_NE(other.find("; first difference: bar "), std::string::npos) << other;
  EXPECT_EQ(status, 1);
  EXPECT_EQ(run("compute " + input + " --compare " + (folder_ / "none.csv").string(), status)
                .find("atcd compute: "),
            0U);
  EXPECT_EQ(status, 1);
  EXPECT_NE(run("compute " + input + " -o x --compare " + chart, status).find("must not be given with it"),
            std::string::npos);
  EXPECT_EQ(status, 2);
}

}  // namespace
}  // namespace atcd::daemon
