// links: daemon
// Seeds: tests/fuzz/offline.

// What the offline commands read: tables of bars in pieces and whole, bars to be imported, a chart to
// compare with, files of sets and the saved results of a sweep. Each is read or refused with a sentence,
// and what was read is the same when it is written and read again. The first byte says which.
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/bar_csv.hpp"
#include "daemon/compare.hpp"
#include "daemon/csv_checks.hpp"
#include "daemon/csv_compute.hpp"
#include "daemon/csv_table.hpp"
#include "daemon/sweep_results.hpp"
#include "daemon/sweep_sets.hpp"

namespace {

namespace fs = std::filesystem;
using namespace atcd;
using namespace atcd::daemon;

void must(bool holds) {
  if (!holds) std::abort();
}

bool same(double a, double b) {
  return std::isnan(a) ? std::isnan(b) : std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}

/// Gone with the process.
struct TemporaryFile {
  TemporaryFile() : path(fs::exists("/dev/shm") ? "/dev/shm/atcd-fuzz-XXXXXX" : "/tmp/atcd-fuzz-XXXXXX") {
    const int file = mkstemp(path.data());
    must(file >= 0);
    close(file);
  }
  ~TemporaryFile() { fs::remove(path); }
  std::string path;
};

const std::string& file_of(std::string_view content) {
  static const TemporaryFile made;
  std::ofstream(made.path, std::ios::binary | std::ios::trunc) << content;
  return made.path;
}

// ---- `atcd compute`, `scan`, `sweep`

void expect_same(const CsvBars& a, const CsvBars& b) {
  must(std::equal(a.closes.begin(), a.closes.end(), b.closes.begin(), b.closes.end(), same));
  must(std::equal(a.sources.begin(), a.sources.end(), b.sources.begin(), b.sources.end(), same));
  must(a.open_ms == b.open_ms && a.lines == b.lines);
}

/// As compute reads it, a few bars at a time.
void read_pieces(std::string_view text, const CsvResult& whole) {
  CsvBarFile file(file_of(text));
  CsvBars bars;
  std::string error;
  for (std::size_t before = bars.size() + 1; error.empty() && before != bars.size();) {
    before = bars.size();
    error = file.read(1 + before % 3, bars);
  }
  must(error == whole.error);
  expect_same(bars, whole.bars);
}

void read_table(std::string_view text) {
  const CsvResult result = parse_csv_bars(text);
  const CsvBars& bars = result.bars;
  must(bars.lines.size() == bars.size() || !result.error.empty());
  if (!text.starts_with("\x1f\x8b")) read_pieces(text, result);
  if (!result.error.empty()) return;
  must(bars.sources.empty() || bars.sources.size() == bars.size());
  must(bars.open_ms.empty() || bars.open_ms.size() == bars.size());
  for (const auto dialect : {engine::Dialect::lts, engine::Dialect::pine}) {
    if (!check_values(bars, 0, dialect).empty()) continue;
    for (const double close : bars.closes) must(std::isnan(close) || (std::isfinite(close) && close > 0));
  }
  if (check_order_of_times(bars, 0).empty()) must(std::is_sorted(bars.open_ms.begin(), bars.open_ms.end()));
}

// ---- `atcd history import`

void read_bars(std::string_view text, const engine::Interval& interval) {
  constexpr std::int64_t kNowMs = 1'764'000'000'000;
  std::vector<engine::Bar> bars;
  try {
    BarCsvReader reader(text, interval, kNowMs);
    for (bool more = true; more;) {
      try {
        const auto bar = reader.next();
        more = bar.has_value();
        if (bar) bars.push_back(*bar);
      } catch (const std::runtime_error&) {
      }
    }
  } catch (const std::runtime_error&) {
    return;
  }
  std::string written(kBarCsvHeader);
  std::int64_t end_ms = 0;
  for (const engine::Bar& bar : bars) {
    must(engine::is_valid(bar) && interval.is_boundary(bar.open_time_ms));
    must(bar.close_time_ms == interval.close_time_ms(bar.open_time_ms));
    must(bar.open_time_ms >= end_ms && bar.close_time_ms <= kNowMs);
    end_ms = bar.close_time_ms;
    append_csv_row(written, bar);
  }
  BarCsvReader again(written, interval, kNowMs);
  for (const engine::Bar& bar : bars) must(again.next() == bar);
  must(!again.next());
}

// ---- `atcd compute --compare`

void compare(std::string_view text) {
  for (const bool times : {false, true}) {
    Comparison comparison{std::string(text)};
    CsvBars bars;
    for (std::int64_t i = 0; times && i < 3; ++i) bars.open_ms.push_back(1'704'067'200'000 + i * 3'600'000);
    comparison.take_bars(bars, 0);
    comparison.take_rows("close,EMA_Signal,Average_Signal\n1.5,,0.12345\n");
    comparison.take_rows("2,1,-1e-300\n1e300,-0.25,0\n");
    if (!comparison.error().empty()) continue;
    must(comparison.report().find("rows that both have") == 0);
    // No column differs where all agree.
    must(comparison.agrees() == (comparison.report().find("first difference") == std::string::npos));
  }
}

// ---- `atcd sweep`

void read_sets(std::string_view text) {
  constexpr std::ptrdiff_t kMostCommas = 14;  // lists multiply
  if (std::count(text.begin(), text.end(), ',') > kMostCommas) return;
  const SetsResult result = parse_sets(text);
  if (!result.read.errors.empty()) return;
  must(!result.sets.empty());
  std::set<std::string> known;
  for (const engine::Parameters& set : result.sets) {
    must(engine::validate(set).empty());
    must(known.insert(engine::canonical_json(set)).second);
  }
  std::size_t grouped = 0;
  for (const auto& group : sets_by_averages(result.sets)) grouped += group.size();
  must(grouped == result.sets.size());
  for (const SetColumn& column : columns_of(result.sets)) must(column.values.size() == grouped);
}

constexpr std::size_t kSets = 3, kSeries = 4;

std::vector<Evaluation> evaluations_of(const std::string& path, const SweepDigests& digests,
                                       const Evaluation* put) {
  SweepResults results(kSets, kSeries);
  must(results.open(path, digests).empty());
  if (put != nullptr) results.put(1, 2, *put);
  must(results.save().empty());
  must(put == nullptr || results.has(1, 2));
  return results.take();
}

bool same(const Evaluation& a, const Evaluation& b) {
  return same(a.gain, b.gain) && same(a.max_drawdown, b.max_drawdown) && same(a.sharpe, b.sharpe) &&
         same(a.turnover, b.turnover) && same(a.exposure, b.exposure) && a.trades == b.trades;
}

/// Lines behind the header of a file of this sweep.
void read_results(std::string_view text) {
  const SweepDigests digests{1, 2, 3};
  const std::string& path = file_of("");
  evaluations_of(path, digests, nullptr);
  std::ofstream(path, std::ios::binary | std::ios::app) << text;
  Evaluation put;
  put.gain = 0.1;
  put.sharpe = std::nan("");
  put.trades = 7;
  const auto first = evaluations_of(path, digests, &put);
  const auto again = evaluations_of(path, digests, nullptr);
  must(same(again[kSeries + 2], put));
  for (std::size_t i = 0; i < first.size(); ++i) must(same(first[i], again[i]));
  SweepResults other(kSets, kSeries);
  must(!other.open(path, {1, 2, 4}).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 6) {  // '0' to '5'
    case 0:
      read_table(text);
      break;
    case 1:
      read_bars(text, {1, engine::Interval::Unit::minute});
      break;
    case 2:
      read_bars(text, {1, engine::Interval::Unit::month});
      break;
    case 3:
      compare(text);
      break;
    case 4:
      read_sets(text);
      break;
    default:
      read_results(text);
  }
  return 0;
}
