#include "daemon/top_view.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <utility>

#include "daemon/commands/table_text.hpp"
#include "daemon/json_numbers.hpp"

namespace atcd::daemon {
namespace {

using simdjson::dom::element;

constexpr std::string_view kBold = "\x1b[1m", kReverse = "\x1b[7m", kPlain = "\x1b[0m";
constexpr std::size_t kMostFeeds = 4;  // lines of the heading

template <typename Take>
void read_answer(std::string_view json, const Take& take) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(json);
  element answer;
  bool ok = false;
  if (parser.parse(padded).get(answer) != simdjson::SUCCESS || answer["ok"].get(ok) != simdjson::SUCCESS)
    throw std::runtime_error("the daemon's answer can't be understood");
  std::string_view error = "it refused";
  if (!ok && answer["error"].get(error) != simdjson::SUCCESS) error = "the daemon refused";
  if (!ok) throw std::runtime_error(without_controls(error));
  take(answer);
}

void read(const element& from, std::string_view key, std::int64_t& number) {
  std::int64_t value = 0;
  if (from[key].get(value) == simdjson::SUCCESS) number = value;
}
void read(const element& from, std::string_view key, double& number) {
  double value = 0;
  number = from[key].get(value) == simdjson::SUCCESS ? value : std::numeric_limits<double>::quiet_NaN();
}
void read(const element& from, std::string_view key, std::string& text) {
  std::string_view value;
  if (from[key].get(value) == simdjson::SUCCESS) text = without_controls(value);
}

template <typename Take>
void for_each(const element& from, std::string_view key, const Take& take) {
  simdjson::dom::array list;
  if (from[key].get(list) != simdjson::SUCCESS) return;
  for (const element each : list) take(each);
}

/// Two units at most: "12 s", "3 m 05 s", "2 h 10 m", "3 d".
std::string span_text(std::int64_t ms) {
  const auto pair = [](std::int64_t first, const char* big, std::int64_t second, const char* small) {
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%lld %s %02lld %s", static_cast<long long>(first), big,
                  static_cast<long long>(second), small);
    return std::string(text.data());
  };
  const std::int64_t seconds = std::max<std::int64_t>(ms, 0) / 1000;
  if (seconds < 60) return std::to_string(seconds) + " s";
  if (seconds < 3600) return pair(seconds / 60, "m", seconds % 60, "s");
  if (seconds < 86'400) return pair(seconds / 3600, "h", seconds / 60 % 60, "m");
  return std::to_string(seconds / 86'400) + " d";
}

std::int64_t age_ms(const TopData& data, const TopData::Row& row) {
  return row.close_ms == 0 ? std::numeric_limits<std::int64_t>::max() : data.now_ms - row.close_ms;
}

/// What Redis lacks counts as lag too: nobody can read it there.
std::int64_t lag_ms(const TopData& data, const TopData::Row& row) {
  if (row.published_ms == 0) return std::numeric_limits<std::int64_t>::max();
  return row.published_ms >= row.close_ms ? row.lag_ms : data.now_ms - row.close_ms;
}

std::string lag_text(std::int64_t ms) {
  if (ms == std::numeric_limits<std::int64_t>::max()) return "-";
  return ms < 10'000 ? std::to_string(ms) + " ms" : span_text(ms);
}

constexpr const char* kForm = "%-36.60s %-11s %14s %8s %-5s %9s %9s";

std::string row_text(const TopData& data, const TopData::Row& row) {
  std::array<char, 32> average{};
  if (!std::isnan(row.average)) std::snprintf(average.data(), average.size(), "%.4f", row.average);
  const std::string close = row.close_ms == 0 ? "-" : json_number(row.close);
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), kForm, row.series.c_str(), row.state.c_str(), close.c_str(),
                std::isnan(row.average) ? "-" : average.data(), trend_text(row.trend).c_str(),
                row.close_ms == 0 ? "-" : span_text(age_ms(data, row)).c_str(),
                lag_text(lag_ms(data, row)).c_str());
  return text.data();
}

constexpr std::array<const char*, 6> kNames = {"SERIES", "STATE", "AVERAGE", "TREND", "AGE", "LAG"};
constexpr std::array<char, 6> kKeys = {'s', 't', 'a', 'd', 'g', 'l'};

