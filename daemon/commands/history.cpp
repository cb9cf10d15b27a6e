#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "daemon/bar_csv.hpp"
#include "daemon/clock.hpp"
#include "daemon/commands/commands.hpp"
#include "daemon/commands/table_text.hpp"
#include "daemon/csv_table.hpp"
#include "daemon/output_file.hpp"
#include "engine/interval.hpp"
#include "feeds/exchange.hpp"
#include "state/live_history.hpp"

namespace atcd::daemon {
namespace {

using engine::Bar;
using state::History;
using state::LiveHistory;
using state::StoredBars;

constexpr std::size_t kProgressRows = 100'000;
constexpr std::size_t kMostErrors = 20;  // that are told, each with its line

struct Settings {
  std::string directory = "/var/lib/atcd", series, file = "-";

  std::string history() const { return directory + "/history"; }
};

void print_problems(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) std::cerr << problem << '\n';
}

/// Calls `read` beside a daemon that writes until it has read what there was at one moment.
void read_settled(LiveHistory& history, const std::function<bool(History&)>& read) {
  if (!history.read(read)) throw std::runtime_error(history.faster());
}

History::Series series_of(const History& history, const std::string& name) {
  const auto series = history.find(name);
  if (!series)
    throw std::runtime_error("no series \"" + name + "\" here: atcd history list shows those there are");
  return *series;
}

int list(const Settings& settings) {
  LiveHistory live(settings.history());
  std::printf("%-40s %10s %8s %6s %14s %14s %10s %6s\n", "series", "bars", "newest", "holes", "from_ms",
              "to_ms", "superseded", "late");
  for (const std::string& name : live.now().names()) {
    std::size_t bars = 0, holes = 0, superseded = 0;
    std::int64_t from_ms = 0, to_ms = 0;
    read_settled(live, [&](History& history) {
      return history.read_all(series_of(history, name), 0, [&](const StoredBars& stored) {
        if (from_ms == 0) from_ms = stored.covered_from_ms;
        if (to_ms != 0 && stored.covered_from_ms > to_ms) ++holes;
        to_ms = stored.covered_to_ms;
        bars += stored.bars.size();
      });
    });
    History& history = live.now();
    const auto series = series_of(history, name);
    history.read_superseded(series, [&](const Bar&, std::int64_t) { ++superseded; });
    std::printf("%-40s %10zu %8zu %6zu %14lld %14lld %10zu %6zu\n", name.c_str(), bars,
                history.tail(series).size(), holes, static_cast<long long>(from_ms),
                static_cast<long long>(to_ms), superseded, history.late(series).size());
  }
  print_problems(live.problems());
  return kDone;
}

int check(const Settings& settings) {
  LiveHistory live(settings.history());
  std::size_t bars = 0, wrong = 0, checked = 0;
  const auto names = live.now().names();
  for (const std::string& name : names) {
    if (checked++ % 100 == 0) print_progress(std::to_string(checked) + " of " + std::to_string(names.size()));
    std::int64_t end_ms = 0;
    const auto take = [&](const StoredBars& stored) {
      for (const Bar& bar : stored.bars) {
        ++bars;
        if (!engine::is_valid(bar) || bar.open_time_ms < end_ms) {
          ++wrong;
          std::cerr << name << ": the bar of open_ms " << bar.open_time_ms
                    << " is out of order or has no valid prices\n";
        }
        end_ms = bar.close_time_ms;
      }
    };
    read_settled(live, [&](History& history) { return history.read_all(series_of(history, name), 0, take); });
    History& history = live.now();
    history.read_superseded(series_of(history, name), [](const Bar&, std::int64_t) {});
    history.late(series_of(history, name));
  }
  end_progress();
  print_problems(live.problems());
  const std::size_t problems = live.problems().size() + wrong;
  std::cout << names.size() << " series, " << bars << " bars, " << problems << " problems\n";
  return problems == 0 ? kDone : kFailed;
}

int export_csv(const Settings& settings) {
  LiveHistory live(settings.history());
  // Before the file is made.
  const std::size_t late = live.now().late(series_of(live.now(), settings.series)).size();
  if (late > 0) {
    std::cerr << "atcd history: " << settings.series << ": " << late
              << " late corrections of the exchange are not in the file, which has the bars as they were "
                 "used: of runs "
                 "that began after one compute --live-anchors gives other signals (verify, scan and explain "
                 "know them)\n";
  }
  OutputFile out(settings.file);
  out.write(kBarCsvHeader);
  std::string text;
  std::size_t rows = 0;
  const auto take = [&](const StoredBars& stored) {
    text.clear();
    for (const Bar& bar : stored.bars) append_csv_row(text, bar);
    out.write(text);
    rows += stored.bars.size();
    if (settings.file != "-") print_progress(std::to_string(rows) + " bars written");
  };
  read_settled(
      live, [&](History& history) { return history.read_all(series_of(history, settings.series), 0, take); });
  end_progress();
  print_problems(live.problems());
  if (out.commit()) return live.problems().empty() ? kDone : kFailed;
  std::cerr << "atcd: " << out.error() << '\n';
  return kFailed;
}

std::vector<Bar> read_bars(const std::string& file, const engine::Interval& interval) {
  const TextResult text = read_text(file);
  if (!text.error.empty()) throw std::runtime_error(text.error);
  std::optional<BarCsvReader> reader;
  try {
    reader.emplace(text.text, interval, utc_ms());
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(file + ": " + error.what() + ": nothing was imported");
  }
  std::vector<Bar> bars;
  std::size_t wrong = 0;
  for (bool more = true; more;) {
    try {
      const auto bar = reader->next();
      more = bar.has_value();
      if (bar) bars.push_back(*bar);
    } catch (const std::runtime_error& error) {
      if (++wrong > kMostErrors) continue;
      end_progress();
      std::cerr << file << ": " << error.what() << '\n';
    }
    if (reader->line() % kProgressRows == 0) print_progress(std::to_string(reader->line()) + " lines read");
  }
  end_progress();
  if (wrong > 0) {
    throw std::runtime_error(file + ": " + std::to_string(wrong) + " lines are wrong: nothing was imported");
  }
  return bars;
}

/// Bars without a hole between them, none of which the history has.
struct Piece {
  std::vector<Bar> bars;
  std::int64_t to_ms() const { return bars.back().close_time_ms; }
};

std::vector<Piece> pieces_of(const std::vector<Bar>& bars, const std::vector<StoredBars>& held) {
  std::vector<Piece> pieces;
  auto next = held.begin();
  for (const Bar& bar : bars) {
    while (next != held.end() && next->covered_to_ms <= bar.open_time_ms) ++next;
    if (next != held.end() && next->covered_from_ms <= bar.open_time_ms) continue;
    if (pieces.empty() || pieces.back().to_ms() != bar.open_time_ms) pieces.emplace_back();
    pieces.back().bars.push_back(bar);
  }
  return pieces;
}

/// Why no daemon would read the series; empty where one may. Other commands read it all the same.
std::string unread_because(const std::string& series) {
  std::vector<std::string> parts;
  std::istringstream text(series);
  for (std::string part; std::getline(text, part, ':');) parts.push_back(part);
  if (feeds::find_exchange(parts[0], parts[1]) == nullptr) return "there is no " + parts[0] + ":" + parts[1];
  if (parts[2].empty() || parts[2].find('/') != std::string::npos)
    return "\"" + parts[2] + "\" is no exchange's own symbol";
  return {};
}

int import_csv(const Settings& settings) {
  const auto colon = settings.series.rfind(':');
  const auto interval =
      colon == std::string::npos ? std::nullopt : engine::Interval::parse(settings.series.substr(colon + 1));
  if (!interval || std::count(settings.series.begin(), settings.series.end(), ':') != 3) {
    std::cerr << "\"" << settings.series << "\" is no series: it is exchange:market:symbol:interval, such as "
              << "binance:spot:BTCUSDT:1m\n";
    return kBadUsage;
  }
  if (const std::string why = unread_because(settings.series); !why.empty())
    std::cerr << "atcd history: no daemon reads " << settings.series << ": " << why << '\n';
  const std::vector<Bar> bars = read_bars(settings.file, *interval);

  History history(settings.history(), History::Access::write);
  print_problems(history.problems());
  const auto series = history.add(settings.series);
  if (!series) throw std::runtime_error(history.error());
  std::vector<StoredBars> held;
  history.read_all(*series, 0, [&held](const StoredBars& stored) {
    held.push_back({{}, stored.covered_from_ms, stored.covered_to_ms});
  });
  const std::int64_t end_ms = held.empty() ? 0 : held.back().covered_to_ms;
  std::size_t imported = 0;
  for (const Piece& piece : pieces_of(bars, held)) {
    bool taken = true;
    std::int64_t covered_from_ms = piece.bars.front().open_time_ms;
    if (covered_from_ms < end_ms) {
      taken = history.insert(*series, piece.bars, covered_from_ms, piece.to_ms());
    } else {
      for (const Bar& bar : piece.bars) {
        taken = taken && history.append(*series, bar, covered_from_ms);
        covered_from_ms = bar.close_time_ms;
      }
    }
    if (!taken) throw std::runtime_error(history.error());
    imported += piece.bars.size();
    print_progress(std::to_string(imported) + " of " + std::to_string(bars.size()) + " bars written");
  }
  end_progress();
  if (!history.sync()) throw std::runtime_error(history.error());
  std::cout << imported << " bars imported, " << bars.size() - imported << " were held already\n";
  return kDone;
}

/// Everything of `from` that can be read. Superseded and late bars too.
std::size_t copy(History& from, History& to) {
  std::size_t copied = 0, done = 0;
  const auto names = from.names();
  const auto must = [&to](bool taken) {
    if (!taken) throw std::runtime_error(to.error());
  };
  for (const std::string& name : names) {
    print_progress(std::to_string(++done) + " of " + std::to_string(names.size()) + " series");
    const auto series = to.add(name);
    must(series.has_value());
    if (const auto& instrument = from.instrument(*from.find(name)))
      must(to.set_instrument(*series, *instrument));
    from.read_superseded(*from.find(name), [&](const Bar& bar, std::int64_t at_ms) {
      must(to.keep_superseded(*series, bar, at_ms));
    });
    for (const state::LateBar& late : from.late(*from.find(name))) must(to.keep_late(*series, late));
    std::int64_t covered_to_ms = 0, hole_to_ms = 0;
    from.read_all(*from.find(name), 0, [&](const StoredBars& stored) {
      // Slots known to have no bar stay known where the bars go on behind them; a hole stays one, though no
      // bar comes before the next piece.
      if (stored.covered_from_ms > covered_to_ms) hole_to_ms = stored.covered_from_ms;
      for (const Bar& bar : stored.bars) {
        must(to.append(*series, bar, std::exchange(hole_to_ms, 0)));
        ++copied;
      }
      covered_to_ms = stored.covered_to_ms;
    });
  }
  end_progress();
  must(to.sync());
  return copied;
}

/// Where a history is put whose place another takes.
std::string next_aside(const std::string& history) {
  std::string aside;
  for (int number = 1; aside.empty() || std::filesystem::exists(aside); ++number)
    aside = history + ".damaged-" + std::to_string(number);
  return aside;
}

int repair(const Settings& settings) {
  namespace fs = std::filesystem;
  const std::string present = settings.history(), fresh = present + ".repaired";
  if (!fs::is_directory(present)) throw std::runtime_error("there is no history in " + settings.directory);
  History damaged(present, History::Access::write);
  // A repair that was killed leaves a part of its copy there, or already what was damaged.
  if (fs::exists(fresh)) {
    const std::string aside = next_aside(present);
    fs::rename(fresh, aside);
    std::cout << "what a repair before left in " << fresh << " is in " << aside << '\n';
  }
  std::size_t copied = 0;
  {
    History repaired(fresh, History::Access::write);
    copied = copy(damaged, repaired);
    print_problems(damaged.problems());
    if (damaged.problems().empty()) {
      fs::remove_all(fresh);
      std::cout << "nothing is damaged: " << damaged.names().size() << " series, " << copied << " bars\n";
      return kDone;
    }
    // Both are locked meanwhile, so that no daemon begins with either.
    if (renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, present.c_str(), RENAME_EXCHANGE) != 0) {
      throw std::system_error(errno, std::generic_category(), present + ": exchanging it for " + fresh);
    }
  }
  const std::string aside = next_aside(present);
  fs::rename(fresh, aside);
  std::cout << copied << " bars of " << damaged.names().size() << " series are in " << present
            << "; what there was is in " << aside << '\n';
  return kDone;
}

}  // namespace

