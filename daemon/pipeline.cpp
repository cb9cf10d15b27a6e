#include "daemon/pipeline.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <utility>
#include <vector>

#include "daemon/clock.hpp"
#include "daemon/feed_runner.hpp"
#include "daemon/journal.hpp"
#include "daemon/self_audit.hpp"
#include "daemon/snapshot_taker.hpp"
#include "daemon/version.hpp"
#include "state/publisher.hpp"

namespace atcd::daemon {
namespace {

constexpr std::chrono::seconds kTick{1};
constexpr std::int64_t kTicksPerHeartbeat = 2;
constexpr std::int64_t kTicksPerTrim = 60;
constexpr std::int64_t kTicksPerSnapshot = 60;
constexpr std::int64_t kTicksPerAudit = 5;
constexpr std::chrono::seconds kDrainTime{5};

state::RedisOptions redis_options(const Config& config, RedisLogin login) {
  state::RedisOptions options;
  options.url = std::move(login.url);
  options.tls = std::move(login.tls);
  options.prefix = config.redis.prefix;
  options.keep = config.redis.keep;
  options.adopt = config.redis.adopt;
  options.instance = config.instance;
  return options;
}

Level level_of(state::PublishEvent event) {
  switch (event) {
    case state::PublishEvent::refused:
    case state::PublishEvent::stopped:
    case state::PublishEvent::conflict:
      return Level::error;
    case state::PublishEvent::disconnected:
    case state::PublishEvent::unknown:
      return Level::warning;
    case state::PublishEvent::connected:
    case state::PublishEvent::moved:
    case state::PublishEvent::backfilled:
      return Level::info;
    case state::PublishEvent::published:
    case state::PublishEvent::same:
    case state::PublishEvent::behind:
      break;
  }
  return Level::debug;
}

constexpr std::array<std::string_view, 11> kEventNames = {
    "redis_connected", "redis_disconnected", "redis_refused", "redis_moved", "series_stopped", "conflict",
    "published",       "published_already",  "behind",        "unknown",     "backfilled"};
static_assert(static_cast<std::size_t>(state::PublishEvent::backfilled) + 1 == kEventNames.size());

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

class Pipeline::Impl final : public state::SignalHistory, public state::PublishHandler {
 public:
  Impl(boost::asio::io_context& io, const Config& config, RedisLogin login)
      : io_(io),
        config_(config),
        publisher_(io, redis_options(config, std::move(login)), *this, *this),
        journal_(publisher_),
        archive_(config.state_directory),
        snapshots_(io, config.state_directory + "/history",
                   [this](state::SeriesIndex index, std::string& bytes) { save(index, bytes); }),
        timer_(io),
        started_ms_(utc_ms()),
        host_(host_name()) {}

  void start() {
    publisher_.start();
    journal_.event(Level::info, "start", "", "version " + std::string(version_number()));
    for (const std::string& problem : archive_.snapshot().problems()) {
      journal_.event(Level::warning, "snapshot", "", problem);
    }
    configure(config_);
    tick();
  }

  void reload(const Config& config) {
    if (config.instance != config_.instance || config.redis != config_.redis ||
        config.state_directory != config_.state_directory || config.http_listen != config_.http_listen) {
      journal_.log(Level::warning, "reload", "",
                   "instance, redis, state and http stay as they were: only a restart changes them");
    }
    configure(config);
    config_.profiles = config.profiles;
    config_.feeds = config.feeds;
    journal_.event(Level::info, "reload", "", "the configuration was read again");
  }

  void stop(std::function<void()> done) {
    timer_.cancel();
    stopping_ = true;
    for (const auto& [key, runner] : runners_) runner->stop();
    journal_.event(Level::info, "stop", "", "");
    publisher_.drain(kDrainTime, [this, done = std::move(done)](std::size_t left) {
      const auto& counters = publisher_.counters();
      journal_.log(left == 0 ? Level::info : Level::warning, "drained", "",
                   "added=" + std::to_string(counters.added) + " unacknowledged=" + std::to_string(left));
      tell_snapshot_problem(snapshots_.take_now(indexes()));
      done();
    });
  }

