#include "feeds/simulator/market.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/anchor.hpp"

namespace atcd::feeds::simulator {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kGridMs = 10'000;
constexpr std::int64_t kFineGridMs = 250;
constexpr std::int64_t kShortestOctaveMs = 10'000;
constexpr double kShortestAmplitude = 0.00035;
constexpr double kSquareRootOfTwo = 1.4142135623730951;
constexpr std::uint64_t kTradesAtOnce = 20;
constexpr std::int64_t kForEver = std::numeric_limits<std::int64_t>::max();

std::uint64_t mix(std::uint64_t x) {  // splitmix64
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t draw(std::uint64_t key, std::int64_t number) {
  return mix(key ^ (static_cast<std::uint64_t>(number) * 0x9e3779b97f4a7c15ULL));
}

/// e^x for |x| below 3, to some 1e-8. The library's differs in the last bit between machines, and rounded to
/// ticks that could once in a long while become another price; this one is made of operations that do not.
double exponential(double x) {
  constexpr double kLog2 = 0.6931471805599453;
  constexpr std::array<double, 10> kPowersOfTwo = {0.03125, 0.0625, 0.125, 0.25, 0.5, 1, 2, 4, 8, 16};
  const auto whole = static_cast<int>(x / kLog2 + 5.5);  // from 0: rounded down is to the nearest
  const double r = x - (whole - 5) * kLog2;
  const double r2 = r * r;
  const double low = 1 + r + r2 * (1.0 / 2 + r * (1.0 / 6));
  const double high = 1.0 / 24 + r * (1.0 / 120) + r2 * (1.0 / 720 + r * (1.0 / 5040));
  return (low + r2 * r2 * high) * kPowersOfTwo[static_cast<std::size_t>(whole)];
}

}  // namespace

// ---- the path ----

LogPrice::LogPrice(std::uint64_t key) {
  double amplitude = kShortestAmplitude;
  for (std::size_t octave = 0; octave < kOctaves; ++octave) {
    keys_[octave] = mix(key + octave);
    // Twice the time, the square root of two times as far: a random walk's measure.
    amplitudes_[octave] = amplitude;
    amplitude *= kSquareRootOfTwo;
  }
  cells_.fill(-1);
}

LogPrice::Cubic LogPrice::cubic_of(std::size_t octave, std::int64_t cell) const {
  const auto lattice = [&](std::int64_t at) {  // from -1 to 1
    return static_cast<double>(draw(keys_[octave], at) >> 11) * 0x1p-52 - 1;
  };
  const double left = amplitudes_[octave] * lattice(cell);
  const double rise = amplitudes_[octave] * lattice(cell + 1) - left;
  Cubic sum{left, 0, 3 * rise, -2 * rise};
  if (octave + 1 == kOctaves) return sum;
  // The longer octaves over our half of their cell.
  const Cubic& longer = cubics_[octave + 1];
  Cubic half{longer.c0, longer.c1 / 2, longer.c2 / 4, longer.c3 / 8};
  if ((cell & 1) != 0) {
    half = {longer.c0 + longer.c1 / 2 + longer.c2 / 4 + longer.c3 / 8,
            (longer.c1 + longer.c2 + 0.75 * longer.c3) / 2, (longer.c2 + 1.5 * longer.c3) / 4, longer.c3 / 8};
  }
  return {sum.c0 + half.c0, sum.c1 + half.c1, sum.c2 + half.c2, sum.c3 + half.c3};
}

double LogPrice::at(std::int64_t time_ms) {
  const std::int64_t leaf = time_ms / kShortestOctaveMs;
  std::size_t changed = 0;
  while (changed < kOctaves && cells_[changed] != leaf >> changed) ++changed;
  while (changed-- > 0) {
    cells_[changed] = leaf >> changed;
    cubics_[changed] = cubic_of(changed, cells_[changed]);
  }
  const double within = static_cast<double>(time_ms - leaf * kShortestOctaveMs) / kShortestOctaveMs;
  const Cubic& cubic = cubics_[0];
  return cubic.c0 + within * (cubic.c1 + within * (cubic.c2 + within * cubic.c3));
}

// ---- one bar ----

RunningBar::RunningBar(const Market& market, std::size_t symbol, const engine::Interval& interval,
                       std::int64_t time_ms)
    : market_(&market),
      symbol_(symbol),
      path_(market.keys_[symbol]),
      open_ms_(interval.open_time_ms(interval.ordinal(time_ms))),
      close_ms_(interval.close_time_ms(time_ms)),
      grid_ms_(close_ms_ - open_ms_ < kMinuteMs ? kFineGridMs : kGridMs),
      next_ms_(std::max(open_ms_, market.symbols_[symbol].listed_ms)) {
  const MarketSymbol& about = market.symbols_[symbol];
  level_ticks_ = about.price * 1e8 / static_cast<double>(about.tick_e8);
  const double usual_lots = about.quote_per_trade / about.price / (static_cast<double>(about.lot_e8) / 1e8);
  most_lots_ = static_cast<std::uint64_t>(std::clamp(2 * usual_lots, 2.0, 1e9));
  if (market.opens_at_last_close_) open_at_last_close();
}

void RunningBar::skip_to(std::int64_t time_ms) {
  next_ms_ = std::max(next_ms_, time_ms);
  open_ticks_ = 0;
}

void RunningBar::extend(std::int64_t now_ms) {
  const std::int64_t last_ms = std::min(now_ms, close_ms_ - 1);
  while (next_ms_ <= last_ms) {
    if (market_->halt_at(symbol_, next_ms_) == nullptr) take(next_ms_);
    next_ms_ += grid_ms_;
  }
}

/// A quiet minute holds the price of the last trade before it.
std::int64_t RunningBar::traded_at(std::int64_t time_ms) const {
  const std::uint64_t key = market_->keys_[symbol_];
  while (market_->quiet(key, time_ms / kMinuteMs) && time_ms >= kMinuteMs)
    time_ms = time_ms / kMinuteMs * kMinuteMs - grid_ms_;
  return time_ms;
}

std::int64_t RunningBar::ticks_at(std::int64_t traded_ms) {
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::floor(level_ticks_ * exponential(path_.at(traded_ms)) + 0.5)));
}