std::string column_heads(TopView::Column by, bool reversed) {
  std::array<std::string, 6> names;
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = kNames[i];
    if (i == static_cast<std::size_t>(by)) names[i] += reversed ? "-" : "+";
  }
  std::array<char, 256> text{};
  std::snprintf(text.data(), text.size(), kForm, names[0].c_str(), names[1].c_str(), "CLOSE",
                names[2].c_str(), names[3].c_str(), names[4].c_str(), names[5].c_str());
  return text.data();
}

std::vector<std::string> heading(const TopData& data) {
  const auto live = std::count_if(data.rows.begin(), data.rows.end(),
                                  [](const TopData::Row& row) { return row.state == "LIVE"; });
  std::vector<std::string> lines = {"atcd " + data.version + " " + data.instance + ", up " +
                                    span_text(data.now_ms - data.started_ms) + "; " +
                                    std::to_string(data.rows.size()) + " series, " + std::to_string(live) +
                                    " live; Redis " + (data.redis_connected ? "connected" : "NOT CONNECTED") +
                                    ", " + std::to_string(data.unpublished) + " bars unpublished"};
  for (const auto& [name, feed] : data.feeds) {
    if (lines.size() > kMostFeeds) {
      lines.back() += "; and " + std::to_string(data.feeds.size() - kMostFeeds) + " more feeds";
      break;
    }
    lines.push_back(name + ": " + std::to_string(feed.series) + " series of bars, " +
                    std::to_string(feed.connections) + " connections, " + std::to_string(feed.frames) +
                    " frames, " + std::to_string(feed.malformed) + " malformed, " +
                    std::to_string(feed.rest_errors) + " REST errors");
  }
  return lines;
}

bool less(const TopData& data, const TopData::Row& a, const TopData::Row& b, TopView::Column by) {
  switch (by) {
    case TopView::Column::state:
      return a.state < b.state;
    case TopView::Column::average:  // the undefined ones last
      return std::isnan(b.average) ? !std::isnan(a.average) : a.average > b.average;
    case TopView::Column::trend:
      return a.trend > b.trend;
    case TopView::Column::age:
      return age_ms(data, a) > age_ms(data, b);
    case TopView::Column::lag:
      return lag_ms(data, a) > lag_ms(data, b);
    case TopView::Column::series:
      break;
  }
  return a.series < b.series;
}

bool contains(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

std::string cut(std::string text, std::size_t width) {
  if (text.size() > width) text.resize(width);
  return text;
}

}  // namespace

void take_status(TopData& data, std::string_view json) {
  read_answer(json, [&](const element& answer) {
    read(answer, "instance", data.instance);
    read(answer, "version", data.version);
    read(answer, "started_ms", data.started_ms);
    read(answer, "unpublished", data.unpublished);
    bool connected = false;
    data.redis_connected = answer["redis_connected"].get(connected) == simdjson::SUCCESS && connected;
  });
}

void take_feeds(TopData& data, std::string_view json) {
  read_answer(json, [&](const element& answer) {
    for_each(answer, "feeds", [&](const element& each) {
      std::string name;
      read(each, "feed", name);
      const auto add = [&](std::string_view key, std::int64_t& sum) {
        std::int64_t value = 0;
        read(each, key, value);
        sum += value;
      };
      TopData::Feed& feed = data.feeds[name];
      add("series", feed.series);
      add("connections", feed.connections);
      add("frames", feed.frames);
      add("malformed", feed.malformed);
      add("rest_errors", feed.rest_errors);
    });
  });
}

std::string take_rows(TopData& data, std::string_view json) {
  std::string next;
  read_answer(json, [&](const element& answer) {
    read(answer, "next", next);
    read(answer, "now_ms", data.now_ms);
    for_each(answer, "rows", [&](const element& each) {
      TopData::Row& row = data.rows.emplace_back();
      read(each, "series", row.series);
      read(each, "state", row.state);
      read(each, "close_ms", row.close_ms);
      read(each, "close", row.close);
      read(each, "average", row.average);
      read(each, "trend", row.trend);
      read(each, "published_ms", row.published_ms);
      read(each, "lag_ms", row.lag_ms);
    });
  });
  return next;
}

