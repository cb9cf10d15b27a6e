#pragma once

#include <memory>

#include "feeds/exchange.hpp"

namespace atcd::feeds {

/// The three Binance markets. Documentation: https://developers.binance.com/docs (spot "WebSocket Streams"
/// and "Market Data endpoints"; USD-M and COIN-M futures "Kline/Candlestick Streams").
const Exchange& binance_spot();
const Exchange& binance_usdm();
const Exchange& binance_coinm();

/// Frames of all three have one form (feeds/binance_frame.cpp).
std::unique_ptr<FrameParser> new_binance_frame_parser();
/// The same without the short way for klines that are written just as Binance writes them
/// (feeds/binance_kline_scan.hpp): the definition, which tests hold the short way to.
std::unique_ptr<FrameParser> new_binance_full_frame_parser();

}  // namespace atcd::feeds
