// A process that writes a history is killed, most often while it seals tails into blocks: whatever it had
// written is there when it is opened again, once and in order.
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <random>
#include <thread>

#include "tests/state/history_folder.hpp"

namespace atcd::state {
namespace {

using engine::Bar;

constexpr std::size_t kSeries = 24;
constexpr std::size_t kLongest = 300 * kBlockBars;

std::string name_of(std::size_t series) { return "series" + std::to_string(series); }

/// Bar number `number` of a series, cheaply.
Bar bar_of(std::size_t series, std::size_t number) {
  const auto slot = static_cast<std::int64_t>(28'000'000 + number);
  const double price = 100 + static_cast<double>((number * 7919 + series * 104'729) % 2000) / 100;
  return {slot * kMinuteMs, (slot + 1) * kMinuteMs, price, price + 1, price - 1, price, 1};
}

/// How many bars of each series the writing process has been told are written.
using Written = std::array<std::atomic<std::size_t>, kSeries>;

class KilledHistory : public HistoryTest {
 protected:
  void SetUp() override {
    HistoryTest::SetUp();
    void* shared =
        ::mmap(nullptr, sizeof(Written), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    written_ = new (shared) Written{};
  }
  void TearDown() override {
    ::munmap(written_, sizeof(Written));
    HistoryTest::TearDown();
  }

  /// The writing process: goes on where the history ends, until it is killed.
  [[noreturn]] void write_for_ever() const {
    History history(directory_, History::Access::write);
    for (std::size_t series = 0; series < kSeries; ++series) {
      if (!history.add(name_of(series))) ::_exit(1);
    }
    for (std::size_t number = 0; number < kLongest; ++number) {
      for (std::size_t series = 0; series < kSeries; ++series) {
        if (number < (*written_)[series]) continue;
        const Bar bar = bar_of(series, number);
        if (!history.append(*history.find(name_of(series)), bar, bar.open_time_ms)) ::_exit(1);
        (*written_)[series] = number + 1;
      }
    }
    for (;;) ::pause();
  }

  /// What is held is what was written, and nothing that was written is missing.
  void check(bool writing) {
    History history(directory_, writing ? History::Access::write : History::Access::read);
    for (std::size_t series = 0; series < kSeries; ++series) {
      const auto found = history.find(name_of(series));
      if (!found) {
        ASSERT_EQ((*written_)[series], 0U);
        continue;
      }
      std::size_t number = 0;
      history.read_all(*found, 0, [&](const StoredBars& stored) {
        for (const Bar& bar : stored.bars) {
          ASSERT_EQ(bar, bar_of(series, number)) << series << " " << number;
          ++number;
        }
      });
      ASSERT_GE(number, (*written_)[series]) << series;
      ASSERT_LE(number, (*written_)[series] + 1) << series;
      (*written_)[series] = number;
      ASSERT_EQ(history.newest(*found, 0).bars.size(), number) << series;
    }
    EXPECT_TRUE(history.problems().empty()) << history.problems()[0];
  }

  Written* written_ = nullptr;
};

TEST_F(KilledHistory, HoldsAllThatWasWrittenWheneverItsProcessIsKilled) {
  const char* wanted = std::getenv("ATCD_KILLS");
  const int kills = wanted == nullptr ? 20 : std::atoi(wanted);
  std::mt19937 random(20261127);
  for (int kill = 0; kill < kills; ++kill) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_for_ever();
    // Just before all tails are full, or anywhere in between; then a random moment.
    const std::size_t begun = (*written_)[0];
    const std::size_t target = std::min(
        kill % 4 == 3 ? begun + random() % 300 : (begun / kBlockBars + 1) * kBlockBars - 1, kLongest);
    while ((*written_)[0] < target && ::waitpid(child, nullptr, WNOHANG) == 0) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 1500));
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child) << "the writing process ended by itself";
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "the writing process ended by itself";
    ASSERT_NO_FATAL_FAILURE(check(false));
    ASSERT_NO_FATAL_FAILURE(check(true));
  }
}

}  // namespace
}  // namespace atcd::state
