#include "state/history_writer.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <thread>

#include "tests/deadline.hpp"
#include "tests/state/bars.hpp"

namespace atcd::state {
namespace {

using engine::Bar;
namespace fs = std::filesystem;

class HistoryWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-writer-XXXXXX").string();
    directory_ = mkdtemp(form.data());
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::unique_ptr<HistoryWriter> writer() const {
    return std::make_unique<HistoryWriter>(std::make_unique<History>(directory_, History::Access::write));
  }
  std::vector<Bar> reread(const std::string& name) const {
    History history(directory_, History::Access::read);
    const auto series = history.find(name);
    return series ? history.newest(*series, 0).bars : std::vector<Bar>{};
  }
  static void wait_for(const std::function<bool()>& condition, const std::function<void()>& meanwhile) {
    const auto end = std::chrono::steady_clock::now() + tests::deadline();
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), end);
      meanwhile();
      std::this_thread::yield();
    }
  }

  std::string directory_;
};

TEST_F(HistoryWriterTest, WritesInOrderWhateverTheQueueHolds) {
  // More than the queue takes at once: the rest waits beside it.
  const auto a = some_bars(12'000, 1), b = some_bars(2000, 2);
  {
    const auto writing = writer();
    const auto to_a = writing->port(0).open("a"), to_b = writing->port(0).open("b");
    for (std::size_t i = 0; i < a.size(); ++i) {
      writing->port(0).append(to_a, a[i], a[i].open_time_ms);
      if (i < b.size()) writing->port(0).append(to_b, b[i], b[i].open_time_ms);
    }
    // No commit: ending it is one.
  }
  EXPECT_EQ(reread("a"), a);
  EXPECT_EQ(reread("b"), b);
}

TEST_F(HistoryWriterTest, WhatComesAllAtOnceIsWrittenMeanwhile) {
  const auto bars = some_bars(30'000, 1);
  const auto writing = writer();
  const auto series = writing->port(0).open("a");
  for (const Bar& bar : bars) writing->port(0).append(series, bar, bar.open_time_ms);
  // Nobody commits: but for the last few it goes to the disk by itself as more comes.
  std::int64_t open_ms = bars.back().close_time_ms;
  wait_for([&] { return writing->counters().written > bars.size(); },
           [&] {
             Bar next = bars.back();
             next.open_time_ms = open_ms;
             next.close_time_ms = open_ms += kMinuteMs;
             writing->port(0).append(series, next, next.open_time_ms);
           });
  EXPECT_EQ(writing->counters().dropped, 0U);
}

TEST_F(HistoryWriterTest, WritesAndSyncsWithoutBeingEnded) {
  const auto bars = some_bars(700, 1);
  const auto writing = writer();
  const auto series = writing->port(0).open("a");
  writing->port(0).insert(series, {bars.begin(), bars.begin() + 600}, bars[0].open_time_ms,
                          bars[600].open_time_ms);
  for (std::size_t i = 600; i < bars.size(); ++i)
    writing->port(0).append(series, bars[i], bars[i].open_time_ms);
  Bar corrected = bars[699];
  corrected.close += 0.5;
  writing->port(0).correct(series, corrected, 5);
  writing->port(0).commit();
  wait_for([&] { return writing->counters().syncs > 0; }, [] {});
  EXPECT_EQ(writing->counters().written, 103U);
  auto expected = bars;
  expected[699] = corrected;
  EXPECT_EQ(reread("a"), expected);
}

TEST_F(HistoryWriterTest, WhatAFullDiskRefusesIsKeptAndWrittenOnceThereIsRoom) {
  const auto bars = some_bars(2000, 1);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto writing = writer();
  const rlimit none{100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &none);
  const auto series = writing->port(0).open("a");
  for (const Bar& bar : bars) writing->port(0).append(series, bar, bar.open_time_ms);
  std::vector<std::string> problems;
  wait_for([&] { return !problems.empty(); },
           [&] {
             writing->port(0).commit();
             problems = writing->take_problems();
           });
  const bool tried_again = [&] {
    const auto failures = writing->counters().failures;
    wait_for([&] { return writing->counters().failures > failures; }, [&] { writing->port(0).commit(); });
    return true;
  }();
  EXPECT_TRUE(tried_again);
  EXPECT_TRUE(writing->take_problems().empty()) << "the same is said once";
  EXPECT_EQ(writing->counters().written, 0U);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  wait_for([&] { return writing->counters().written == 2001; }, [&] { writing->port(0).commit(); });
  EXPECT_NE(problems[0].find("File too large"), std::string::npos) << problems[0];
  EXPECT_EQ(writing->counters().dropped, 0U);
  EXPECT_EQ(reread("a"), bars);
}

TEST_F(HistoryWriterTest, WhoWakesItWithoutEndDoesNotKeepItFromWriting) {
  constexpr std::size_t kOthers = 4;
  const auto bars = some_bars(100, 1);
  HistoryWriter writing(std::make_unique<History>(directory_, History::Access::write), kOthers + 1);
  std::atomic<bool> ended{false};
  std::vector<std::thread> others;
  for (std::size_t i = 1; i <= kOthers; ++i) {
    others.emplace_back([&, i] {
      while (!ended) writing.port(i).commit();
    });
  }
  const auto series = writing.port(0).open("a");
  for (const Bar& bar : bars) writing.port(0).append(series, bar, bar.open_time_ms);
  writing.port(0).commit();
  wait_for([&] { return writing.counters().written == bars.size() + 1; }, [] {});
  ended = true;
  for (std::thread& other : others) other.join();
}

TEST_F(HistoryWriterTest, WhereBarsAreDroppedWhatIsToldOfThoseThatAreHeldIsKept) {
  const auto bars = some_bars(3, 1);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  HistoryWriter writing(std::make_unique<History>(directory_, History::Access::write), 1, 100);
  HistoryPort& port = writing.port(0);
  const rlimit none{100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &none);
  const auto series = port.open("a");
  for (const Bar& bar : bars) port.append(series, bar, bar.open_time_ms);
  while (writing.counters().dropped == 0) port.append(series, bars[0], bars[0].open_time_ms);
  Bar corrected = bars[1];
  corrected.volume += 1;
  const LateBar late{bars[0], bars[2].close_time_ms};
  port.correct(series, corrected, 5);
  port.keep_late(series, late);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  ASSERT_EQ(writing.counters().dropped, 1U);
  wait_for([&] { return port.waiting() == 0; }, [&] { port.commit(); });
  const auto expect_all = [&] {
    History history(directory_, History::Access::read);
    const auto read = history.find("a");
    return read && history.newest(*read, 0).bars == std::vector<Bar>{bars[0], corrected, bars[2]} &&
           history.late(*read) == std::vector<LateBar>{late};
  };
  wait_for(expect_all, [] {});
}

TEST_F(HistoryWriterTest, OfBarsThatCameTogetherNoMoreAreKeptThanOfOthers) {
  const auto bars = some_bars(120, 1);
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  HistoryWriter writing(std::make_unique<History>(directory_, History::Access::write), 1, 100);
  HistoryPort& port = writing.port(0);
  const rlimit none{100, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &none);
  const auto series = port.open("a");
  const auto insert = [&](std::size_t from, std::size_t to) {
    port.insert(series, {bars.data() + from, bars.data() + to}, bars[from].open_time_ms,
                bars[to - 1].close_time_ms);
  };
  insert(60, 120);
  insert(0, 60);
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, ignored);
  EXPECT_EQ(writing.counters().dropped, 1U);
  wait_for([&] { return writing.counters().written == 2; }, [&] { port.commit(); });
  insert(0, 60);  // there is room again
  wait_for([&] { return writing.counters().written == 3; }, [&] { port.commit(); });
  EXPECT_EQ(writing.counters().dropped, 1U);
  EXPECT_EQ(reread("a"), bars);
}

TEST_F(HistoryWriterTest, EachThreadHasAPortOfItsOwn) {
  const auto a = some_bars(12'000, 1), b = some_bars(12'000, 2);
  {
    HistoryWriter writing(std::make_unique<History>(directory_, History::Access::write), 2);
    const auto close_all = [](HistoryPort& port, const std::string& name, const std::vector<Bar>& bars) {
      const auto series = port.open(name);
      for (const Bar& bar : bars) port.append(series, bar, bar.open_time_ms);
      port.commit();
    };
    std::thread other([&] { close_all(writing.port(1), "b", b); });
    close_all(writing.port(0), "a", a);
    other.join();
  }
  EXPECT_EQ(reread("a"), a);
  EXPECT_EQ(reread("b"), b);
}

TEST_F(HistoryWriterTest, ANameThatCantBeKeptCostsOnlyItself) {
  const auto bars = some_bars(10, 1);
  const std::string overlong(kLongestName + 1, 'x');
  {
    const auto writing = writer();
    const auto refused = writing->port(0).open(overlong), series = writing->port(0).open("a");
    for (const Bar& bar : bars) {
      writing->port(0).append(refused, bar, bar.open_time_ms);
      writing->port(0).append(series, bar, bar.open_time_ms);
    }
    writing->port(0).commit();
    wait_for([&] { return writing->counters().written == 22; }, [] {});
    EXPECT_EQ(writing->take_problems().size(), 1U);
  }
  EXPECT_EQ(reread("a"), bars);
  EXPECT_TRUE(reread(overlong).empty());
}

}  // namespace
}  // namespace atcd::state