  PipelineStatus status() const {
    PipelineStatus status;
    status.redis_connected = publisher_.connected();
    status.unpublished = publisher_.unpublished();
    for (const auto& [index, series] : outputs_) {
      ++status.series;
      const Output* output = series->output(index);
      if (output != nullptr && series->state_of(*output) == feeds::SeriesState::live) ++status.live;
    }
    return status;
  }

  bool warm() const {
    const bool resolved = std::all_of(runners_.begin(), runners_.end(),
                                      [](const auto& entry) { return entry.second->resolved_once(); });
    return resolved && publisher_.connected() && publisher_.settled();
  }

  void fill() {
    filling_ = true;
    for (const auto& [key, runner] : runners_) runner->fill();
  }

  void take_snapshot() { snapshots_.begin(indexes()); }

  // state::SignalHistory
  state::HistoryAnswer signals_after(state::SeriesIndex index, std::int64_t after_close_ms, std::size_t limit,
                                     std::vector<state::SignalRecord>& records) override {
    const auto found = outputs_.find(index);
    Output* output = found == outputs_.end() ? nullptr : found->second->output(index);
    if (output == nullptr) return state::HistoryAnswer::wait;
    return found->second->signals_after(*output, after_close_ms, limit, records);
  }

  void on_different(state::SeriesIndex index, std::int64_t close_ms) override {
    if (const auto found = outputs_.find(index); found != outputs_.end()) {
      found->second->check_against_exchange(index, close_ms);
    }
  }

  // state::PublishHandler
  void on_publish_event(state::PublishEvent event, std::string_view series,
                        std::string_view detail) override {
    journal_.log(level_of(event), kEventNames[static_cast<std::size_t>(event)], series, detail);
  }

  void on_published(state::SeriesIndex, std::int64_t, std::int64_t) override {}

 private:
  void configure(const Config& config) {
    std::map<FeedKey, std::vector<FeedConfig>> blocks;
    for (const FeedConfig& feed : config.feeds) blocks[FeedKey::of(feed)].push_back(feed);
    for (const auto& [key, runner] : runners_) {
      if (!blocks.contains(key)) runner->retire();
    }
    for (auto& [key, feeds] : blocks) {
      auto& runner = runners_[key];
      if (!runner) runner = std::make_unique<FeedRunner>(feed_context(), key);
      runner->configure(std::move(feeds), config.profiles);
      if (filling_) runner->fill();
    }
    std::erase_if(runners_, [&](const auto& entry) { return !blocks.contains(entry.first); });
  }

  FeedRunner::Context feed_context() {
    return {io_,
            publisher_,
            journal_,
            archive_,
            numbers_,
            [this](state::SeriesIndex index, MarketSeries* series) {
              if (series != nullptr) {
                outputs_[index] = series;
              } else {
                outputs_.erase(index);
              }
            },
            [this] { prepare_later(); }};
  }

  /// Behind whatever else is ready to run: a burst of closing bars is published first, then everything
  /// prepares.
  void prepare_later() {
    if (std::exchange(prepare_posted_, true)) return;
    boost::asio::post(io_, [this] {
      prepare_posted_ = false;
      for (const auto& [key, runner] : runners_) runner->prepare();
      archive_.writer().commit();
    });
  }

