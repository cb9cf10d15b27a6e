#include "feeds/simulator/market.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace atcd::feeds::simulator {
namespace {

struct Known {
  std::string_view base;
  double price;
  int decimals;
};
constexpr std::array<Known, 20> kKnown = {
    {{"BTC", 64000, 2}, {"ETH", 3400, 2}, {"BNB", 580, 2},  {"SOL", 150, 2}, {"XRP", 0.62, 4},
     {"DOGE", 0.12, 5}, {"ADA", 0.45, 4}, {"TRX", 0.13, 5}, {"AVAX", 28, 2}, {"LINK", 14, 3},
     {"DOT", 6.2, 3},   {"LTC", 72, 2},   {"BCH", 380, 1},  {"UNI", 8.1, 3}, {"ATOM", 6.6, 3},
     {"ETC", 22, 2},    {"FIL", 4.4, 3},  {"NEAR", 5.1, 3}, {"APT", 7.3, 3}, {"SHIB", 0.000018, 8}}};

// The price is read on this grid; bars below a minute on a finer one.
constexpr std::int64_t kGridMs = 10'000;
constexpr std::int64_t kFineGridMs = 1000;
// Octaves of noise: from half a minute to about eleven days, each with the amplitude of a random walk of that
// length.
constexpr int kOctaves = 16;
constexpr std::int64_t kShortestOctaveMs = 30'000;
constexpr double kShortestAmplitude = 0.0006;

std::uint64_t mix(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

/// From -1 to 1.
double lattice(std::uint64_t key, std::int64_t cell) {
  return static_cast<double>(mix(key ^ mix(static_cast<std::uint64_t>(cell))) >> 11) * 0x1p-52 - 1;
}

double noise(std::uint64_t key, std::int64_t time_ms, std::int64_t period_ms) {
  const std::int64_t cell = time_ms / period_ms;
  const double within = static_cast<double>(time_ms - cell * period_ms) / static_cast<double>(period_ms);
  const double blend = within * within * (3 - 2 * within);
  const double left = lattice(key, cell), right = lattice(key, cell + 1);
  return left + (right - left) * blend;
}

}  // namespace

Market::Market(std::uint64_t seed, std::size_t count) : seed_(seed) {
  for (std::size_t i = 0; i < count; ++i) {
    MarketSymbol symbol;
    symbol.quote = "USDT";
    if (i < kKnown.size()) {
      symbol.base = kKnown[i].base;
      symbol.price = kKnown[i].price;
      symbol.price_decimals = kKnown[i].decimals;
    } else {
      std::string number = std::to_string(i + 1);
      symbol.base = "SIM" + std::string(number.size() < 4 ? 4 - number.size() : 0, '0') + number;
      symbol.price = 1 + static_cast<double>(mix(seed ^ i) % 10'000) / 100;
      symbol.price_decimals = 4;
    }
    symbol.symbol = symbol.base + symbol.quote;
    symbol.tick_e8 = 1;
    for (int d = symbol.price_decimals; d < 8; ++d) symbol.tick_e8 *= 10;
    symbols_.push_back(std::move(symbol));
  }
}

std::optional<std::size_t> Market::find(std::string_view symbol) const {
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    if (symbols_[i].symbol == symbol) return i;
  }
  return std::nullopt;
}

std::int64_t Market::price_e8(std::size_t index, std::int64_t time_ms) const {
  const MarketSymbol& symbol = symbols_[index];
  const std::uint64_t key = mix(seed_ * 0x100000001b3ULL + index);
  double log_price = 0, amplitude = kShortestAmplitude;
  std::int64_t period_ms = kShortestOctaveMs;
  for (int octave = 0; octave < kOctaves; ++octave) {
    log_price += amplitude * noise(key + static_cast<std::uint64_t>(octave), time_ms, period_ms);
    amplitude *= 1.4142135623730951;
    period_ms *= 2;
  }
  // exp's last bit may differ between machines; whole ticks do not, but for a hair's breadth.
  const double ticks = symbol.price * std::exp(log_price) * 1e8 / static_cast<double>(symbol.tick_e8);
  return std::max<std::int64_t>(1, std::llround(ticks)) * symbol.tick_e8;
}

std::optional<engine::Bar> Market::bar(std::size_t index, const engine::Interval& interval,
                                       std::int64_t time_ms, std::int64_t now_ms) const {
  const std::int64_t open_ms = interval.open_time_ms(interval.ordinal(time_ms));
  const std::int64_t close_ms = interval.close_time_ms(time_ms);
  if (open_ms < symbols_[index].listed_ms) return std::nullopt;
  const std::int64_t grid_ms = close_ms - open_ms < 60'000 ? kFineGridMs : kGridMs;
  const std::int64_t last_ms = std::min(close_ms - 1, std::max(open_ms, now_ms));
  std::int64_t first = 0, high = 0, low = 0, last = 0, volume_e3 = 0;
  for (std::int64_t at_ms = open_ms; at_ms <= last_ms; at_ms += grid_ms) {
    last = price_e8(index, at_ms);
    if (at_ms == open_ms) first = high = low = last;
    high = std::max(high, last);
    low = std::min(low, last);
    volume_e3 +=
        static_cast<std::int64_t>(mix(seed_ ^ mix(static_cast<std::uint64_t>(at_ms) + index)) % 5000);
  }
  const auto price = [](std::int64_t e8) { return static_cast<double>(e8) / 1e8; };
  return engine::Bar{open_ms,
                     close_ms,
                     price(first),
                     price(high),
                     price(low),
                     price(last),
                     static_cast<double>(volume_e3) / 1e3};
}

}  // namespace atcd::feeds::simulator
