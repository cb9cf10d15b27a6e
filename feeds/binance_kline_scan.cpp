#include "feeds/binance_kline_scan.hpp"

#include <simdjson.h>

#include <bit>
#include <cstring>

#include "feeds/decimal.hpp"

namespace atcd::feeds {
namespace {

using decimal_detail::kOnes;

/// How many of the next eight bytes stand for themselves in a JSON string: from '#' on (below it are the
/// quote, the blank and what may not stand there at all), no backslash, ASCII.
unsigned plain_bytes(const char* text) {
  const std::uint64_t bytes = decimal_detail::eight_bytes(text);
  // The highest bit of each byte that is another; what is borrowed can only reach bytes behind a first such.
  const std::uint64_t from_backslash = bytes ^ (kOnes * '\\');
  const std::uint64_t other =
      ((bytes - kOnes * '#') | bytes | ((from_backslash - kOnes) & ~from_backslash)) & (kOnes * 0x80);
  return other == 0 ? 8 : static_cast<unsigned>(std::countr_zero(other)) / 8;
}

/// Where reading stands in a frame. Each step says whether it found what it is named after, and goes on
/// behind it. A step begins inside the frame or at its end, and looks at most this many bytes ahead: into the
/// padding, but not beyond it. The padding may hold anything.
class Cursor {
 public:
  static constexpr std::size_t kLooksAhead = 32;
  static_assert(kLooksAhead <= simdjson::SIMDJSON_PADDING);

  explicit Cursor(std::string_view frame) : at_(frame.data()), end_(frame.data() + frame.size()) {}

  bool at_end() const { return at_ == end_; }

  template <std::size_t size>
  bool literal(const char (&text)[size]) {
    static_assert(size - 1 <= kLooksAhead);
    if (at_ > end_ || std::memcmp(at_, text, size - 1) != 0) return false;
    at_ += size - 1;
    return true;
  }

  /// A time from 2001 to 2286: thirteen digits; the literal behind it demands that there are no more.
  bool milliseconds(std::int64_t& value) {
    if (at_ > end_ || *at_ == '0') return false;
    const std::uint64_t first = decimal_detail::eight_bytes(at_);
    const std::uint64_t last = decimal_detail::eight_bytes(at_ + 5);
    if ((decimal_detail::no_digits(first) | decimal_detail::no_digits(last)) != 0) return false;
    value = static_cast<std::int64_t>(decimal_detail::number_of(first << 24) * 100'000'000 +
                                      decimal_detail::number_of(last));
    at_ += 13;
    return true;
  }

  /// A number in quotes that we need, without the quotes.
  bool decimal(double& value) {
    if (at_ > end_) return false;
    const std::size_t length = read_decimal({at_, static_cast<std::size_t>(end_ - at_)}, value);
    at_ += length;
    return length > 0;
  }

  /// A whole number that we do not need.
  bool skip_integer() {
    if (at_ > end_) return false;
    if (*at_ == '-') ++at_;
    const char* const first = at_;
    unsigned count = 8;
    while (count == 8 && at_ <= end_) at_ += count = decimal_detail::leading_digits(at_).count;
    return at_ > first;
  }

  /// Text, not empty, up to the first byte that does not stand for itself; the literal behind it demands the
  /// quote.
  bool text(std::string_view& value) {
    const char* const first = at_;
    unsigned count = 8;
    while (count == 8 && at_ <= end_) at_ += count = plain_bytes(at_);
    if (at_ > end_ || at_ == first) return false;
    value = {first, static_cast<std::size_t>(at_ - first)};
    return true;
  }

  bool same_text(std::string_view value) {
    if (at_ > end_ || value.size() > static_cast<std::size_t>(end_ - at_)) return false;
    if (std::memcmp(at_, value.data(), value.size()) != 0) return false;
    at_ += value.size();
    return true;
  }

  bool skip_text() {
    std::string_view unused;
    return text(unused);
  }

  bool boolean(bool& value) {
    value = literal("true");
    return value || literal("false");
  }

 private:
  const char* at_;
  const char* end_;
};

[[gnu::flatten]] bool scan_event(Cursor& at, Kline& kline, std::int64_t& last_ms) {
  engine::Bar& bar = kline.bar;
  return at.literal(R"({"e":"kline","E":)") && at.milliseconds(kline.event_time_ms) &&
         at.literal(R"(,"s":")") && at.text(kline.symbol) && at.literal(R"(","k":{"t":)") &&
         at.milliseconds(bar.open_time_ms) && at.literal(R"(,"T":)") && at.milliseconds(last_ms) &&
         at.literal(R"(,"s":")") && at.same_text(kline.symbol) && at.literal(R"(","i":")") &&
         at.text(kline.interval) && at.literal(R"(","f":)") && at.skip_integer() && at.literal(R"(,"L":)") &&
         at.skip_integer() && at.literal(R"(,"o":")") && at.decimal(bar.open) && at.literal(R"(","c":")") &&
         at.decimal(bar.close) && at.literal(R"(","h":")") && at.decimal(bar.high) &&
         at.literal(R"(","l":")") && at.decimal(bar.low) && at.literal(R"(","v":")") &&
         at.decimal(bar.volume) && at.literal(R"(","n":)") && at.skip_integer() && at.literal(R"(,"x":)") &&
         at.boolean(kline.closed) && at.literal(R"(,"q":")") && at.skip_text() && at.literal(R"(","V":")") &&
         at.skip_text() && at.literal(R"(","Q":")") && at.skip_text() && at.literal(R"(","B":")") &&
         at.skip_text() && at.literal(R"("}})");
}

}  // namespace

bool scan_binance_kline(std::string_view frame, Kline& kline, std::int64_t& last_ms) {
  if constexpr (std::endian::native != std::endian::little) return false;
  Cursor at(frame);
  const bool combined = at.literal(R"({"stream":")");
  if (combined && !(at.skip_text() && at.literal(R"(","data":)"))) return false;
  return scan_event(at, kline, last_ms) && (!combined || at.literal("}")) && at.at_end();
}

}  // namespace atcd::feeds
