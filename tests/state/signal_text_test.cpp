#include "state/signal_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "state/publish_function.hpp"
#include "state/redis_connection.hpp"
#include "state/resp_reader.hpp"
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
  std::string command;
  formatter.append_command(command, series, record, {500, 1000}, 7);
  auto arguments = arguments_of(command);
  EXPECT_EQ(std::vector<std::string>(arguments.begin(), arguments.begin() + 14),
            (std::vector<std::string>{
                "FCALL", std::string(kPublishFunction), "3", "atc:1:{sim:spot:1m:default}:stream:SYM1",
                "atc:1:{sim:spot:1m:default}:last:SYM1", "atc:1:{sim:spot:1m:default}:all", "1700000100000",
                "1700000040000", "1", "1", "atc:1:signal:sim:spot:SYM1:1m:default", "500", "1000", "20"}));
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
  command.clear();
  formatter.append_command(command, series, record, {500, 1000}, 7);
  arguments = arguments_of(command);
  EXPECT_EQ(arguments[9], "0");
  EXPECT_EQ(arguments.back(), "") << "what is not pushed needs no JSON";
}

TEST(SignalCommandTest, FormatsWithoutAllocatingOnceWarm) {
  const SeriesText series(series_info(1), "main", "atc");
  SignalFormatter formatter;
  std::string command;
  formatter.append_command(command, series, plain_record(), {500, 1000}, 7);
  const auto capacity = command.capacity();
  const char* const memory = command.data();
  for (int i = 0; i < 100; ++i) {
    command.clear();
    formatter.append_command(command, series, plain_record(), {500, 1000}, 7);
  }
  EXPECT_EQ(command.capacity(), capacity);
  EXPECT_EQ(command.data(), memory);
}

}  // namespace
}  // namespace atcd::state
