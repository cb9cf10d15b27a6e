#pragma once

#include <string>
#include <string_view>

#include "engine/interval.hpp"
#include "engine/series_id.hpp"
#include "feeds/exchange.hpp"

namespace atcd::daemon {

/// The text as a JSON string with its quotes; control characters and bytes that are not UTF-8 come out
/// escaped.
std::string json_string(std::string_view text);

/// What exists: the value of a series in atc:1:catalogue. Base, quote and common symbol are empty where the
/// exchange's list could not be had.
std::string catalogue_json(const engine::SeriesId& id, const feeds::SymbolInfo& symbol,
                           const engine::Interval& interval, std::string_view config);

}  // namespace atcd::daemon
