// links: state
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "state/bar_codec.hpp"

// Blocks as a damaged disk may give them, and bars as nobody sends them: what is decoded can be coded again
// and comes out the same, and every bar survives to the bit.

namespace {

using atcd::engine::Bar;

void round_trip(const std::vector<Bar>& bars) {
  std::string bytes;
  atcd::state::encode_bars(bars, bytes);
  std::vector<Bar> again(bars.size());
  if (!atcd::state::decode_bars(bytes, again)) std::abort();
  if (std::memcmp(again.data(), bars.data(), bars.size() * sizeof(Bar)) != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t count = 1 + (data[0] | std::size_t{data[1]} << 8) % atcd::state::kBlockBars;
  std::vector<Bar> bars(count);
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  if (atcd::state::decode_bars(bytes, bars)) round_trip(bars);

  bars.resize(std::min<std::size_t>(bytes.size() / sizeof(Bar), atcd::state::kBlockBars));
  if (bars.empty()) return 0;
  std::memcpy(bars.data(), bytes.data(), bars.size() * sizeof(Bar));
  round_trip(bars);
  return 0;
}
