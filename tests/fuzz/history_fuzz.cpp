// links: state
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "state/history.hpp"
#include "tests/state/bars.hpp"

// The files of a history with bytes changed and ends cut off, as the input says: opening it never fails other
// than with a sentence, what it still gives was once written, and it takes new bars.

namespace {

namespace fs = std::filesystem;
using atcd::engine::Bar;
using atcd::state::History;

constexpr std::array<const char*, 5> kFiles = {"/names", "/tails", "/blocks", "/index", "/instruments"};
constexpr std::uint8_t kCut = 4, kInstruments = 8;
const atcd::state::Instrument kInstrument{"A", "USDT", "", 0, 1'700'000'000'000, 0.1, 0};

/// Gone with the process.
struct TemporaryDirectory {
  TemporaryDirectory()
      : path(fs::exists("/dev/shm") ? "/dev/shm/atcd-fuzz-XXXXXX" : "/tmp/atcd-fuzz-XXXXXX") {
    if (mkdtemp(path.data()) == nullptr) std::abort();
  }
  ~TemporaryDirectory() { fs::remove_all(path); }
  std::string path;
};

const std::string& directory() {
  static const TemporaryDirectory made;
  return made.path;
}

const std::vector<Bar>& written() {
  static const std::vector<Bar> bars = atcd::state::some_bars(atcd::state::kBlockBars + 30, 1);
  return bars;
}

void append(History& history, const std::vector<Bar>& bars) {
  const auto series = history.add("a");
  if (!series) std::abort();
  for (const Bar& bar : bars) {
    if (!history.append(*series, bar, bar.open_time_ms)) std::abort();
  }
}

const std::array<std::string, kFiles.size()>& files() {
  static const std::array<std::string, kFiles.size()> contents = [] {
    {
      History history(directory(), History::Access::write);
      append(history, written());
      history.set_instrument(0, kInstrument);
      Bar other = written().back();
      other.close += 0.25;
      history.correct(0, other, 1);
      history.correct(0, written().back(), 2);
    }
    std::array<std::string, kFiles.size()> read;
    for (std::size_t i = 0; i < read.size(); ++i) {
      std::ifstream in(directory() + kFiles[i], std::ios::binary);
      read[i].assign(std::istreambuf_iterator<char>(in), {});
    }
    return read;
  }();
  return contents;
}

void write_changed(const std::uint8_t* data, std::size_t size) {
  std::array<std::string, kFiles.size()> changed = files();
  // Five bytes a change: which file and whether it is cut there, where (three), which byte.
  for (; size >= 5; data += 5, size -= 5) {
    std::string& file = changed[(data[0] & kInstruments) != 0 ? 4 : data[0] % 4];
    if (file.empty()) continue;
    const std::size_t at = (data[1] | std::size_t{data[2]} << 8 | std::size_t{data[3]} << 16) % file.size();
    if ((data[0] & kCut) != 0) {
      file.resize(at);
    } else {
      file[at] = static_cast<char>(data[4]);
    }
  }
  for (const auto& entry : fs::directory_iterator(directory())) {
    if (entry.is_directory()) fs::remove_all(entry.path());
  }
  for (std::size_t i = 0; i < changed.size(); ++i) {
    std::ofstream(directory() + kFiles[i], std::ios::binary | std::ios::trunc) << changed[i];
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  files();
  write_changed(data, size);
  History history(directory(), History::Access::write);
  const auto known = [](const Bar& bar) {
    const std::size_t at = static_cast<std::size_t>(bar.open_time_ms / atcd::state::kMinuteMs - 28'000'000);
    return at < written().size() && written()[at] == bar;
  };
  if (const auto series = history.find("a")) {
    for (const Bar& bar : history.newest(*series, 0).bars) {
      if (!known(bar)) std::abort();
    }
    const auto instrument = history.instrument(*series);
    if (instrument && !(*instrument == kInstrument)) std::abort();
    history.read_all(*series, 0, [](const atcd::state::StoredBars&) {});
    history.read_superseded(*series, [](const Bar&, std::int64_t) {});
  }
  append(history, atcd::state::some_bars(3, 1, 28'100'000));
  return 0;
}