bool TopView::on_key(std::string_view key) {
  if (key.empty()) return true;
  if (typing_) {
    type(key);
    return true;
  }
  const auto column = std::find(kKeys.begin(), kKeys.end(), key.front());
  if (key.size() == 1 && column != kKeys.end()) {
    const auto chosen = static_cast<Column>(column - kKeys.begin());
    reversed_ = chosen == by_ && !reversed_;
    by_ = chosen;
    top_ = 0;
  } else if (key == "r") {
    reversed_ = !reversed_;
  } else if (key == "/") {
    typing_ = true;
    filter_.clear();
    top_ = 0;
  } else if (key == "\x1b") {
    filter_.clear();
  } else if (key == "\x1b[A" || key == "k") {
    top_ -= std::min<std::size_t>(top_, 1);
  } else if (key == "\x1b[B" || key == "j") {
    ++top_;
  } else if (key == "\x1b[5~" || key == "b") {
    top_ -= std::min(top_, page_);
  } else if (key == "\x1b[6~" || key == " ") {
    top_ += page_;
  }
  return key != "q" && key != "Q";
}

void TopView::type(std::string_view key) {
  if (key == "\r" || key == "\n") {
    typing_ = false;
  } else if (key == "\x1b") {
    typing_ = false;
    filter_.clear();
  } else if (key == "\x7f" || key == "\b") {
    if (!filter_.empty()) filter_.pop_back();
  } else if (key.size() == 1 && key.front() > ' ' && key.front() < 0x7f) {
    filter_ += key;
  }
}

std::vector<const TopData::Row*> TopView::chosen(const TopData& data) const {
  std::vector<const TopData::Row*> rows;
  for (const TopData::Row& row : data.rows) {
    if (contains(row.series + " " + row.state, filter_)) rows.push_back(&row);
  }
  std::sort(rows.begin(), rows.end(), [&](const TopData::Row* a, const TopData::Row* b) {
    if (less(data, *a, *b, by_)) return !reversed_;
    if (less(data, *b, *a, by_)) return reversed_;
    return a->series < b->series;
  });
  return rows;
}

std::string TopView::last_line(std::size_t shown, std::size_t all) const {
  if (typing_) return "filter: " + filter_ + "_   (Enter: keep, Esc: none)";
  const std::string rows =
      all == 0 ? "no series"
               : std::to_string(top_ + 1) + "-" + std::to_string(top_ + shown) + " of " + std::to_string(all);
  return rows + (filter_.empty() ? "" : " with \"" + filter_ + "\"") +
         "   sort: s t a d g l, r reverse   / filter   arrows, space, b scroll   q quit";
}

std::vector<std::string> TopView::screen(const TopData& data, std::size_t width, std::size_t height) {
  std::vector<std::string> lines;
  for (std::string& line : heading(data)) lines.push_back(cut(std::move(line), width));
  if (!data.redis_connected) lines.front() = std::string(kBold) + lines.front() + std::string(kPlain);
  std::string heads = cut(column_heads(by_, reversed_), width);
  heads.resize(width, ' ');
  lines.push_back(std::string(kReverse) + heads + std::string(kPlain));
  const std::vector<const TopData::Row*> rows = chosen(data);
  page_ = height > lines.size() + 1 ? height - lines.size() - 1 : 1;
  top_ = std::min(top_, rows.size() > page_ ? rows.size() - page_ : 0);
  const std::size_t shown = std::min(page_, rows.size() - top_);
  for (std::size_t i = 0; i < shown; ++i) {
    const TopData::Row& row = *rows[top_ + i];
    std::string line = cut(row_text(data, row), width);
    if (row.state != "LIVE") line = std::string(kBold) + line + std::string(kPlain);
    lines.push_back(std::move(line));
  }
  while (lines.size() + 1 < height) lines.emplace_back();
  lines.push_back(cut(last_line(shown, rows.size()), width));
  if (lines.size() > height) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(height));
  return lines;
}

std::string TopView::plain(const TopData& data) {
  std::string text;
  for (const std::string& line : heading(data)) text += line + "\n";
  text += column_heads(by_, reversed_) + "\n";
  for (const TopData::Row* row : chosen(data)) text += row_text(data, *row) + "\n";
  return text;
}

}  // namespace atcd::daemon
