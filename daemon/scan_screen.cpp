#include "daemon/scan_screen.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <mutex>
#include <numeric>
#include <utility>

#include "daemon/scan_threads.hpp"
#include "engine/plan.hpp"
#include "engine/screen.hpp"

namespace atcd::daemon {
namespace {

constexpr std::size_t kGroup = 64;
constexpr double kNone = -std::numeric_limits<double>::infinity();

/// What the threads share.
class Pass {
 public:
  Pass(const ScanSource& source, const ScanOptions& options, const ScanProgress& progress)
      : source_(source),
        options_(options),
        progress_(progress),
        screen_(engine::Plan(options.parameters)),
        estimates_(source.series.size(), kNone) {}

  ScreenedSeries run() {
    run_with_readers(source_, std::min<std::size_t>(options_.threads, source_.series.size()),
                     [this](ScanReader& reader) { work(reader); });
    std::vector<std::size_t> order(estimates_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    // The series are in the order of their names.
    std::stable_sort(order.begin(), order.end(),
                     [this](std::size_t a, std::size_t b) { return estimates_[a] > estimates_[b]; });
    for (const std::size_t i : order) {
      if (estimates_[i] != kNone) result_.series.push_back(source_.series[i]);
    }
    return std::move(result_);
  }

 private:
  void work(ScanReader& reader) {
    std::vector<std::size_t> places;
    std::vector<CsvBars> group;
    for (;;) {
      const std::size_t mine = next_.fetch_add(1);
      const bool ended = mine >= source_.series.size();
      if (!ended) {
        CsvBars bars;
        if (read(reader, source_.series[mine], bars)) {
          places.push_back(mine);
          group.push_back(std::move(bars));
        }
      }
      if (ended || group.size() == kGroup) estimate(places, group);
      if (ended) return;
    }
  }

  bool read(ScanReader& reader, const ScanSeries& series, CsvBars& bars) {
    std::string refusal;
    try {
      refusal = reader.read_newest(series, static_cast<std::size_t>(screen_.bars()), bars);
      if (refusal.empty() && bars.size() == 0) refusal = "there are no bars, but at least one is needed";
    } catch (const std::exception& failure) {
      refusal = failure.what();
    }
    const std::lock_guard lock(mutex_);
    progress_(++done_, source_.series.size());
    if (!refusal.empty()) result_.refused.push_back(series.name + ": " + refusal);
    return refusal.empty();
  }

  /// Each place is one thread's alone.
  void estimate(std::vector<std::size_t>& places, std::vector<CsvBars>& group) {
    std::vector<engine::BatchInput> inputs;
    inputs.reserve(group.size());
    for (const CsvBars& bars : group) inputs.push_back({bars.closes, bars.sources});
    std::vector<double> estimates(group.size());
    screen_.run(inputs, estimates);
    for (std::size_t i = 0; i < places.size(); ++i) estimates_[places[i]] = estimates[i];
    places.clear();
    group.clear();
  }

  const ScanSource& source_;
  const ScanOptions& options_;
  const ScanProgress& progress_;
  engine::Screen screen_;
  std::vector<double> estimates_;
  std::atomic<std::size_t> next_ = 0;
  std::mutex mutex_;  // of what follows
  ScreenedSeries result_;
  std::size_t done_ = 0;
};

}  // namespace

ScreenedSeries screen(const ScanSource& source, const ScanOptions& options, const ScanProgress& progress) {
  return Pass(source, options, progress).run();
}

}  // namespace atcd::daemon
