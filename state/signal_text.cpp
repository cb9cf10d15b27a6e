#include "state/signal_text.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

#include "state/number_text.hpp"
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

// A signal's text is written to memory that is made large enough beforehand, piece behind piece.

char* put_text(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* put_number(char* at, std::int64_t value) { return std::to_chars(at, at + kLongestNumber, value).ptr; }

char* put_argument(char* at, std::string_view text) {
  *at++ = '$';
  at = put_text(put_number(at, static_cast<std::int64_t>(text.size())), "\r\n");
  return put_text(put_text(at, text), "\r\n");
}

char* put_argument(char* at, std::int64_t value) {
  std::array<char, kLongestNumber> digits;
  char* const end = put_number(digits.data(), value);
  return put_argument(at, std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

/// The fields' names as arguments.
const std::array<std::string, kFields>& name_arguments() {
  static const auto arguments = [] {
    std::array<std::string, kFields> made;
    for (const FieldRow& row : kFieldTable) append_argument(made[index_of(row.field)], row.name);
    return made;
  }();
  return arguments;
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

  // Not the JSON as an argument: its length is known when it is written.
  longest_ = command_start_.size() + channel_argument_.size() + constant_content_.size() +
             constant_others_.size() + kArguments * 2 * kLongestNumber;
  for (const FieldRow& row : kFieldTable) longest_ += row.name.size() + json_[index_of(row.field)].size();
}

void SignalFormatter::put(Field field, std::int64_t value) {
  char* first = &digits_[index_of(field) * kLongestNumber];
  const auto end = std::to_chars(first, first + kLongestNumber, value).ptr;
  lengths_[index_of(field)] = static_cast<std::uint8_t>(end - first);
}

void SignalFormatter::put(Field field, double value) {
  char* first = &digits_[index_of(field) * kLongestNumber];
  const auto end = std::isfinite(value) ? write_shortest(first, value) : first;
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

/// Memory for this many characters. It only grows: making a string longer would fill it with zeros each time.
char* SignalFormatter::room(std::size_t size) {
  if (room_.size() < size) room_.resize(size);
  return room_.data();
}

char* SignalFormatter::put_json(char* at, const SeriesText& series) const {
  *at++ = '{';
  for (const FieldRow& row : kFieldTable) {
    if (!present(row.field)) continue;
    if (row.field != kFieldTable.front().field) *at++ = ',';
    at = put_text(at, series.json_[index_of(row.field)]);
    if (constant(row)) continue;
    const std::string_view value = text(row.field);
    if (row.form == FieldForm::word) {
      at = put_text(put_text(put_text(at, "\""), value), "\"");
    } else {
      at = put_text(at, value.empty() ? "null" : value);
    }
  }
  *at++ = '}';
  return at;
}

const std::string& SignalFormatter::json(const SeriesText& series, const SignalRecord& record,
                                         std::int64_t published_us) {
  render(record, published_us);
  char* const first = room(series.longest_);
  return json_.assign(first, put_json(first, series));
}

char* SignalFormatter::put_pairs(char* at, bool content) const {
  for (const FieldRow& row : kFieldTable) {
    if (constant(row) || row.content != content || row.field == Field::rev || !present(row.field)) continue;
    at = put_text(at, name_arguments()[index_of(row.field)]);
    at = put_argument(at, text(row.field));
  }
  return at;
}

const std::string& SignalFormatter::content(const SeriesText& series, const SignalRecord& record) {
  render(record, 0);
  char* const first = room(series.longest_);
  return content_.assign(first, put_text(put_pairs(first, true), series.constant_content_));
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
  char* const json = room(3 * series.longest_);
  char* const first = push ? put_json(json, series) : json;
  const std::string_view pushed(json, static_cast<std::size_t>(first - json));
  char* at = put_text(first, "*");
  at = put_number(at, static_cast<std::int64_t>(kArguments + (has_gap_ ? 2U : 0U)));
  at = put_text(put_text(at, "\r\n"), series.command_start_);
  at = put_argument(at, text(Field::close_ms));
  at = put_argument(at, record.prev_close_ms);
  at = put_argument(at, record.correction ? "1" : "0");
  at = put_argument(at, push ? "1" : "0");
  at = put_text(at, series.channel_argument_);
  at = put_argument(at, limits.keep);
  at = put_argument(at, limits.group_keep);
  at = put_argument(at, static_cast<std::int64_t>(kContentFields));
  at = put_text(put_pairs(at, true), series.constant_content_);
  at = put_argument(at, static_cast<std::int64_t>(kOtherFields + (has_gap_ ? 1U : 0U)));
  at = put_text(put_pairs(at, false), series.constant_others_);
  at = put_argument(at, pushed);
  out.append(first, at);
}

}  // namespace atcd::state
