#include "state/signal_text.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

#include "state/publish_function.hpp"

namespace atcd::state {
namespace {

// FCALL, the function, the number of keys, three keys; then the arguments that publish_function.lua lists:
// seven scalars, both counts and the JSON, and two arguments a field.
constexpr std::size_t kArguments = 6 + 7 + 3 + 2 * (kContentFields + kOtherFields);

bool constant(const FieldRow& row) {
  return row.form == FieldForm::constant_text || row.form == FieldForm::constant_number;
}

std::array<std::string_view, kFields> constant_texts(const PublishedSeries& series, std::string_view name,
                                                     std::string_view instance) {
  std::array<std::string_view, kFields> texts{};
  texts[index_of(Field::v)] = kSchemaVersion;
  texts[index_of(Field::series)] = name;
  texts[index_of(Field::exchange)] = series.id.exchange;
  texts[index_of(Field::market)] = series.id.market;
  texts[index_of(Field::symbol)] = series.id.symbol;
  texts[index_of(Field::interval)] = series.id.interval;
  texts[index_of(Field::profile)] = series.id.profile;
  texts[index_of(Field::config)] = series.config;
  texts[index_of(Field::dialect)] = series.dialect;
  texts[index_of(Field::instance)] = instance;
  return texts;
}

void append_number(std::string& out, std::uint64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

}  // namespace

void append_argument(std::string& out, std::string_view text) {
  out += '$';
  append_number(out, text.size());
  out.append("\r\n").append(text).append("\r\n");
}

void append_argument(std::string& out, std::int64_t value) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  append_argument(out, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

SeriesText::SeriesText(const PublishedSeries& series, std::string_view instance, std::string_view prefix)
    : name_(series.id.name()) {
  const std::string start = std::string(prefix) + ":1:";
  const std::string group = start + "{" + series.id.group() + "}:";
  const std::string symbol = engine::percent_encode(series.id.symbol);
  stream_key_ = group + "stream:" + symbol;
  last_key_ = group + "last:" + symbol;
  signal_channel_ = start + "signal:" + name_;
  forming_channel_ = start + "forming:" + name_;

  append_argument(command_start_, "FCALL");
  append_argument(command_start_, kPublishFunction);
  append_argument(command_start_, "3");
  append_argument(command_start_, stream_key_);
  append_argument(command_start_, last_key_);
  append_argument(command_start_, group + "all");
  append_argument(channel_argument_, signal_channel_);

  const auto texts = constant_texts(series, name_, instance);
  for (const FieldRow& row : kFieldTable) {
    std::string& json = json_[index_of(row.field)];
    json.append("\"").append(row.name).append("\":");
    if (!constant(row)) continue;
    const std::string_view text = texts[index_of(row.field)];
    row.form == FieldForm::constant_text ? append_json_string(json, text) : void(json.append(text));
    std::string& pairs = row.content ? constant_content_ : constant_others_;
    append_argument(pairs, row.name);
    append_argument(pairs, text);
  }
}

void SignalFormatter::put(Field field, std::int64_t value) {
  char* first = &digits_[index_of(field) * kLongestNumber];
  const auto end = std::to_chars(first, first + kLongestNumber, value).ptr;
  lengths_[index_of(field)] = static_cast<std::uint8_t>(end - first);
}

void SignalFormatter::put(Field field, double value) {
  char* first = &digits_[index_of(field) * kLongestNumber];
  const auto end = std::isfinite(value) ? std::to_chars(first, first + kLongestNumber, value).ptr : first;
  lengths_[index_of(field)] = static_cast<std::uint8_t>(end - first);
}

void SignalFormatter::put(Field field, std::string_view value) {
  std::memcpy(&digits_[index_of(field) * kLongestNumber], value.data(), value.size());
  lengths_[index_of(field)] = static_cast<std::uint8_t>(value.size());
}

std::string_view SignalFormatter::text(Field field) const {
  return {&digits_[index_of(field) * kLongestNumber], lengths_[index_of(field)]};
}

void SignalFormatter::render(const SignalRecord& record, std::int64_t published_us) {
  const engine::Bar& bar = record.bar;
  const engine::Signal& signal = record.signal;
  put(Field::open_ms, bar.open_time_ms);
  put(Field::close_ms, bar.close_time_ms);
  put(Field::next_close_ms, record.next_close_ms);
  put(Field::open, bar.open);
  put(Field::high, bar.high);
  put(Field::low, bar.low);
  put(Field::close, bar.close);
  put(Field::volume, bar.volume);
  put(Field::average, signal.average);
  put(Field::trend, std::int64_t{signal.trend});
  put(Field::previous_trend, std::int64_t{signal.previous_trend});
  put(Field::trend_since_ms, signal.trend_since_ms);
  for (std::size_t i = 0; i < engine::kFamilies; ++i) {
    put(static_cast<Field>(index_of(Field::ema_signal) + i), signal.layer1[i]);
    put(static_cast<Field>(index_of(Field::ema_equity) + i), signal.equity[i]);
  }
  put(Field::bar_index, signal.bar_index);
  put(Field::anchor_ms, record.anchor_ms);
  put(Field::rev, std::int64_t{0});
  put(Field::source, source_name(record.source));
  put(Field::received_us, record.received_us);
  put(Field::published_us, published_us);
  put(Field::gap_from_ms, record.gap_from_ms);
  has_gap_ = record.gap_from_ms != 0;
}

void SignalFormatter::build_json(const SeriesText& series) {
  json_.clear();
  json_ += '{';
  for (const FieldRow& row : kFieldTable) {
    if (!present(row.field)) continue;
    if (json_.size() > 1) json_ += ',';
    json_ += series.json_[index_of(row.field)];
    if (constant(row)) continue;
    const std::string_view value = text(row.field);
    if (row.form == FieldForm::word) {
      json_.append("\"").append(value).append("\"");
    } else {
      json_ += value.empty() ? "null" : value;
    }
  }
  json_ += '}';
}

const std::string& SignalFormatter::json(const SeriesText& series, const SignalRecord& record,
                                         std::int64_t published_us) {
  render(record, published_us);
  build_json(series);
  return json_;
}

void SignalFormatter::append_pairs(std::string& out, bool content) const {
  for (const FieldRow& row : kFieldTable) {
    if (constant(row) || row.content != content || row.field == Field::rev || !present(row.field)) continue;
    append_argument(out, row.name);
    append_argument(out, text(row.field));
  }
}

const std::string& SignalFormatter::content(const SeriesText& series, const SignalRecord& record) {
  render(record, 0);
  content_.clear();
  append_pairs(content_, true);
  content_ += series.constant_content_;
  return content_;
}

std::string content_of(const std::function<std::string_view(std::string_view name)>& field) {
  std::string content;
  for (const bool constants : {false, true}) {
    for (const FieldRow& row : kFieldTable) {
      if (!row.content || constant(row) != constants) continue;
      append_argument(content, row.name);
      append_argument(content, field(row.name));
    }
  }
  return content;
}

void SignalFormatter::append_command(std::string& out, const SeriesText& series, const SignalRecord& record,
                                     const StreamLimits& limits, std::int64_t published_us) {
  render(record, published_us);
  const bool push = record.source == Source::live;
  out += '*';
  append_number(out, kArguments + (has_gap_ ? 2U : 0U));
  out.append("\r\n").append(series.command_start_);
  append_argument(out, text(Field::close_ms));
  append_argument(out, record.prev_close_ms);
  append_argument(out, record.correction ? "1" : "0");
  append_argument(out, push ? "1" : "0");
  out += series.channel_argument_;
  append_argument(out, limits.keep);
  append_argument(out, limits.group_keep);
  append_argument(out, static_cast<std::int64_t>(kContentFields));
  append_pairs(out, true);
  out += series.constant_content_;
  append_argument(out, static_cast<std::int64_t>(kOtherFields + (has_gap_ ? 1U : 0U)));
  append_pairs(out, false);
  out += series.constant_others_;
  if (push) {
    build_json(series);
    append_argument(out, json_);
  } else {
    append_argument(out, "");
  }
}

}  // namespace atcd::state
