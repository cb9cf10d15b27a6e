// Claim: what one signal costs Redis. 10,000 series close again and again; each time their 10,000 commands,
// as the daemon formats them, go down one unix socket in one pipeline to a redis-server of our own. Timed is
// that server's own CPU time (INFO cpu), reading and answering included, so that whoever else is busy on this
// machine counts as little as may be. Before anything is timed two bars of every series must be in its
// stream, its latest and the group's stream. `published` is the function; the others are the two large
// commands in it by themselves, which is what it can't go below.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "state/publish_function.hpp"
#include "state/signal_text.hpp"
#include "tests/state/redis_server.hpp"

namespace {

using namespace atcd;
using state::SignalRecord;

constexpr std::size_t kSeries = 10'000;
constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kFirstMs = 1'795'489'320'000;

void require(bool fine, const std::string& what) {
  if (fine) return;
  std::cerr << "publish_function_bench: " << what << "\n";
  std::exit(1);
}

state::PublishedSeries series_info(std::size_t number) {
  return {{"binance", "spot", "S" + std::to_string(number) + "USDT", "1m", "default"},
          "1ff5ea08201c2af4",
          "lts",
          "{}"};
}

SignalRecord record_of(std::size_t series, std::int64_t bar) {
  const double price =
      58'000.25 + static_cast<double>((series * 7919 + static_cast<std::size_t>(bar) * 104'729) % 9973);
  SignalRecord record;
  record.bar = {kFirstMs + bar * kMinuteMs,
                kFirstMs + (bar + 1) * kMinuteMs,
                price,
                price + 1.5,
                price - 0.75,
                price + 0.5,
                3.30859375};
  for (std::size_t i = 0; i < engine::kFamilies; ++i) {
    record.signal.layer1[i] = static_cast<double>((series + i) % 200) / 100 - 1;
    record.signal.equity[i] = 1 / (price + static_cast<double>(i)) * 3e4;
  }
  record.signal.average = 1 - price / 1e5;
  record.signal.bar_index = 1667 + bar;
  record.signal.trend = record.signal.previous_trend = 1;
  record.signal.trend_since_ms = kFirstMs - 10 * kMinuteMs;
  record.prev_close_ms = record.bar.open_time_ms;
  record.next_close_ms = record.bar.close_time_ms + kMinuteMs;
  record.anchor_ms = kFirstMs - 1667 * kMinuteMs;
  record.received_us = record.bar.close_time_ms * 1000 + static_cast<std::int64_t>(series) * 50;
  return record;
}

class Market {
 public:
  explicit Market(const std::string& path)
      : client_(path), pipeline_(redisConnectUnix(path.c_str()), redisFree) {
    client_.command({"FUNCTION", "LOAD", "REPLACE", std::string(state::publish_function_source())});
    for (std::size_t i = 0; i < kSeries; ++i) texts_.emplace_back(series_info(i), "main", "atc");
    close_all("published");
    close_all("published");
    check();
  }

  /// Every series closes: the server's CPU time (s).
  double close_all(const std::string& what) {
    ++bars_;
    for (std::size_t i = 0; i < kSeries; ++i) {
      const std::string command = command_of(what, i);
      require(redisAppendFormattedCommand(pipeline_.get(), command.data(), command.size()) == REDIS_OK,
              "no memory");
    }
    const double before = cpu_seconds();
    for (std::size_t i = 0; i < kSeries; ++i) {
      void* reply = nullptr;
      require(redisGetReply(pipeline_.get(), &reply) == REDIS_OK, "the connection was lost");
      const state::RedisClient::ReplyPointer answer(static_cast<redisReply*>(reply), freeReplyObject);
      require(answer->type != REDIS_REPLY_ERROR, answer->str == nullptr ? "" : answer->str);
      require(what != "published" || std::string(answer->element[0]->str) == "added",
              "a signal was not added");
    }
    return cpu_seconds() - before;
  }

 private:
  std::string command_of(const std::string& what, std::size_t series) {
    const SignalRecord record = record_of(series, bars_);
    std::string command;
    formatter_.append_command(command, texts_[series], record, {500, 1'000'000, 0}, record.received_us + 20);
    if (what == "published") return command;
    // The same fields in a key of its own.
    std::vector<std::string> arguments = {what, "alone:" + what + ":" + std::to_string(series)};
    if (what == "XADD")
      arguments.insert(arguments.end(), {"MAXLEN", "~", "500", std::to_string(record.bar.close_time_ms)});
    const state::Fields fields = client_.hash(texts_[series].last_key());
    return append(arguments, fields);
  }

  static std::string append(std::vector<std::string> arguments, const state::Fields& fields) {
    for (const auto& [name, value] : fields) arguments.insert(arguments.end(), {name, value});
    std::string command = "*" + std::to_string(arguments.size()) + "\r\n";
    for (const std::string& argument : arguments) state::append_argument(command, argument);
    return command;
  }

  void check() {
    for (std::size_t i = 0; i < kSeries; ++i) {
      const SignalRecord newest = record_of(i, bars_);
      const std::string close_ms = std::to_string(newest.bar.close_time_ms);
      const auto stream = client_.stream(texts_[i].stream_key());
      require(stream.size() == 2 && stream[1].id == close_ms + "-0", texts_[i].stream_key() + " lacks a bar");
      require(stream[1].fields == client_.hash(texts_[i].last_key()),
              texts_[i].last_key() + " is not the head");
    }
    require(client_.text({"XLEN", "atc:1:{binance:spot:1m:default}:all"}) == std::to_string(2 * kSeries),
            "the group's stream lacks a signal");
  }

  double cpu_seconds() {
    const std::string info = client_.text({"INFO", "cpu"});
    double seconds = 0;
    for (const std::string name : {"used_cpu_user:", "used_cpu_sys:"}) {
      seconds += std::strtod(info.c_str() + info.find(name) + name.size(), nullptr);
    }
    return seconds;
  }

  state::RedisClient client_;
  std::unique_ptr<redisContext, void (*)(redisContext*)> pipeline_;
  std::vector<state::SeriesText> texts_;
  state::SignalFormatter formatter_;
  std::int64_t bars_ = 0;
};

void one_signal(benchmark::State& loop, const std::string& what) {
  static const state::RedisServer server;
  static Market market(server.path());
  double seconds = 0;
  for (auto _ : loop) {
    const double taken = market.close_all(what);
    loop.SetIterationTime(taken);
    seconds += taken;
  }
  loop.counters["redis_cpu_us_per_signal"] =
      1e6 * seconds / static_cast<double>(loop.iterations()) / static_cast<double>(kSeries);
}
BENCHMARK_CAPTURE(one_signal, published, "published")
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_signal, xadd_alone, "XADD")
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(one_signal, hset_alone, "HSET")
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

}  // namespace
