#include "daemon/bar_archive.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>

namespace atcd::daemon {
namespace {

constexpr std::int64_t kMinute = 60'000;

engine::Bar bar(std::int64_t slot) {
  const double price = 100 + static_cast<double>(slot);
  return {slot * kMinute, (slot + 1) * kMinute, price, price + 1, price - 1, price, 5};
}

state::StoredBars bars(std::int64_t from, std::int64_t to) {
  state::StoredBars stored{{}, from * kMinute, to * kMinute};
  for (std::int64_t slot = from; slot < to; ++slot) stored.bars.push_back(bar(slot));
  return stored;
}

class BarArchiveTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (std::filesystem::temp_directory_path() / "atcd-archive-XXXXXX").string();
    directory_ = mkdtemp(form.data());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  /// One run of a daemon.
  struct Run {
    explicit Run(const std::string& directory) : store(directory, 1), archive(store, 0, io) {}
    boost::asio::io_context io;
    BarStore store;
    BarArchive archive;
  };

  std::string directory_;
};

TEST_F(BarArchiveTest, WhoComesAgainGoesOnWithWhatItLeft) {
  Run run(directory_);
  const BarArchive::Opened opened = run.archive.open("a");
  EXPECT_TRUE(opened.bars.bars.empty());
  EXPECT_FALSE(run.archive.has_bars("a"));

  const state::LateBar late{bar(20), 40 * kMinute};
  run.archive.left("a", {opened.handle, bars(10, 50), 2, {late}}, true, 0);
  EXPECT_TRUE(run.archive.has_bars("a"));
  EXPECT_EQ(run.archive.end_ms("a"), 50 * kMinute);
  const BarArchive::Opened again = run.archive.open("a");
  EXPECT_EQ(again.handle, opened.handle);
  EXPECT_EQ(again.bars.bars, bars(10, 50).bars);
  EXPECT_EQ(again.bars.covered_from_ms, 10 * kMinute);
  EXPECT_EQ(again.bars.covered_to_ms, 50 * kMinute);
  EXPECT_EQ(again.corrections, 2U);
  EXPECT_EQ(again.late, std::vector{late});
  EXPECT_FALSE(run.archive.has_bars("a")) << "it is there";
}

TEST_F(BarArchiveTest, WhoHadNoBarLeavesWhatTheDiskHad) {
  const auto store = [&](const char* name) {
    Run before(directory_);
    const auto handle = before.archive.open(name).handle;
    for (std::int64_t slot = 0; slot < 3; ++slot) before.archive.writer().append(handle, bar(slot), 0);
    before.archive.writer().commit();
  };
  store("a");
  Run run(directory_);
  ASSERT_EQ(run.archive.open("a").bars.bars, bars(0, 3).bars);
  run.archive.left_unused("a");
  const BarArchive::Opened again = run.archive.open("a");
  EXPECT_EQ(again.bars.bars, bars(0, 3).bars);
  run.archive.left("a", {again.handle, bars(0, 4), 0, {}}, false, 0);
  run.archive.open("a");
  run.archive.left_unused("a");
  EXPECT_TRUE(run.archive.open("a").bars.bars.empty()) << "it had bars once: the disk is not what it left";
}

TEST_F(BarArchiveTest, WhereASeriesEndsIsKnownAlsoWhenItsTailHasJustBecomeABlock) {
  {
    Run before(directory_);
    const auto handle = before.archive.open("a").handle;
    before.archive.open("empty");
    for (const std::int64_t slot : {0, 1, 3})
      before.archive.writer().append(handle, bar(slot), std::min<std::int64_t>(slot, 2) * kMinute);
    before.archive.writer().add_missing(handle, bar(2), 1);
    before.archive.writer().commit();
  }
  Run run(directory_);
  EXPECT_EQ(run.archive.end_ms("a"), 4 * kMinute) << "or another instrument's bars go on after these";
  EXPECT_EQ(run.archive.end_ms("empty"), 0);
  EXPECT_EQ(run.archive.open("a").bars.bars, bars(0, 4).bars);
}

// A listing time that is corrected must not be taken for another instrument's.
TEST_F(BarArchiveTest, WhereASeriesBeginsIsKnown) {
  {
    Run before(directory_);
    const auto handle = before.archive.open("long").handle, other = before.archive.open("short").handle;
    before.archive.open("empty");
    for (std::int64_t slot = 110; slot < 700; ++slot)
      before.archive.writer().append(handle, bar(slot), std::max<std::int64_t>(slot - 10, 100) * kMinute);
    before.archive.writer().insert(handle, {bar(95)}, 90 * kMinute, 100 * kMinute);
    before.archive.writer().append(other, bar(7), 0);
    before.archive.writer().commit();
  }
  Run run(directory_);
  constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(run.archive.first_close_ms("long"), 96 * kMinute);
  EXPECT_EQ(run.archive.first_close_ms("short"), 8 * kMinute) << "not where it is covered from";
  EXPECT_EQ(run.archive.first_close_ms("empty"), kNone);
  EXPECT_EQ(run.archive.first_close_ms("new"), kNone);
  run.archive.left("short", run.archive.open("short"), true, 0);
  EXPECT_EQ(run.archive.first_close_ms("short"), 0) << "it may have had older bars since";
}

TEST_F(BarArchiveTest, WhatTheDiskHadIsNotReadBehindItsBack) {
  {
    Run before(directory_);
    const auto handle = before.archive.open("a").handle;
    for (std::int64_t slot = 0; slot < 100; ++slot)
      before.archive.writer().append(handle, bar(slot), slot * kMinute);
    before.archive.writer().commit();
  }
  Run run(directory_);
  BarArchive::Opened opened = run.archive.open("a");
  const std::int64_t newest_from_ms = opened.bars.covered_from_ms;
  ASSERT_GT(newest_from_ms, 0) << "only the newest are taken at once";

  // Before it was written to it may read the older ones still,
  run.archive.left("a", std::move(opened), false, 0);
  opened = run.archive.open("a");
  EXPECT_EQ(opened.bars.covered_from_ms, newest_from_ms);
  EXPECT_EQ(run.archive.earlier("a", newest_from_ms, 0).covered_from_ms, 0);

  // but once it had them they may have become others.
  run.archive.left("a", std::move(opened), true, 0);
  opened = run.archive.open("a");
  EXPECT_TRUE(run.archive.earlier("a", newest_from_ms, 0).bars.empty());
  EXPECT_EQ(run.archive.earlier("a", newest_from_ms, 0).covered_from_ms, newest_from_ms);
}

TEST_F(BarArchiveTest, WhatIsDamagedIsTold) {
  {
    Run before(directory_);
    const auto handle = before.archive.open("a").handle;
    for (std::int64_t slot = 0; slot < 600; ++slot)
      before.archive.writer().append(handle, bar(slot), slot * kMinute);
    before.archive.writer().commit();
  }
  std::fstream blocks(directory_ + "/history/blocks", std::ios::in | std::ios::out | std::ios::binary);
  blocks.seekp(200);
  blocks.put('\x55').put('\xaa');
  blocks.close();
  Run run(directory_);
  const BarArchive::Opened opened = run.archive.open("a");
  EXPECT_TRUE(run.archive.take_problems().empty()) << "nothing of it was read yet";
  EXPECT_EQ(run.archive.earlier("a", opened.bars.covered_from_ms, 0).covered_from_ms, 512 * kMinute);
  EXPECT_EQ(run.archive.take_problems().size(), 1U);
  EXPECT_TRUE(run.archive.take_problems().empty()) << "it was told";
}

TEST_F(BarArchiveTest, AnotherInstrumentDoesNotGoOnWithThem) {
  Run run(directory_);
  const auto handle = run.archive.open("a").handle;
  run.archive.left("a", {handle, bars(10, 50), 0, {}}, true, 0);
  run.archive.begin_anew("a", {}, 50 * kMinute);
  EXPECT_FALSE(run.archive.has_bars("a"));
  EXPECT_EQ(run.archive.end_ms("a"), 0);
  const BarArchive::Opened again = run.archive.open("a");
  EXPECT_NE(again.handle, handle);
  EXPECT_TRUE(again.bars.bars.empty());
}

TEST_F(BarArchiveTest, ThoseWhoWentFirstAreForgottenFirst) {
  Run run(directory_);
  constexpr std::int64_t kBars = 100'000;  // twelve such series are as much as is held
  constexpr int kSeries = 14;
  for (int i = 0; i < kSeries; ++i)
    run.archive.left("s" + std::to_string(i), {0, bars(0, kBars), 0, {}}, true, i);
  const auto held = [&] {
    int count = 0;
    for (int i = 0; i < kSeries; ++i) count += run.archive.has_bars("s" + std::to_string(i)) ? 1 : 0;
    return count;
  };
  run.archive.trim(10'000);
  EXPECT_EQ(held(), kSeries) << "all may come again at once";
  run.archive.trim(3'600'000);
  EXPECT_EQ(held(), 11);
  EXPECT_FALSE(run.archive.has_bars("s2"));
  EXPECT_TRUE(run.archive.has_bars("s3"));
  EXPECT_EQ(run.archive.end_ms("s2"), kBars * kMinute) << "its end is still known";
}

}  // namespace
}  // namespace atcd::daemon