/// Without a trade before it there is none: then it opens as others do.
void RunningBar::open_at_last_close() {
  const auto before_ms = market_->traded_until(symbol_, open_ms_ - 1);
  if (before_ms) open_ticks_ = ticks_at(traded_at(*before_ms / grid_ms_ * grid_ms_));
}

void RunningBar::take(std::int64_t time_ms) {
  const std::uint64_t key = market_->keys_[symbol_];
  const std::int64_t traded_ms = traded_at(time_ms);
  close_ticks_ = ticks_at(traded_ms);
  if (samples_ == 0 && open_ticks_ == 0) open_ticks_ = close_ticks_;
  if (samples_ == 0) high_ticks_ = low_ticks_ = open_ticks_;
  high_ticks_ = std::max(high_ticks_, close_ticks_);
  low_ticks_ = std::min(low_ticks_, close_ticks_);
  ++samples_;
  if (traded_ms != time_ms) return;
  const std::uint64_t drawn = draw(~key, time_ms / kFineGridMs);
  const auto lots = static_cast<std::int64_t>(1 + ((drawn >> 32) * most_lots_ >> 32));
  const std::int64_t taker_lots = lots * static_cast<std::int64_t>(drawn >> 16 & 0xff) / 256;
  lots_ += lots;
  taker_lots_ += taker_lots;
  trades_ += static_cast<std::int64_t>(1 + (drawn & 0xffff) % kTradesAtOnce);
  quote_ += static_cast<double>(lots) * static_cast<double>(close_ticks_);
  taker_quote_ += static_cast<double>(taker_lots) * static_cast<double>(close_ticks_);
}

Kline RunningBar::kline() const {
  const MarketSymbol& symbol = market_->symbols_[symbol_];
  // Below 2^53 both are exact, so the one division gives the nearest double.
  const auto price = [&](std::int64_t ticks) { return static_cast<double>(ticks * symbol.tick_e8) / 1e8; };
  const double lot = static_cast<double>(symbol.lot_e8) / 1e8;
  const double quote_unit = lot * static_cast<double>(symbol.tick_e8) / 1e8;
  return {{open_ms_, close_ms_, price(open_ticks_), price(high_ticks_), price(low_ticks_),
           price(close_ticks_), static_cast<double>(lots_) * lot},
          quote_ * quote_unit,
          static_cast<double>(taker_lots_) * lot,
          taker_quote_ * quote_unit,
          trades_,
          // At most kTradesAtOnce on each step of the grid: numbers grow with time and never overlap.
          trades_ == 0 ? -1 : open_ms_ / kFineGridMs * static_cast<std::int64_t>(kTradesAtOnce)};
}

// ---- the market ----

Market::Market(std::vector<MarketSymbol> symbols, const MarketOptions& options)
    : symbols_(std::move(symbols)),
      halts_(symbols_.size()),
      quiet_below_(static_cast<std::uint64_t>(std::clamp(options.quiet_share, 0.0, 0.9) * 0x1p32)),
      opens_at_last_close_(options.opens_at_last_close) {
  for (std::size_t i = 0; i < symbols_.size(); ++i) {
    MarketSymbol& symbol = symbols_[i];
    symbol.listed_ms = (std::max<std::int64_t>(symbol.listed_ms, 0) + kMinuteMs - 1) / kMinuteMs * kMinuteMs;
    // Base and quote, not the symbol: exchanges write it differently, and the market is the same.
    keys_.push_back(mix(mix(options.seed) + engine::fnv1a_64(symbol.base + "/" + symbol.quote)));
    by_name_.emplace(symbol.symbol, i);
    if (symbol.halted) halts_[i].push_back({0, kForEver});
  }
}

std::optional<std::size_t> Market::find(std::string_view symbol) const {
  const auto found = by_name_.find(symbol);
  return found == by_name_.end() ? std::nullopt : std::optional(found->second);
}

bool Market::quiet(std::uint64_t key, std::int64_t minute) const {
  return quiet_below_ != 0 && (draw(key + 0x5155494554ULL, minute) & 0xffffffff) < quiet_below_;
}

