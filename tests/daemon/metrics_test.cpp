#include "daemon/metrics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>
#include <regex>
#include <sstream>
#include <utility>

#include "daemon/status_json.hpp"

namespace atcd::daemon {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::int64_t kNowUs = 1'800'000'000'000'000;

FeedReport feed_report(std::size_t exchange) {
  FeedReport feed;
  feed.exchange = &feeds::exchange_at(exchange);
  feed.connections = {1, 1};
  feed.counters.frames = 10;
  feed.counters.klines = 6;
  feed.counters.trades = 2;
  feed.counters.last_frame_us = kNowUs - 2'000'000;
  feed.counters.connects_for = {1, 2, 3, 4};
  feed.bars_closed = 5;
  feed.event_lag.add(std::chrono::milliseconds(3));
  return feed;
}

/// Two workers with a feed in common.
PipelineStatus some_status() {
  PipelineStatus status;
  status.instance = "main";
  status.started_ms = kNowUs / 1000 - 5000;
  status.series = 3;
  status.live = 2;
  status.by_state[static_cast<std::size_t>(feeds::SeriesState::live)] = 2;
  status.by_state[static_cast<std::size_t>(feeds::SeriesState::stale)] = 1;
  status.redis_connected = status.warm = status.caught_up = true;
  WorkerReport one, two;
  one.feeds = {feed_report(0), feed_report(1)};
  two.feeds = {feed_report(0)};
  two.feeds[0].connections = {0, 1};
  two.publish.added = 7;
  two.oldest_unpublished_us = kNowUs - 1'500'000;
  one.oldest_unpublished_us = kNowUs - 500'000;
  status.total.add(one);
  status.total.add(two);
  status.silent_ms = {100, 200};
  status.queues = {{"history", 1, 10, 0}};
  status.clocks = {{&feeds::exchange_at(1), -1500}};
  status.problems = {{kNowUs, Level::error, "snapshot", "detail=\"disk \\\"full\\\"\""}};
  return status;
}

/// Sample (with labels) to value. Fails where a line is not of the format.
std::map<std::string, std::string> parse(const std::string& text) {
  static const std::regex kSample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-z_]+="[^"\\]*"(,[a-z_]+="[^"\\]*")*\})? ([-+0-9.eE]+|\+Inf))re");
  std::map<std::string, std::string> samples;
  std::string helped, typed, line;
  std::istringstream lines(text);
  while (std::getline(lines, line)) {
    std::smatch match;
    if (line.starts_with("# HELP ")) {
      helped = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_GT(line.size(), 8 + helped.size()) << "no help: " << line;
    } else if (line.starts_with("# TYPE ")) {
      typed = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_EQ(typed, helped);
    } else if (std::regex_match(line, match, kSample)) {
      EXPECT_TRUE(match[1].str().starts_with(typed)) << line;
      EXPECT_TRUE(samples.emplace(match[1].str() + match[2].str(), match[4].str()).second)
          << "twice: " << line;
    } else {
      ADD_FAILURE() << "not of the format: " << line;
    }
  }
  return samples;
}

TEST(Metrics, TheTextParsesAndWorkersAreSummed) {
  const auto samples = parse(metrics_text(some_status(), process_stats(), kNowUs));
  const std::string feed = "{exchange=\"" + std::string(feeds::exchange_at(0).name()) + "\",market=\"" +
                           std::string(feeds::exchange_at(0).market()) + "\"";
  EXPECT_EQ(samples.at("atcd_bars_closed_total" + feed + "}"), "10");
  EXPECT_EQ(samples.at("atcd_feed_connects_total" + feed + ",reason=\"lost\"}"), "4");
  EXPECT_EQ(samples.at("atcd_feed_connected" + feed + "}"), "0") << "one worker's connection is down";
  EXPECT_EQ(samples.at("atcd_feed_updates_total" + feed + "}"), "16");
  EXPECT_EQ(samples.at("atcd_feed_event_lag_seconds_count" + feed + "}"), "2");
  EXPECT_EQ(samples.at("atcd_feed_event_lag_seconds_bucket" + feed + ",le=\"0.002\"}"), "0");
  EXPECT_EQ(samples.at("atcd_feed_event_lag_seconds_bucket" + feed + ",le=\"0.005\"}"), "2");
  EXPECT_EQ(samples.at("atcd_feed_event_lag_seconds_bucket" + feed + ",le=\"+Inf\"}"), "2");
  EXPECT_EQ(samples.at("atcd_series{state=\"live\"}"), "2");
  EXPECT_EQ(samples.at("atcd_publish_total{result=\"added\"}"), "7");
  EXPECT_EQ(samples.at("atcd_unpublished_oldest_age_seconds"), "1.5");
  EXPECT_EQ(samples.at("atcd_ready"), "1");
  EXPECT_FALSE(samples.contains("atcd_clock_offset_seconds" + feed + "}")) << "not known";
}

