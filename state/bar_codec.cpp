#include "state/bar_codec.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace atcd::state {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kBitPatterns = 255;  // instead of an exponent: the doubles' bits as they are
constexpr int kMostExponent = 15;
constexpr double kExactIntegers = 9007199254740992.0;  // 2^53
constexpr std::array<double, kMostExponent + 1> kTens = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                         1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

constexpr std::size_t kHeaderBytes = 3;
constexpr std::size_t kPaddingBytes = 8;  // so that the reader may load whole words
constexpr std::size_t kChunk = 64;
constexpr unsigned kParameterBits = 6;
constexpr unsigned kAllZero = 63;  // parameter of a chunk that has no bits of its own
constexpr unsigned kMostParameter = 52;
constexpr unsigned kLongestUnary = 24;  // from here on the value follows whole

enum Column : std::uint8_t { kOpenTime, kLength, kOpen, kClose, kHigh, kLow, kVolume, kColumns };
using Values = std::array<std::array<std::uint64_t, kBlockBars>, kColumns>;

// Small differences of either sign as small numbers; all arithmetic wraps, so that nothing is ever lost.
std::uint64_t fold(std::uint64_t difference) { return (difference << 1) ^ (0 - (difference >> 63)); }
std::uint64_t unfold(std::uint64_t folded) { return (folded >> 1) ^ (0 - (folded & 1)); }

// ---- doubles as decimal integers

bool is_decimal(double value, int exponent, std::uint64_t& integer) {
  const double ten = kTens[static_cast<std::size_t>(exponent)];
  const double rounded = std::nearbyint(value * ten);
  if (!(rounded >= 0 && rounded < kExactIntegers)) return false;
  integer = static_cast<std::uint64_t>(rounded);
  // Both are exact, so the quotient is the double nearest to the decimal: that of the exchange's text. (A
  // negative zero is none.)
  const double back = static_cast<double>(integer) / ten;
  return std::bit_cast<std::uint64_t>(back) == std::bit_cast<std::uint64_t>(value);
}

/// The smallest exponent under which all values are decimals, or kBitPatterns.
template <class Get>
std::uint8_t common_exponent(std::size_t count, const Get& get) {
  int exponent = 0;
  std::uint64_t ignored = 0;
  for (std::size_t i = 0; i < count; ++i) {
    while (!is_decimal(get(i), exponent, ignored)) {
      if (++exponent > kMostExponent) return kBitPatterns;
    }
  }
  // Those before the last change were tried with a smaller one.
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_decimal(get(i), exponent, ignored)) return kBitPatterns;
  }
  return static_cast<std::uint8_t>(exponent);
}

std::uint64_t to_integer(double value, std::uint8_t exponent) {
  std::uint64_t integer = 0;
  if (exponent == kBitPatterns) return std::bit_cast<std::uint64_t>(value);
  is_decimal(value, exponent, integer);
  return integer;
}

struct ToDouble {
  std::uint8_t exponent;
  double ten;
  explicit ToDouble(std::uint8_t e) : exponent(e), ten(e == kBitPatterns ? 1 : kTens[e]) {}
  double operator()(std::uint64_t integer) const {
    if (exponent == kBitPatterns) return std::bit_cast<double>(integer);
    return static_cast<double>(static_cast<std::int64_t>(integer)) / ten;
  }
};

// ---- bits

class BitWriter {
 public:
  explicit BitWriter(std::string& out) : out_(out) {}

  void put(std::uint64_t value, unsigned bits) {
    while (bits > 0) {
      const unsigned taken = std::min(bits, 8 - filled_);
      byte_ |= static_cast<unsigned>(value & ((1U << taken) - 1)) << filled_;
      value >>= taken;
      bits -= taken;
      filled_ += taken;
      if (filled_ == 8) flush();
    }
  }
  void finish() {
    if (filled_ > 0) flush();
  }