  void tick() {
    for (const auto& [key, runner] : runners_) runner->on_timer();
    archive_.writer().commit();
    tell_archive_problems();
    tell_lost_lines();
    tell_snapshot_problem(snapshots_.take_problem());
    audit();
    if (ticks_ % kTicksPerSnapshot == kTicksPerSnapshot - 1) take_snapshot();
    if (ticks_ % kTicksPerHeartbeat == 0) heartbeat();
    if (ticks_ % kTicksPerTrim == 0 && publisher_.unpublished() == 0) {
      for (const auto& [key, runner] : runners_) runner->trim();
    }
    ++ticks_;
    timer_.expires_after(kTick);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error && !stopping_) tick();
    });
  }

  std::vector<state::SeriesIndex> indexes() const {
    std::vector<state::SeriesIndex> found;
    found.reserve(outputs_.size());
    for (const auto& [index, series] : outputs_) found.push_back(index);
    return found;
  }

  void save(state::SeriesIndex index, std::string& bytes) const {
    const auto found = outputs_.find(index);
    const Output* output = found == outputs_.end() ? nullptr : found->second->output(index);
    if (output != nullptr) found->second->save(*output, bytes);
  }

  /// The next series in turn, where the last one is done.
  void audit() {
    if (const auto difference = audit_.take_difference()) {
      journal_.event(Level::error, "audit", difference->series, difference->detail);
    }
    if (ticks_ % kTicksPerAudit != 0 || audit_.busy() || outputs_.empty()) return;
    auto next = outputs_.upper_bound(audited_);
    if (next == outputs_.end()) next = outputs_.begin();
    audited_ = next->first;
    const Output* output = next->second->output(audited_);
    if (output == nullptr) return;
    if (auto subject = next->second->audit_subject(*output)) audit_.begin(std::move(*subject));
  }

  void tell_snapshot_problem(const std::string& problem) {
    if (!problem.empty()) journal_.event(Level::error, "snapshot", "", problem);
  }

  void tell_archive_problems() {
    for (const std::string& problem : archive_.writer().take_problems()) {
      journal_.event(Level::error, "history", "", problem);
    }
    const std::uint64_t dropped = archive_.writer().counters().dropped;
    if (dropped == std::exchange(told_dropped_, dropped)) return;
    journal_.log(Level::error, "history", "",
                 "dropped=" + std::to_string(dropped) +
                     ": the disk does not take as many bars, REST will be asked for them");
  }

  void tell_lost_lines() {
    const std::size_t lost = lost_log_lines();
    if (lost == std::exchange(told_lost_lines_, lost)) return;
    journal_.log(Level::warning, "log_lines_lost", "", "count=" + std::to_string(lost) + " since the start");
  }

  void heartbeat() {
    std::array<std::size_t, feeds::kSeriesStates> by_state{};
    for (const auto& [index, series] : outputs_) {
      if (const Output* output = series->output(index)) {
        ++by_state[static_cast<std::size_t>(series->state_of(*output))];
      }
    }
    std::vector<std::pair<std::string, std::string>> fields = {
        {"beat_ms", std::to_string(utc_ms())},
        {"started_ms", std::to_string(started_ms_)},
        {"version", std::string(version_number())},
        {"host", host_},
        {"pid", std::to_string(getpid())},
        {"series", std::to_string(outputs_.size())},
        {"audited", std::to_string(audit_.counters().audited)},
        {"audit_differences", std::to_string(audit_.counters().differences)}};
    for (std::size_t state = 0; state < by_state.size(); ++state) {
      std::string name(feeds::state_name(static_cast<feeds::SeriesState>(state)));
      for (char& c : name) c = c == '_' ? '_' : static_cast<char>(c - 'A' + 'a');
      fields.emplace_back(std::move(name), std::to_string(by_state[state]));
    }
    publisher_.heartbeat(fields);
  }

  boost::asio::io_context& io_;
  Config config_;
  state::Publisher publisher_;
  Journal journal_;
  BarArchive archive_;
  SnapshotTaker snapshots_;
  SelfAudit audit_;
  state::SeriesIndex audited_ = 0;
  SeriesNumbers numbers_;
  std::map<state::SeriesIndex, MarketSeries*> outputs_;
  std::map<FeedKey, std::unique_ptr<FeedRunner>> runners_;
  boost::asio::steady_timer timer_;
  std::int64_t started_ms_;
  std::string host_;
  std::int64_t ticks_ = 0;
  std::uint64_t told_dropped_ = 0;
  std::size_t told_lost_lines_ = 0;
  bool filling_ = false;
  bool prepare_posted_ = false;
  bool stopping_ = false;
};

Pipeline::Pipeline(boost::asio::io_context& io, const Config& config, RedisLogin login)
    : impl_(std::make_unique<Impl>(io, config, std::move(login))) {}
Pipeline::~Pipeline() = default;
void Pipeline::start() { impl_->start(); }
void Pipeline::reload(const Config& config) { impl_->reload(config); }
void Pipeline::stop(std::function<void()> done) { impl_->stop(std::move(done)); }
bool Pipeline::warm() const { return impl_->warm(); }
void Pipeline::fill() { impl_->fill(); }
void Pipeline::take_snapshot() { impl_->take_snapshot(); }
PipelineStatus Pipeline::status() const { return impl_->status(); }

}  // namespace atcd::daemon
