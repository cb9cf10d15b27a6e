#pragma once

#include "engine/bar.hpp"
#include "engine/parameters.hpp"

namespace atcd::engine {

/// What the averages are taken of.
inline double ma_source_of(const Bar& bar, MaSource source) {
  switch (source) {
    case MaSource::open:
      return bar.open;
    case MaSource::high:
      return bar.high;
    case MaSource::low:
      return bar.low;
    case MaSource::hl2:
      return (bar.high + bar.low) / 2;
    case MaSource::hlc3:
      return (bar.high + bar.low + bar.close) / 3;
    case MaSource::ohlc4:
      return (bar.open + bar.high + bar.low + bar.close) / 4;
    case MaSource::close:
      break;
  }
  return bar.close;
}

}  // namespace atcd::engine