 private:
  void flush() {
    out_ += static_cast<char>(byte_);
    byte_ = filled_ = 0;
  }
  std::string& out_;
  unsigned byte_ = 0, filled_ = 0;
};

std::uint64_t cost(std::span<const std::uint64_t> values, unsigned parameter) {
  std::uint64_t bits = 0;
  for (const std::uint64_t value : values) {
    const std::uint64_t unary = value >> parameter;
    bits += unary < kLongestUnary ? unary + 1 + parameter : kLongestUnary + 64;
  }
  return bits;
}

void write_chunk(BitWriter& out, std::span<const std::uint64_t> values) {
  if (std::all_of(values.begin(), values.end(), [](std::uint64_t value) { return value == 0; })) {
    return out.put(kAllZero, kParameterBits);
  }
  unsigned best = 0;
  std::uint64_t best_cost = std::numeric_limits<std::uint64_t>::max();
  for (unsigned parameter = 0; parameter <= kMostParameter; ++parameter) {
    const std::uint64_t bits = cost(values, parameter);
    if (bits < best_cost) best = parameter, best_cost = bits;
  }
  out.put(best, kParameterBits);
  for (const std::uint64_t value : values) {
    const std::uint64_t unary = value >> best;
    if (unary < kLongestUnary) {
      out.put(std::uint64_t{1} << unary, static_cast<unsigned>(unary) + 1);
      out.put(value & ((std::uint64_t{1} << best) - 1), best);
    } else {
      out.put(0, kLongestUnary);
      out.put(value, 64);
    }
  }
}

class BitReader {
 public:
  explicit BitReader(std::string_view bytes)
      : bytes_(bytes.data()), end_bits_((bytes.size() - kPaddingBytes) * 8) {}

  /// False where the bytes end within the chunk or its parameter means nothing.
  bool read_chunk(std::span<std::uint64_t> values) {
    if (at_ > end_bits_) return false;
    const auto parameter = static_cast<unsigned>(word() & ((1U << kParameterBits) - 1));
    at_ += kParameterBits;
    if (parameter == kAllZero) {
      std::fill(values.begin(), values.end(), 0);
      return true;
    }
    if (parameter > kMostParameter) return false;
    const std::uint64_t mask = (std::uint64_t{1} << parameter) - 1;
    // 57 bits are sure to be in a word; the unary part may take 24.
    return parameter <= 33 ? read_values<false>(values, parameter, mask)
                           : read_values<true>(values, parameter, mask);
  }

 private:
  template <bool wide>
  bool read_values(std::span<std::uint64_t> values, unsigned parameter, std::uint64_t mask) {
    for (std::uint64_t& value : values) {
      if (at_ > end_bits_) return false;
      std::uint64_t bits = word();
      const auto unary = static_cast<unsigned>(std::countr_zero(bits | (std::uint64_t{1} << kLongestUnary)));
      if (unary == kLongestUnary) {
        at_ += kLongestUnary;
        value = whole_word();
        continue;
      }
      at_ += unary + 1;
      if constexpr (wide) {
        bits = at_ > end_bits_ ? 0 : word();
      } else {
        bits >>= unary + 1;
      }
      value = (std::uint64_t{unary} << parameter) | (bits & mask);
      at_ += parameter;
    }
    return at_ <= end_bits_;
  }

  /// At least 57 bits from here on; reads 8 bytes from at most the first byte of the padding.
  std::uint64_t word() const {
    std::uint64_t loaded = 0;
    std::memcpy(&loaded, bytes_ + at_ / 8, sizeof loaded);
    return loaded >> (at_ % 8);
  }
  std::uint64_t whole_word() {
    std::uint64_t value = 0;
    for (unsigned got = 0; got < 64; got += 32, at_ += 32) {
      if (at_ > end_bits_) return 0;  // the caller sees that we are past the end
      value |= (word() & 0xffffffff) << got;
    }
    return value;
  }

