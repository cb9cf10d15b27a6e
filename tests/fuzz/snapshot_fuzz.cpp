// links: state engine
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "engine/incremental.hpp"
#include "engine/plan.hpp"
#include "state/snapshot.hpp"
#include "tests/state/bars.hpp"

// A snapshot with bytes changed and its end cut off, as the input says: what it still gives was once written.
// And an engine's saved state changed the same way, as if its checksum held: it is refused or it computes on.

namespace {

namespace fs = std::filesystem;
using atcd::engine::Incremental;

constexpr std::size_t kSeries = 3;

struct Written {
  Written() {
    std::string form = fs::exists("/dev/shm") ? "/dev/shm/atcd-fuzz-XXXXXX" : "/tmp/atcd-fuzz-XXXXXX";
    if (mkdtemp(form.data()) == nullptr) std::abort();
    directory = form;
    plan = std::make_shared<const atcd::engine::Plan>(atcd::engine::Parameters{});
    Incremental engine(plan);
    for (const auto& bar : atcd::state::some_bars(80, 1)) engine.update(bar);
    saved.resize(engine.saved_bytes());
    engine.save(saved);
    bytes = atcd::state::snapshot_header(1);
    for (std::size_t series = 0; series < kSeries; ++series) {
      atcd::state::append_entry(
          bytes, {name(series), "0123456789abcdef", 1, 2, 0, atcd::state::some_bars(1, 1)[0], saved});
    }
  }
  ~Written() { fs::remove_all(directory); }
  static std::string name(std::size_t series) { return "series " + std::to_string(series); }

  std::string directory, bytes;
  std::shared_ptr<const atcd::engine::Plan> plan;
  std::vector<std::byte> saved;
};

const Written& written() {
  static const Written made;
  return made;
}

/// Four bytes a change: whether to cut, where (two), which byte.
template <class Bytes>
void change(Bytes& bytes, const std::uint8_t* data, std::size_t size) {
  for (; size >= 4 && !bytes.empty(); data += 4, size -= 4) {
    const std::size_t at = (data[1] | std::size_t{data[2]} << 8) % bytes.size();
    if (data[0] == 0xff) {
      bytes.resize(at);
    } else {
      bytes[at] = static_cast<typename Bytes::value_type>(data[3]);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Written& before = written();
  for (const auto& entry : fs::directory_iterator(before.directory)) fs::remove(entry.path());
  std::string bytes = before.bytes;
  change(bytes, data, size);
  std::ofstream(before.directory + "/snapshot", std::ios::binary) << bytes;
  const atcd::state::Snapshot snapshot(before.directory);
  if (snapshot.size() > kSeries) std::abort();
  for (std::size_t series = 0; series < kSeries; ++series) {
    const auto entry = snapshot.find(Written::name(series));
    if (entry &&
        !std::equal(entry->engine.begin(), entry->engine.end(), before.saved.begin(), before.saved.end()))
      std::abort();
  }

  std::vector<std::byte> saved = before.saved;
  change(saved, data, size);
  Incremental engine(before.plan);
  if (!engine.restore(saved)) return 0;
  for (const auto& bar : atcd::state::some_bars(80, 2)) engine.update(bar);
  return 0;
}