TEST(Metrics, TheirNumberDoesNotGrowWithTheSeries) {
  PipelineStatus many = some_status();
  many.series = many.by_state[2] = 1'000'000;
  many.total.feeds[0].bars_closed = 1'000'000'000;
  EXPECT_EQ(parse(metrics_text(many, {}, kNowUs)).size(),
            parse(metrics_text(some_status(), {}, kNowUs)).size());
  many.total.feeds.clear();
  many.clocks.clear();
  for (std::size_t exchange = 0; exchange < feeds::exchange_count(); ++exchange) {
    many.total.feeds.push_back(feed_report(exchange));
    many.clocks.push_back({&feeds::exchange_at(exchange), 1});
  }
  EXPECT_LE(parse(metrics_text(many, {}, kNowUs)).size(), 400U) << "as deploy/metrics.md says";
}

TEST(Metrics, TheProcessIsAsTheKernelCountsIt) {
  const ProcessStats stats = process_stats();
  EXPECT_GE(stats.threads, 1U);
  EXPECT_GT(stats.resident_bytes, 1'000'000U);
  EXPECT_GT(stats.virtual_bytes, stats.resident_bytes);
  EXPECT_GE(stats.open_files, 3U);
  EXPECT_GT(stats.most_files, stats.open_files);
}

TEST(StatusJson, IsOneObjectThatParses) {
  const std::string text = status_json(some_status(), kNowUs);
  simdjson::dom::parser parser;
  simdjson::dom::element status;
  ASSERT_EQ(parser.parse(text).get(status), simdjson::SUCCESS) << text;
  EXPECT_EQ(std::string_view(status["instance"]), "main");
  EXPECT_EQ(double(status["uptime_s"]), 5);
  EXPECT_EQ(std::int64_t(status["series_by_state"]["LIVE"]), 2);
  EXPECT_EQ(std::int64_t(status["feeds"].at(0)["bars_closed"]), 10);
  EXPECT_EQ(double(status["redis"]["oldest_unpublished_s"]), 1.5);
  EXPECT_EQ(std::string_view(status["last_problems"].at(0)["text"]), "detail=\"disk \\\"full\\\"\"");
  EXPECT_TRUE(status["warm_up_ends_ms"].is_null());
  EXPECT_TRUE(bool(status["ready"]));
}

TEST(Health, WhatIsStuckIsNamed) {
  PipelineStatus status = some_status();
  EXPECT_THAT(why_unhealthy(status), IsEmpty());
  status.stuck = "worker 1 has given no sign of life for 12 s";
  EXPECT_THAT(why_unhealthy(status), ElementsAre("worker 1 has given no sign of life for 12 s"));
  status.stopping = true;
  EXPECT_THAT(why_unhealthy(status), IsEmpty()) << "workers end one by one";
}

TEST(Health, ReadinessSaysWhatIsMissing) {
  PipelineStatus status = some_status();
  const auto why = [&] { return why_not_ready(status, kNowUs / 1000); };
  EXPECT_THAT(why(), IsEmpty());
  status.redis_connected = false;
  EXPECT_THAT(why(), ElementsAre("Redis is not connected"));
  status.redis_connected = true;
  const auto waits = std::exchange(status.total.oldest_unpublished_us, kNowUs - 14'000'000);
  EXPECT_THAT(why(), IsEmpty());
  status.total.oldest_unpublished_us = kNowUs - 16'000'000;
  EXPECT_THAT(why(), ElementsAre(HasSubstr("a bar that closed 16 s ago is not in it")));
  status.total.oldest_unpublished_us = waits;
  status.by_state[static_cast<std::size_t>(feeds::SeriesState::catching_up)] = 1;
  EXPECT_THAT(why(), IsEmpty()) << "one that catches up later does not matter";
  status.caught_up = false;
  status.total.feeds[0].rest_left = std::chrono::seconds(30);
  EXPECT_THAT(why(), ElementsAre("1 of 3 series are catching up, for about 30 s more"));
  EXPECT_EQ(status.warm_up_ends_ms(1'000), 31'000);
  status.warm = false;
  status.by_state[static_cast<std::size_t>(feeds::SeriesState::catching_up)] = 0;
  EXPECT_THAT(why(), ElementsAre("what the last run knew is not in Redis yet")) << "none catches up now";
  status.warm = true;
  status.caught_up = true;
  status.live = 0;
  EXPECT_THAT(why(), ElementsAre("none of 3 series is live"));
  status.live = 2;
  status.stopped = 1;
  EXPECT_THAT(why(), ElementsAre(HasSubstr("1 of 3 series are stopped: Redis holds signals of another")));
  status.stopped = 0;
  status.series = 0;
  EXPECT_THAT(why(), ElementsAre(HasSubstr("list of symbols has not come, or has none that is asked for")));
  status.stopping = true;
  EXPECT_THAT(why(), ElementsAre("the daemon is stopping"));
}

}  // namespace
}  // namespace atcd::daemon