  const char* bytes_;
  std::size_t end_bits_;
  std::size_t at_ = 0;
};

static_assert(std::endian::native == std::endian::little, "words are loaded as they lie in the file");

}  // namespace

void encode_bars(std::span<const engine::Bar> bars, std::string& out) {
  const std::size_t count = bars.size();
  const std::uint8_t price = common_exponent(4 * count, [&bars](std::size_t i) {
    const engine::Bar& bar = bars[i / 4];
    return std::array{bar.open, bar.high, bar.low, bar.close}[i % 4];
  });
  const std::uint8_t volume = common_exponent(count, [&bars](std::size_t i) { return bars[i].volume; });

  Values values;
  std::uint64_t open_time = 0, step = 0, length = 0, close_before = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const engine::Bar& bar = bars[i];
    const auto begins = static_cast<std::uint64_t>(bar.open_time_ms);
    const auto lasts = static_cast<std::uint64_t>(bar.close_time_ms) - begins;
    const std::uint64_t open = to_integer(bar.open, price), high = to_integer(bar.high, price),
                        low = to_integer(bar.low, price), close = to_integer(bar.close, price);
    // A bar usually begins where the one before it ended.
    values[kOpenTime][i] = fold(begins - open_time - step);
    values[kLength][i] = fold(lasts - length);
    values[kOpen][i] = fold(open - close_before);
    values[kClose][i] = fold(close - open);
    values[kHigh][i] = high - std::max(open, close);
    values[kLow][i] = std::min(open, close) - low;
    values[kVolume][i] = to_integer(bar.volume, volume);
    open_time = begins;
    step = length = lasts;
    close_before = close;
  }

  out += static_cast<char>(kVersion);
  out += static_cast<char>(price);
  out += static_cast<char>(volume);
  BitWriter writer(out);
  for (const auto& column : values) {
    for (std::size_t at = 0; at < count; at += kChunk) {
      write_chunk(writer, std::span(column).subspan(at, std::min(kChunk, count - at)));
    }
  }
  writer.finish();
  out.append(kPaddingBytes, '\0');
}

bool decode_bars(std::string_view bytes, std::span<engine::Bar> bars) {
  const std::size_t count = bars.size();
  if (count == 0 || count > kBlockBars || bytes.size() < kHeaderBytes + kPaddingBytes) return false;
  const auto price = static_cast<std::uint8_t>(bytes[1]), volume = static_cast<std::uint8_t>(bytes[2]);
  const auto known = [](std::uint8_t exponent) {
    return exponent <= kMostExponent || exponent == kBitPatterns;
  };
  if (static_cast<std::uint8_t>(bytes[0]) != kVersion || !known(price) || !known(volume)) return false;

  Values values;
  BitReader reader(bytes.substr(kHeaderBytes));
  for (auto& column : values) {
    for (std::size_t at = 0; at < count; at += kChunk) {
      if (!reader.read_chunk(std::span(column).subspan(at, std::min(kChunk, count - at)))) return false;
    }
  }

  const ToDouble to_price(price), to_volume(volume);
  std::uint64_t open_time = 0, length = 0, close = 0;
  for (std::size_t i = 0; i < count; ++i) {
    engine::Bar& bar = bars[i];
    open_time += length + unfold(values[kOpenTime][i]);
    length += unfold(values[kLength][i]);
    const std::uint64_t open = close + unfold(values[kOpen][i]);
    close = open + unfold(values[kClose][i]);
    bar.open_time_ms = static_cast<std::int64_t>(open_time);
    bar.close_time_ms = static_cast<std::int64_t>(open_time + length);
    bar.open = to_price(open);
    bar.high = to_price(std::max(open, close) + values[kHigh][i]);
    bar.low = to_price(std::min(open, close) - values[kLow][i]);
    bar.close = to_price(close);
    bar.volume = to_volume(values[kVolume][i]);
  }
  return true;
}

}  // namespace atcd::state