const Market::Halt* Market::halt_at(std::size_t symbol, std::int64_t time_ms) const {
  const auto& halts = halts_[symbol];
  const auto found =
      std::find_if(halts.rbegin(), halts.rend(), [&](const Halt& halt) { return halt.from_ms <= time_ms; });
  return found != halts.rend() && time_ms < found->to_ms ? &*found : nullptr;
}

void Market::halt(std::size_t symbol, std::int64_t now_ms) {
  if (halt_at(symbol, now_ms) != nullptr) return;
  // A trade at this very moment has been seen.
  halts_[symbol].push_back({now_ms + 1, kForEver});
}

void Market::resume(std::size_t symbol, std::int64_t now_ms) {
  auto& halts = halts_[symbol];
  if (halts.empty() || halts.back().to_ms != kForEver) return;
  halts.back().to_ms = now_ms + 1;
  if (halts.back().to_ms <= halts.back().from_ms) halts.pop_back();
}

bool Market::trading(std::size_t symbol, std::int64_t now_ms) const {
  // Halted at this moment, it is from the next on.
  return now_ms >= symbols_[symbol].listed_ms && halt_at(symbol, now_ms + 1) == nullptr;
}

std::optional<std::int64_t> Market::traded_from(std::size_t symbol, std::int64_t time_ms) const {
  time_ms = std::max(time_ms, symbols_[symbol].listed_ms);
  while (const Halt* halt = halt_at(symbol, time_ms)) {
    if (halt->to_ms == kForEver) return std::nullopt;
    time_ms = halt->to_ms;
  }
  return time_ms;
}

std::optional<std::int64_t> Market::traded_until(std::size_t symbol, std::int64_t time_ms) const {
  while (const Halt* halt = halt_at(symbol, time_ms)) time_ms = halt->from_ms - 1;
  return time_ms < symbols_[symbol].listed_ms ? std::nullopt : std::optional(time_ms);
}

std::optional<Kline> Market::kline(std::size_t symbol, const engine::Interval& interval, std::int64_t time_ms,
                                   std::int64_t now_ms) const {
  RunningBar bar(*this, symbol, interval, time_ms);
  bar.extend(now_ms);
  if (bar.empty()) return std::nullopt;
  Kline kline = bar.kline();
  const auto corrected = corrections_.find({symbol, bar.open_ms(), bar.close_ms()});
  if (corrected != corrections_.end()) {
    const std::int64_t tick_e8 = symbols_[symbol].tick_e8;
    const auto ticks = std::llround(kline.bar.high * 1e8 / static_cast<double>(tick_e8)) + corrected->second;
    kline.bar.close = kline.bar.high = static_cast<double>(ticks * tick_e8) / 1e8;
  }
  return kline;
}

std::optional<Kline> Market::trade(std::size_t symbol, std::int64_t time_ms) const {
  RunningBar bar(*this, symbol, engine::Interval(1, engine::Interval::Unit::minute), time_ms);
  bar.skip_to(time_ms);
  bar.extend(time_ms);
  if (bar.empty()) return std::nullopt;
  const Kline trade = bar.kline();
  return trade.trades == 0 ? std::nullopt : std::optional(trade);
}

std::int64_t Market::next_trade_ms(std::int64_t time_ms) { return (time_ms / kGridMs + 1) * kGridMs; }

std::optional<Kline> Market::correct(std::size_t symbol, const engine::Interval& interval,
                                     std::int64_t time_ms, std::int64_t now_ms) {
  const std::int64_t open_ms = interval.open_time_ms(interval.ordinal(time_ms));
  ++corrections_[{symbol, open_ms, interval.close_time_ms(open_ms)}];
  return kline(symbol, interval, time_ms, now_ms);
}

std::vector<Kline> Market::klines(const KlineQuery& query) const {
  std::vector<Kline> rows;
  const std::int64_t last_ms = std::min(query.to_ms, query.now_ms);
  const auto add = [&](std::int64_t time_ms) {
    if (auto row = kline(query.symbol, query.interval, time_ms, query.now_ms)) rows.push_back(*row);
  };
  if (query.from_ms) {
    // The bar in which the market opens may have opened before it: a day's row holds its listing's hour.
    auto at_ms = traded_from(query.symbol, std::max<std::int64_t>(*query.from_ms, 0));
    while (at_ms && *at_ms <= query.now_ms && rows.size() < query.limit) {
      const std::int64_t open_ms = query.interval.open_time_ms(query.interval.ordinal(*at_ms));
      if (open_ms > last_ms) break;
      if (open_ms >= *query.from_ms) add(*at_ms);
      at_ms = traded_from(query.symbol, query.interval.close_time_ms(*at_ms));
    }
    return rows;
  }
  auto at_ms = traded_until(query.symbol, last_ms);
  while (at_ms && rows.size() < query.limit) {
    add(*at_ms);
    at_ms = traded_until(query.symbol, query.interval.open_time_ms(query.interval.ordinal(*at_ms)) - 1);
  }
  std::reverse(rows.begin(), rows.end());
  return rows;
}

}  // namespace atcd::feeds::simulator
