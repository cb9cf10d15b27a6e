#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "state/number_text.hpp"
#include "state/signal_fields.hpp"
#include "state/signal_record.hpp"

namespace atcd::state {

/// What is the same in every signal of one series, written once: keys, channels, fields.
class SeriesText {
 public:
  /// `prefix`: of all keys, "atc".
  SeriesText(const PublishedSeries& series, std::string_view instance, std::string_view prefix);

  const std::string& name() const { return name_; }
  const std::string& stream_key() const { return stream_key_; }
  const std::string& last_key() const { return last_key_; }
  const std::string& forming_channel() const { return forming_channel_; }

 private:
  friend class SignalFormatter;

  std::string name_;
  std::string stream_key_;
  std::string last_key_;
  std::string forming_channel_;
  std::string command_start_;     // the command after its argument count, up to the last key
  std::string channel_argument_;  // RESP
  std::string json_start_;        // JSON members of the constant fields in front, with the brace
  std::string json_middle_;       // of those between, with the commas around them
  std::string constant_content_;  // RESP pairs of the constant content fields
  std::string constant_others_;   // RESP pairs of the other constant fields
  std::size_t longest_ = 0;       // characters of a command without its JSON, and of a JSON
};

/// What is said of the stream with a signal.
struct StreamTerms {
  std::int64_t keep = 500;        // entries of a series' stream
  std::int64_t group_keep = 500;  // of the group's
  // Rev of the entry that the signal goes behind, and was computed after; empty: whichever is there.
  std::optional<std::int64_t> prev_rev = {};
};

/// Turns records into the text that is sent, into reused memory: no allocation once its buffers and the
/// target have grown. One thread.
class SignalFormatter {
 public:
  /// Appends the whole FCALL of one signal to `out`. Source live is pushed, others are not.
  void append_command(std::string& out, const SeriesText& series, const SignalRecord& record,
                      const StreamTerms& terms, std::int64_t published_us);
  /// What must be equal for two entries to say the same, as one text; valid until the next call.
  const std::string& content(const SeriesText& series, const SignalRecord& record);
  /// The JSON object that is pushed, with rev 0 (the Redis function puts in the real one); `published_us`:
  /// UTC. Valid until the next call.
  const std::string& json(const SeriesText& series, const SignalRecord& record, std::int64_t published_us);

 private:
  void render(const SignalRecord& record, std::int64_t published_us);
  void keep(Field field, std::int64_t value);
  void keep(Field field, double value);
  void keep(Field field, std::string_view value);
  void keep_until(Field field, char* end);
  char* room(std::size_t size);
  char* put_value(char* at, Field field) const;
  char* put_members(char* at, Field first, Field last) const;
  char* put_json(char* at, const SeriesText& series) const;
  char* put_pairs(char* at, bool content) const;

  /// Of each field that changes: its text with the line end that follows an argument.
  std::array<std::array<char, kLongestNumber>, kFields> texts_{};
  std::array<std::uint8_t, kFields> lengths_{};  // without the line end
  std::vector<char> room_;
  std::string json_;
  std::string content_;
  bool has_gap_ = false;
};

/// Of an entry in Redis, given its fields by name: what SignalFormatter::content makes of a record that says
/// the same.
std::string content_of(const std::function<std::string_view(std::string_view name)>& field);

/// Redis' wire form of one argument.
void append_argument(std::string& out, std::string_view text);
void append_argument(std::string& out, std::int64_t value);

}  // namespace atcd::state
