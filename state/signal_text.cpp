#include "state/signal_text.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <span>

#include "state/number_text.hpp"
#include "state/publish_function.hpp"

namespace atcd::state {
namespace {

// FCALL, the function, the number of keys, three keys; then the arguments that publish_function.lua lists:
// seven scalars, both counts and the JSON, and two arguments a field.
constexpr std::size_t kArguments = 6 + 7 + 3 + 2 * (kContentFields + kOtherFields);

constexpr bool constant(const FieldRow& row) {
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

// A signal's text is written to memory that is made large enough beforehand, piece behind piece. Pieces that
// vary lie in blocks of one size, and a whole block is copied whatever its piece's length: that takes two
// instructions, and the next piece covers what is too much.

constexpr std::size_t kBlock = kLongestNumber;

/// A text of at most 31 characters.
struct Piece {
  std::array<char, kBlock - 1> text{};
  std::uint8_t size = 0;

  constexpr void add(std::string_view more) {
    for (const char character : more) text[size++] = character;
  }
};
static_assert(sizeof(Piece) == kBlock);

char* put_block(char* at, const void* block, std::size_t size) {
  std::memcpy(at, block, kBlock);
  return at + size;
}

char* put_piece(char* at, const Piece& piece) { return put_block(at, &piece, piece.size); }

char* put_text(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

constexpr std::string_view kLineEnd = "\r\n";

/// An argument's length in decimal and a line end; the argument is shorter than a block.
constexpr auto kLengths = [] {
  std::array<std::array<char, 4>, kBlock> lengths{};
  for (std::size_t length = 0; length < kBlock; ++length) {
    std::size_t at = 0;
    if (length >= 10) lengths[length][at++] = static_cast<char>('0' + length / 10);
    lengths[length][at++] = static_cast<char>('0' + length % 10);
    for (const char character : kLineEnd) lengths[length][at++] = character;
  }
  return lengths;
}();

char* put_length(char* at, std::size_t length) {
  std::memcpy(at, kLengths[length].data(), kLengths[length].size());
  return at + (length < 10 ? 3 : 4);
}

char* put_argument(char* at, std::string_view text) {
  *at++ = '$';
  at = put_text(write_whole(at, static_cast<std::int64_t>(text.size())), kLineEnd);
  return put_text(put_text(at, text), kLineEnd);
}

char* put_argument(char* at, std::int64_t value) {
  std::array<char, kBlock> digits;
  const auto length = static_cast<std::size_t>(write_whole(digits.data(), value) - digits.data());
  *at++ = '$';
  return put_text(put_block(put_length(at, length), digits.data(), length), kLineEnd);
}

/// Of a stream's entry.
char* put_id(char* at, std::int64_t ms, std::int64_t rev) {
  std::array<char, 2 * kBlock> id;
  char* const dash = write_whole(id.data(), ms);
  *dash = '-';
  char* const end = write_whole(dash + 1, rev);
  return put_argument(at, std::string_view(id.data(), static_cast<std::size_t>(end - id.data())));
}

/// What stands before each field's value: in the arguments, its name as one and the next one's sign; in JSON,
/// its name as a member's.
constexpr auto kArgumentStarts = [] {
  std::array<Piece, kFields> starts{};
  for (const FieldRow& row : kFieldTable) {
    Piece& start = starts[index_of(row.field)];
    const auto& length = kLengths[row.name.size()];
    start.add("$");
    start.add({length.data(), row.name.size() < 10 ? std::size_t{3} : std::size_t{4}});
    start.add(row.name);
    start.add("\r\n$");
  }
  return starts;
}();

constexpr auto kMemberStarts = [] {
  std::array<Piece, kFields> starts{};
  for (const FieldRow& row : kFieldTable) {
    Piece& start = starts[index_of(row.field)];
    start.add(",\"");
    start.add(row.name);
    start.add(row.form == FieldForm::word ? "\":\"" : "\":");
  }
  return starts;
}();

/// The fields that change and are always there: first content, then others. Of rev the Redis function takes
/// care.
template <bool content>
constexpr auto fields_that_change() {
  constexpr auto wanted = [](const FieldRow& row) {
    return !constant(row) && row.content == content && row.field != Field::rev &&
           row.field != Field::gap_from_ms;
  };
  std::array<Field, static_cast<std::size_t>(std::ranges::count_if(kFieldTable, wanted))> fields{};
  std::size_t count = 0;
  for (const FieldRow& row : kFieldTable) {
    if (wanted(row)) fields[count++] = row.field;
  }
  return fields;
}
constexpr auto kContentThatChanges = fields_that_change<true>();
constexpr auto kOthersThatChange = fields_that_change<false>();

// In JSON constant fields stand in front and between rev and source, in two runs.
static_assert(std::ranges::none_of(kFieldTable, [](const FieldRow& row) {
  const bool expected = row.field < Field::open_ms || (row.field > Field::rev && row.field < Field::source);
  return constant(row) != expected;
}));

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
  forming_channel_ = start + "forming:" + name_;

  append_argument(command_start_, "FCALL");
  append_argument(command_start_, kPublishFunction);
  append_argument(command_start_, "3");
  append_argument(command_start_, stream_key_);
  append_argument(command_start_, last_key_);
  append_argument(command_start_, group + "all");
  append_argument(channel_argument_, start + "signal:" + name_);

  const auto texts = constant_texts(series, name_, instance);
  for (const FieldRow& row : kFieldTable) {
    if (!constant(row)) continue;
    const std::string_view text = texts[index_of(row.field)];
    std::string& json = row.field < Field::open_ms ? json_start_ : json_middle_;
    json.append(json_start_.empty() ? "{\"" : ",\"").append(row.name).append("\":");
    row.form == FieldForm::constant_text ? append_json_string(json, text) : void(json.append(text));
    std::string& pairs = row.content ? constant_content_ : constant_others_;
    append_argument(pairs, row.name);
    append_argument(pairs, text);
  }

  // Not the JSON as an argument: its length is known when it is written.
  longest_ = command_start_.size() + channel_argument_.size() + json_start_.size() + json_middle_.size() +
             constant_content_.size() + constant_others_.size() + (kArguments + kFields) * 2 * kBlock;
}

void SignalFormatter::keep_until(Field field, char* end) {
  lengths_[index_of(field)] = static_cast<std::uint8_t>(end - texts_[index_of(field)].data());
  put_text(end, kLineEnd);
}

void SignalFormatter::keep(Field field, std::int64_t value) {
  keep_until(field, write_whole(texts_[index_of(field)].data(), value));
}

void SignalFormatter::keep(Field field, double value) {
  char* const text = texts_[index_of(field)].data();
  keep_until(field, std::isfinite(value) ? write_shortest(text, value) : text);
}

void SignalFormatter::keep(Field field, std::string_view value) {
  keep_until(field, put_text(texts_[index_of(field)].data(), value));
}

void SignalFormatter::render(const SignalRecord& record, std::int64_t published_us) {
  const engine::Bar& bar = record.bar;
  const engine::Signal& signal = record.signal;
  keep(Field::open_ms, bar.open_time_ms);
  keep(Field::close_ms, bar.close_time_ms);
  keep(Field::next_close_ms, record.next_close_ms);
  keep(Field::open, bar.open);
  keep(Field::high, bar.high);
  keep(Field::low, bar.low);
  keep(Field::close, bar.close);
  keep(Field::volume, bar.volume);
  keep(Field::average, signal.average);
  keep(Field::trend, std::int64_t{signal.trend});
  keep(Field::previous_trend, std::int64_t{signal.previous_trend});
  keep(Field::trend_since_ms, signal.trend_since_ms);
  for (std::size_t i = 0; i < engine::kFamilies; ++i) {
    keep(static_cast<Field>(index_of(Field::ema_signal) + i), signal.layer1[i]);
    keep(static_cast<Field>(index_of(Field::ema_equity) + i), signal.equity[i]);
  }
  keep(Field::bar_index, signal.bar_index);
  keep(Field::anchor_ms, record.anchor_ms);
  keep(Field::rev, std::int64_t{0});
  keep(Field::source, source_name(record.source));
  keep(Field::received_us, record.received_us);
  keep(Field::published_us, published_us);
  keep(Field::gap_from_ms, record.gap_from_ms);
  has_gap_ = record.gap_from_ms != 0;
}

/// Memory for this many characters. It only grows: making a string longer would fill it with zeros each time.
char* SignalFormatter::room(std::size_t size) {
  if (room_.size() < size) room_.resize(size);
  return room_.data();
}

/// The value as an argument, without its sign.
char* SignalFormatter::put_value(char* at, Field field) const {
  const std::size_t length = lengths_[index_of(field)];
  return put_block(put_length(at, length), texts_[index_of(field)].data(), length + kLineEnd.size());
}

/// JSON members of the fields from first to last, which all change.
char* SignalFormatter::put_members(char* at, Field first, Field last) const {
  for (std::size_t i = index_of(first); i <= index_of(last); ++i) {
    at = put_piece(at, kMemberStarts[i]);
    at = lengths_[i] != 0 ? put_block(at, texts_[i].data(), lengths_[i]) : put_text(at, "null");
    if (kFieldTable[i].form == FieldForm::word) *at++ = '"';
  }
  return at;
}

char* SignalFormatter::put_json(char* at, const SeriesText& series) const {
  at = put_members(put_text(at, series.json_start_), Field::open_ms, Field::rev);
  const Field last = has_gap_ ? Field::gap_from_ms : Field::published_us;
  at = put_members(put_text(at, series.json_middle_), Field::source, last);
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
  const std::span<const Field> fields =
      content ? std::span<const Field>(kContentThatChanges) : kOthersThatChange;
  for (const Field field : fields) at = put_value(put_piece(at, kArgumentStarts[index_of(field)]), field);
  if (!content && has_gap_) {
    at = put_piece(at, kArgumentStarts[index_of(Field::gap_from_ms)]);
    at = put_value(at, Field::gap_from_ms);
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
                                     const StreamTerms& terms, std::int64_t published_us) {
  render(record, published_us);
  const bool push = record.source == Source::live;
  char* const json = room(3 * series.longest_);
  char* const first = push ? put_json(json, series) : json;
  const std::string_view pushed(json, static_cast<std::size_t>(first - json));
  char* at = put_text(first, "*");
  at = write_whole(at, static_cast<std::int64_t>(kArguments + (has_gap_ ? 2U : 0U)));
  at = put_text(put_text(at, kLineEnd), series.command_start_);
  *at++ = '$';
  at = put_value(at, Field::close_ms);
  at = terms.prev_rev ? put_id(at, record.prev_close_ms, *terms.prev_rev)
                      : put_argument(at, record.prev_close_ms);
  at = record.correction ? put_argument(at, record.replaces) : put_argument(at, "-");
  at = put_argument(at, push ? "1" : "0");
  at = put_text(at, series.channel_argument_);
  at = put_argument(at, terms.keep);
  at = put_argument(at, terms.group_keep);
  at = put_argument(at, static_cast<std::int64_t>(kContentFields));
  at = put_text(put_pairs(at, true), series.constant_content_);
  at = put_argument(at, static_cast<std::int64_t>(kOtherFields + (has_gap_ ? 1U : 0U)));
  at = put_text(put_pairs(at, false), series.constant_others_);
  at = put_argument(at, pushed);
  out.append(first, at);
}

}  // namespace atcd::state