void add_history_command(CLI::App& app, int& status) {
  auto* history =
      app.add_subcommand("history", "The closed bars on disk: list, check, export, import, repair");
  history->require_subcommand(1);
  const auto settings = std::make_shared<Settings>();
  const auto add = [&](const char* name, const char* text, int (*run)(const Settings&)) {
    auto* command = history->add_subcommand(name, text);
    command->add_option("--directory", settings->directory, "[state] directory of the daemon")
        ->capture_default_str()
        ->type_name("DIR");
    command->callback([settings, run, &status] { status = run(*settings); });
    return command;
  };
  add("list", "A line per series: bars, holes, first and last boundary, superseded and late bars", list);
  add("check", "Reads every block: exit 1 where anything is damaged or out of order", check);
  auto* exporting = add("export", "The bars of one series as CSV", export_csv);
  auto* importing =
      add("import",
          "Adds the bars of a CSV file; those that are held already stay as they are, and slots "
          "without a row are holes, which the daemon asks REST about",
          import_csv);
  add("repair", "Writes anew what can be read where something is damaged; the daemon must not run", repair);
  for (auto* command : {exporting, importing}) {
    command->add_option("SERIES", settings->series, "exchange:market:symbol:interval")->required();
  }
  exporting->add_option("-o", settings->file, "Where to, instead of standard output")->type_name("FILE");
  importing
      ->add_option("FILE", settings->file,
                   "Columns open_ms (or open_time_ms), open, high, low, close, volume; .csv, .csv.gz or -")
      ->required();
}

}  // namespace atcd::daemon
