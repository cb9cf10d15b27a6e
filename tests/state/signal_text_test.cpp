#include "state/signal_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "state/publish_function.hpp"
#include "state/redis_connection.hpp"
#include "state/resp_reader.hpp"
#include "tests/allocation_counter.hpp"
#include "tests/state/publisher_rig.hpp"

namespace atcd::state {
namespace {

SignalRecord plain_record() {
  SignalRecord record;
  record.bar = {1700000040000, 1700000100000, 1.5, 2, 1, 0.1, 1e21};
  record.signal.layer1 = {0.25, -0.25, 0, 1, -1, -0.0};
  record.signal.equity = {1, 0.25, 1.0 / 3, 1e-7, 5, 6};
  record.signal.average = std::numeric_limits<double>::quiet_NaN();
  record.signal.bar_index = 1499;
  record.signal.trend = -1;
  record.signal.previous_trend = 1;
  record.signal.trend_since_ms = 1700000100000;
  record.prev_close_ms = 1700000040000;
  record.next_close_ms = 1700000160000;
  record.anchor_ms = 1600000000000;
  record.received_us = 1700000100000123;
  return record;
}

std::string signal_json(const PublishedSeries& series, std::string_view instance, const SignalRecord& record,
                        std::int64_t published_us) {
  SignalFormatter formatter;
  return formatter.json(SeriesText(series, instance, "atc"), record, published_us);
}

TEST(SignalJsonTest, HasEveryFieldOnceInOrder) {
  PublishedSeries info = series_info(1);
  info.id.symbol = "A\"B";
  EXPECT_EQ(signal_json(info, "main", plain_record(), 1700000100000456),
            R"({"v":1,"series":"sim:spot:A%22B:1m:default","exchange":"sim","market":"spot","symbol":"A\"B",)"
            R"("interval":"1m","profile":"default","open_ms":1700000040000,"close_ms":1700000100000,)"
            R"("next_close_ms":1700000160000,"open":1.5,"high":2,"low":1,"close":0.1,"volume":1e+21,)"
            R"("average":null,"trend":-1,"previous_trend":1,"trend_since_ms":1700000100000,)"
            R"("ema_signal":0.25,"hma_signal":-0.25,"wma_signal":0,"dema_signal":1,"lsma_signal":-1,)"
            R"("kama_signal":-0,"ema_equity":1,"hma_equity":0.25,"wma_equity":0.3333333333333333,)"
            R"("dema_equity":1e-07,"lsma_equity":5,"kama_equity":6,"bar_index":1499,)"
            R"("anchor_ms":1600000000000,"rev":0,"config":"aaaaaaaaaaaaaaaa","dialect":"lts",)"
            R"("instance":"main","source":"live","received_us":1700000100000123,)"
            R"("published_us":1700000100000456})");
}

TEST(SignalJsonTest, NamesAGapOnlyWhereThereIsOne) {
  SignalRecord record = plain_record();
  EXPECT_THAT(signal_json(series_info(1), "main", record, 1), ::testing::Not(::testing::HasSubstr("gap")));
  record.gap_from_ms = 5;
  EXPECT_THAT(signal_json(series_info(1), "main", record, 1), ::testing::EndsWith(R"("gap_from_ms":5})"));
}

TEST(SignalJsonTest, EscapesStringsAndReplacesWhatIsNoUtf8) {
  std::string out;
  append_json_string(out,
                     "a\"\\\n\x01\x7f\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80|\xff\xc3|\xed\xa0\x80|\xc0\xaf");
  EXPECT_EQ(out,
            "\"a\\\"\\\\\\u000a\\u0001\\u007f\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80|\\ufffd\\ufffd|"
            "\\ufffd\\ufffd\\ufffd|\\ufffd\\ufffd\"");
}

/// The command's arguments, as Redis would read them.
std::vector<std::string> arguments_of(const std::string& command) {
  RespReader reader;
  reader.feed(command);
  EXPECT_EQ(reader.next(), RespReader::Next::reply);
  std::vector<std::string> arguments;
  for (const Reply& argument : reader.reply().elements) arguments.emplace_back(argument.text);
  EXPECT_EQ(reader.next(), RespReader::Next::more) << "nothing is left over";
  return arguments;
}

TEST(SignalCommandTest, IsByteForByteWhatHiredisWouldFormat) {
  const SeriesText series(series_info(1), "main", "atc");
  SignalFormatter formatter;
  for (const auto source : {Source::live, Source::backfill, Source::warm}) {
    for (const std::int64_t gap : {0, 5}) {
      SignalRecord record = plain_record();
      record.source = source;
      record.gap_from_ms = gap;
      std::string command;
      formatter.append_command(command, series, record, {500, 1000}, 7);
      const auto arguments = arguments_of(command);
      const std::vector<std::string_view> views(arguments.begin(), arguments.end());
      std::string expected;
      append_command(expected, views);
      EXPECT_EQ(command, expected);
    }
  }
}

TEST(SignalCommandTest, HasKeysScalarsContentOthersAndJsonInTheFunctionsOrder) {
  const SeriesText series(series_info(1), "main", "atc");
  SignalFormatter formatter;
  SignalRecord record = plain_record();
  record.correction = true;
  record.replaces = 3;
  std::string command;
  formatter.append_command(command, series, record, {500, 1000}, 7);
  auto arguments = arguments_of(command);
  EXPECT_EQ(std::vector<std::string>(arguments.begin(), arguments.begin() + 14),
            (std::vector<std::string>{
                "FCALL", std::string(kPublishFunction), "3", "atc:1:{sim:spot:1m:default}:stream:SYM1",
                "atc:1:{sim:spot:1m:default}:last:SYM1", "atc:1:{sim:spot:1m:default}:all", "1700000100000",
                "1700000040000", "3", "1", "atc:1:signal:sim:spot:SYM1:1m:default", "500", "1000", "20"}));
  std::set<std::string> content;
  for (std::size_t i = 14; i < 14 + 2 * 20; i += 2) content.insert(arguments[i]);
  EXPECT_EQ(content, (std::set<std::string>{"close",          "average",     "trend",       "previous_trend",
                                            "trend_since_ms", "ema_signal",  "hma_signal",  "wma_signal",
                                            "dema_signal",    "lsma_signal", "kama_signal", "ema_equity",
                                            "hma_equity",     "wma_equity",  "dema_equity", "lsma_equity",
                                            "kama_equity",    "bar_index",   "anchor_ms",   "config"}));
  EXPECT_EQ(arguments[14 + 40], "19");
  EXPECT_EQ(arguments.back(), signal_json(series_info(1), "main", record, 7));
  record.source = Source::backfill;
  record.correction = false;
  command.clear();
  formatter.append_command(command, series, record, {500, 1000, 2}, 7);
  arguments = arguments_of(command);
  EXPECT_EQ(arguments[7], "1700000040000-2");
  EXPECT_EQ(arguments[8], "-");
  EXPECT_EQ(arguments[9], "0");
  EXPECT_EQ(arguments.back(), "") << "what is not pushed needs no JSON";
}

std::string library_text(double value) {
  std::array<char, 32> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return std::isfinite(value) ? std::string(text.data(), end) : "";
}

/// Every field that changes, as the simplest code would write it.
std::map<Field, std::string> plain_texts(const SignalRecord& record, std::int64_t published_us) {
  std::map<Field, std::string> texts = {{Field::open_ms, std::to_string(record.bar.open_time_ms)},
                                        {Field::close_ms, std::to_string(record.bar.close_time_ms)},
                                        {Field::next_close_ms, std::to_string(record.next_close_ms)},
                                        {Field::open, library_text(record.bar.open)},
                                        {Field::high, library_text(record.bar.high)},
                                        {Field::low, library_text(record.bar.low)},
                                        {Field::close, library_text(record.bar.close)},
                                        {Field::volume, library_text(record.bar.volume)},
                                        {Field::average, library_text(record.signal.average)},
                                        {Field::trend, std::to_string(record.signal.trend)},
                                        {Field::previous_trend, std::to_string(record.signal.previous_trend)},
                                        {Field::trend_since_ms, std::to_string(record.signal.trend_since_ms)},
                                        {Field::bar_index, std::to_string(record.signal.bar_index)},
                                        {Field::anchor_ms, std::to_string(record.anchor_ms)},
                                        {Field::rev, "0"},
                                        {Field::source, std::string(source_name(record.source))},
                                        {Field::received_us, std::to_string(record.received_us)},
                                        {Field::published_us, std::to_string(published_us)}};
  if (record.gap_from_ms != 0) texts[Field::gap_from_ms] = std::to_string(record.gap_from_ms);
  for (std::size_t i = 0; i < engine::kFamilies; ++i) {
    texts[static_cast<Field>(index_of(Field::ema_signal) + i)] = library_text(record.signal.layer1[i]);
    texts[static_cast<Field>(index_of(Field::ema_equity) + i)] = library_text(record.signal.equity[i]);
  }
  return texts;
}

SignalRecord random_record(std::mt19937_64& random) {
  const auto number = [&random] {
    const double unit = std::ldexp(static_cast<double>(random() >> 11), -53);
    switch (random() % 6) {
      case 0:
        return std::round(unit * 200 - 100) / 100;
      case 1:
        return std::round(unit * 1e7) / 100;
      case 2:
        return unit * 10;
      case 3:
        return -unit;
      case 4:
        return std::numeric_limits<double>::quiet_NaN();
      default:
        return std::bit_cast<double>(random());
    }
  };
  const auto whole = [&random] { return static_cast<std::int64_t>(random() >> (1 + random() % 63)); };
  SignalRecord record;
  record.bar = {whole(), whole(), number(), number(), number(), number(), number()};
  for (double& value : record.signal.layer1) value = number();
  for (double& value : record.signal.equity) value = number();
  record.signal.average = number();
  record.signal.bar_index = whole();
  record.signal.trend_since_ms = whole();
  record.signal.trend = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
  record.signal.previous_trend = static_cast<std::int8_t>(static_cast<int>(random() % 3) - 1);
  record.prev_close_ms = whole();
  record.next_close_ms = whole();
  record.anchor_ms = whole();
  record.gap_from_ms = random() % 2 == 0 ? 0 : whole();
  record.source = static_cast<Source>(random() % 3);
  record.received_us = whole();
  return record;
}

TEST(SignalCommandTest, SaysOfAnyRecordWhatTheSimplestCodeWouldSay) {
  PublishedSeries info = series_info(1);
  info.id.symbol = "A\"B";
  const SeriesText series(info, "main", "atc");
  const std::map<std::string_view, std::string> constants = {{"v", "1"},
                                                             {"series", info.id.name()},
                                                             {"exchange", info.id.exchange},
                                                             {"market", "spot"},
                                                             {"symbol", info.id.symbol},
                                                             {"interval", info.id.interval},
                                                             {"profile", "default"},
                                                             {"config", info.config},
                                                             {"dialect", "lts"},
                                                             {"instance", "main"}};
  SignalFormatter formatter;
  std::mt19937_64 random(5);
  for (int round = 0; round < 20'000; ++round) {
    const SignalRecord record = random_record(random);
    const auto published_us = static_cast<std::int64_t>(random() >> 1);
    const auto texts = plain_texts(record, published_us);
    std::string json;
    std::array<std::vector<std::string>, 4> pairs;  // content: what changes, constants; others the same
    for (const FieldRow& row : kFieldTable) {
      const bool changes = row.form == FieldForm::number || row.form == FieldForm::word;
      if (changes && !texts.contains(row.field)) continue;
      const std::string& text = changes ? texts.at(row.field) : constants.at(row.name);
      json.append(json.empty() ? "{\"" : ",\"").append(row.name).append("\":");
      if (row.form == FieldForm::word || row.form == FieldForm::constant_text) {
        append_json_string(json, text);
      } else {
        json += text.empty() ? "null" : text;
      }
      if (row.field == Field::rev) continue;
      auto& list = pairs[(row.content ? 0U : 2U) + (changes ? 0U : 1U)];
      list.insert(list.end(), {std::string(row.name), text});
    }
    json += '}';
    std::vector<std::string> expected;
    for (const std::size_t part : {0U, 2U}) {
      expected.push_back(std::to_string((pairs[part].size() + pairs[part + 1].size()) / 2));
      for (const auto& list : {pairs[part], pairs[part + 1]})
        expected.insert(expected.end(), list.begin(), list.end());
    }
    expected.push_back(record.source == Source::live ? json : "");
    std::string command;
    formatter.append_command(command, series, record, {500, 1000}, published_us);
    const auto arguments = arguments_of(command);
    ASSERT_GE(arguments.size(), 13U);
    EXPECT_EQ(arguments[6], texts.at(Field::close_ms));
    EXPECT_EQ(arguments[7], std::to_string(record.prev_close_ms));
    ASSERT_EQ(std::vector<std::string>(arguments.begin() + 13, arguments.end()), expected);
    ASSERT_EQ(formatter.json(series, record, published_us), json);
  }
}

TEST(SignalCommandTest, FamiliesThatAreNotComputedAreEmptyInRedisAndNullInJson) {
  SignalRecord record = plain_record();
  for (std::size_t f = 1; f < engine::kFamilies; ++f) {
    record.signal.layer1[f] = record.signal.equity[f] = std::numeric_limits<double>::quiet_NaN();
  }
  EXPECT_THAT(
      signal_json(series_info(1), "main", record, 1),
      ::testing::HasSubstr(
          R"("ema_signal":0.25,"hma_signal":null,"wma_signal":null,"dema_signal":null,"lsma_signal":null,)"
          R"("kama_signal":null,"ema_equity":1,"hma_equity":null,"wma_equity":null,"dema_equity":null,)"
          R"("lsma_equity":null,"kama_equity":null,"bar_index":1499)"));
  const SeriesText series(series_info(1), "main", "atc");
  SignalFormatter formatter;
  std::string command;
  formatter.append_command(command, series, record, {500, 1000}, 1);
  const auto arguments = arguments_of(command);
  const auto field = std::find(arguments.begin(), arguments.end(), "hma_signal");
  ASSERT_LT(field + 1, arguments.end());
  EXPECT_EQ(*(field + 1), "");
}

TEST(SignalCommandTest, FormatsWithoutAllocatingOnceWarm) {
  const SeriesText series(series_info(1), "main", "atc");
  SignalFormatter formatter;
  std::string command;
  const SignalRecord record = plain_record();
  formatter.append_command(command, series, record, {500, 1000}, 7);
  const long before = allocations;
  for (int i = 0; i < 100; ++i) {
    command.clear();
    formatter.append_command(command, series, record, {500, 1000}, 7);
  }
  EXPECT_EQ(allocations, before);
  auto* volatile number = new int(1);
  delete number;
  EXPECT_GT(allocations, before) << "the counter counts";
}

}  // namespace
}  // namespace atcd::state
