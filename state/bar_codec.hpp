#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "engine/bar.hpp"

namespace atcd::state {

/// Bars of one block, at most. Small enough that one bar in the middle costs little to read.
inline constexpr std::size_t kBlockBars = 512;

/// Appends the bars' compressed form, lossless to the bit: prices and volumes as decimal integers where
/// integer / 10^e is the double, taken as differences (open from the close before, close from the open, high
/// and low from the body), then Rice-coded in chunks of 64 with a parameter each. 1 to kBlockBars bars, in
/// order; nothing else is asked of them. Any thread.
void encode_bars(std::span<const engine::Bar> bars, std::string& out);

/// The bars that encode_bars was given, bars.size() of them. False where the bytes are no such block; what
/// `bars` holds then means nothing. Reads no byte outside of `bytes`, whatever they are. Any thread.
bool decode_bars(std::string_view bytes, std::span<engine::Bar> bars);

}  // namespace atcd::state
