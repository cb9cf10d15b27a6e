#include "daemon/worker.hpp"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <thread>

#include "daemon/bulk.hpp"
#include "daemon/clock.hpp"
#include "daemon/feed_runner.hpp"
#include "daemon/journal.hpp"
#include "daemon/publish_events.hpp"
#include "daemon/redis_options.hpp"
#include "daemon/self_audit.hpp"
#include "daemon/version.hpp"
#include "daemon/worker_questions.hpp"
#include "state/publisher.hpp"

namespace atcd::daemon {
namespace {

constexpr std::chrono::seconds kTick{1}, kDrainTime{5};
constexpr std::chrono::milliseconds kWarmLook{2};
constexpr std::int64_t kTicksPerAudit = 5, kTicksPerUpkeep = 2;

}  // namespace

class Worker::Impl final : public state::SignalHistory, public state::PublishHandler {
 public:
  explicit Impl(Context context)
      : config_(context.config),
        share_(context.share),
        addresses_(context.addresses),
        bulk_(context.bulk),
        on_failure_(std::move(context.on_failure)),
        on_report_(std::move(context.on_report)),
        group_sizes_(context.group_sizes),
        publisher_(io_, redis_options(config_, std::move(context.login), share_, group_sizes_), *this, *this),
        journal_(publisher_),
        archive_(context.store, share_.worker, io_),
        timer_(io_),
        warm_timer_(io_) {}

  ~Impl() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  // ---- from the owner's thread

  void begin() {
    show_life();
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), ("worker-" + std::to_string(share_.worker)).c_str());
      try {
        start();
        io_.run();
      } catch (...) {
        on_failure_(std::current_exception());
      }
    });
  }
  template <class Task>
  void post(Task task) {
    boost::asio::post(io_, std::move(task));
  }
  const WorkerStatus& status() const { return status_; }

  // ---- on the worker's

  const WorkerView& view() const { return view_; }

  void reload(const Config& config) {
    if (stopping_) return;  // no feed begins any more
    configure(config);
    config_.profiles = config.profiles;
    config_.feeds = config.feeds;
  }

  void fill() {
    filling_ = true;
    for (const auto& [key, runner] : runners_) runner->fill();
  }

  void save(std::function<void(std::vector<std::string>)> done) { ask_entries(view_, std::move(done)); }

  void heartbeat(const std::vector<std::pair<std::string, std::string>>& fields) {
    publisher_.heartbeat(fields);
  }
  void event(Level level, std::string_view event, std::string_view detail) {
    journal_.event(level, event, "", detail);
  }

  void stop(std::function<void(Stopped)> done) {
    timer_.cancel();
    warm_timer_.cancel();
    stopping_ = true;
    for (const auto& [key, runner] : runners_) runner->stop();
    publisher_.drain(kDrainTime, [this, done = std::move(done)](std::size_t left) {
      done({left, publisher_.counters().added, entries_of(view_), all_feeds(&FeedRunner::begun)});
    });
  }

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
    journal_.log(level_of(event), name_of(event), series, detail);
  }

  void on_published(state::SeriesIndex index, std::int64_t close_ms, std::int64_t) override {
    const auto found = outputs_.find(index);
    Output* output = found == outputs_.end() ? nullptr : found->second->output(index);
    if (output == nullptr) return;
    output->published_ms = close_ms;
    output->lag_ms = utc_ms() - close_ms;
  }

 private:
  void configure(const Config& config) {
    if (std::exchange(added_, false)) group_sizes_->one_adds_again();
    std::map<FeedKey, std::vector<FeedConfig>> blocks;
    for (const FeedConfig& feed : config.feeds) blocks[FeedKey::of(feed)].push_back(feed);
    // Those that run learn first what they have no more: a new one may begin with that at once.
    std::erase_if(runners_, [&](const auto& entry) {
      auto found = blocks.extract(entry.first);
      if (found.empty()) retired_.add(entry.second->retire());
      if (!found.empty()) entry.second->configure(std::move(found.mapped()), config.profiles);
      return found.empty();
    });
    for (auto& [key, feeds] : blocks) {
      auto& runner = runners_[key] = std::make_unique<FeedRunner>(feed_context(), key);
      runner->configure(std::move(feeds), config.profiles);
      if (filling_) runner->fill();
    }
  }

  FeedRunner::Context feed_context() {
    return {io_,
            publisher_,
            journal_,
            archive_,
            numbers_,
            addresses_,
            share_,
            update_times_,
            bulk_,
            [this](state::SeriesIndex index, MarketSeries* series) {
              outputs_.erase(index);
              if (series != nullptr) outputs_[index] = series;
            },
            [this] { prepare_later(); },
            runners_};
  }

  /// Behind whatever else is ready to run: a burst of closing bars is published first, then everything
  /// prepares.
  void prepare_later() {
    if (std::exchange(prepare_posted_, true)) return;
    boost::asio::post(io_, [this] {
      prepare_posted_ = false;
      for (const auto& [key, runner] : runners_) runner->prepare();
      archive_.writer().commit();
      bulk_.wake();
    });
  }

  void start() {
    started_at_ = std::chrono::steady_clock::now();
    publisher_.start();
    if (share_.worker == 0)
      journal_.event(Level::info, "start", "", "version " + std::string(version_number()));
    configure(config_);
    look_whether_warm();
    tick();
  }

  /// All that could be known from the last run is: its signals are the latest in Redis.
  void look_whether_warm() {
    if (all_feeds(&FeedRunner::resolved_once) && publisher_.connected() && publisher_.settled()) {
      tell_status();
      const auto passed = std::chrono::steady_clock::now() - started_at_;
      status_.restored_us = std::chrono::ceil<std::chrono::microseconds>(passed).count();
      status_.warm = true;
      return;
    }
    warm_timer_.expires_after(kWarmLook);
    warm_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error && !stopping_) look_whether_warm();
    });
  }

  bool all_feeds(bool (FeedRunner::*are)() const) const {
    return std::all_of(runners_.begin(), runners_.end(),
                       [are](const auto& entry) { return (*entry.second.*are)(); });
  }

  void look_whether_added() {
    if (added_ || !all_feeds(&FeedRunner::resolved_once) || !all_feeds(&FeedRunner::begun)) return;
    added_ = true;
    group_sizes_->one_has_added();
  }

  void tick() {
    show_life();
    for (const auto& [key, runner] : runners_) runner->on_timer();
    look_whether_added();
    archive_.writer().commit();
    bulk_.wake();
    if (ticks_ % kTicksPerUpkeep == 0) publisher_.look_after();
    audit();
    tell_status();
    report();
    ++ticks_;
    timer_.expires_after(kTick);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error && !stopping_) tick();
    });
  }

  void show_life() {
    const auto now = std::chrono::steady_clock::now();
    auto feeds_sign = now;
    for (const auto& [key, runner] : runners_) feeds_sign = std::min(feeds_sign, runner->last_sign(now));
    status_.signs.feeds_sign_ms = feeds::in_ms(feeds_sign);
    status_.signs.ticked_ms = feeds::in_ms(now);
  }

  void tell_status() {
    std::array<std::size_t, feeds::kSeriesStates> by_state{};
    std::size_t stopped = 0;
    for (const auto& [index, series] : outputs_) {
      const Output* output = series->output(index);
      if (output == nullptr) continue;
      const bool halted = series->stopped(*output);
      if (halted) ++stopped;
      ++by_state[static_cast<std::size_t>(halted ? feeds::SeriesState::halted : series->state_of(*output))];
    }
    status_.stopped = stopped;
    for (std::size_t state = 0; state < by_state.size(); ++state) status_.by_state[state] = by_state[state];
    status_.unpublished = publisher_.unpublished();
    status_.redis_connected = publisher_.connected();
    status_.audited = audit_.counters().audited;
    status_.audit_differences = audit_.counters().differences;
    tell_clocks();
  }

  void report() {
    WorkerReport report;
    report.at_ms = monotonic_ms();
    for (const auto& [key, runner] : runners_) report.feeds.push_back(runner->report());
    retired_.add_to(report.feeds);
    report.publish = publisher_.counters();
    report.indicator_update = update_times_.times();
    if (status_.unpublished > 0) report.oldest_unpublished_us = publisher_.oldest_unpublished_us();
    report.waiting_changes = archive_.writer().waiting();
    report.waiting_events = publisher_.waiting_events();
    on_report_(std::move(report));
  }

  void tell_clocks() {
    for (std::size_t exchange = 0; exchange < feeds::exchange_count(); ++exchange) {
      std::optional<std::int64_t> offset_ms;
      for (const auto& [key, runner] : runners_) {
        if (&runner->exchange() == &feeds::exchange_at(exchange))
          offset_ms = better_offset(offset_ms, runner->clock_offset_ms());
      }
      status_.clock_offsets.set(exchange, offset_ms);
    }
  }

  /// The next series in turn, where the last one is done.
  void audit() {
    if (const auto difference = audit_.take_difference()) {
      journal_.event(Level::error, "audit", difference->series, difference->detail);
    }
    if (ticks_ % kTicksPerAudit != 0 || copying_ || audit_.busy() || outputs_.empty()) return;
    const auto next = outputs_.upper_bound(audited_);
    audited_ = (next == outputs_.end() ? outputs_.begin() : next)->first;
    copying_ = true;
    ask_subject(view_, audited_, [this](std::optional<SelfAudit::Subject> subject) {
      copying_ = false;
      if (!subject) return;
      const std::string name = subject->id.name();
      if (audit_.begin(std::move(*subject))) return;
      journal_.log(Level::warning, "audit", name, "left out: no thread could be had for it");
    });
  }

  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> working_{io_.get_executor()};
  Config config_;
  Share share_;
  feeds::AddressBook& addresses_;
  Bulk& bulk_;
  std::function<void(std::exception_ptr)> on_failure_;
  std::function<void(WorkerReport)> on_report_;
  WorkerStatus status_;
  UpdateTimes update_times_;
  std::chrono::steady_clock::time_point started_at_;
  std::shared_ptr<state::GroupSizes> group_sizes_;
  state::Publisher publisher_;
  Journal journal_;
  BarArchive archive_;
  SelfAudit audit_;
  state::SeriesIndex audited_ = 0;
  bool copying_ = false;  // what is to be audited
  SeriesNumbers numbers_;
  std::map<state::SeriesIndex, MarketSeries*> outputs_;
  FeedRunners runners_;
  RetiredFeeds retired_;
  const WorkerView view_{io_, journal_, outputs_, runners_, publisher_};
  boost::asio::steady_timer timer_, warm_timer_;
  std::int64_t ticks_ = 0;
  bool filling_ = false;
  bool added_ = false;  // the series of the configuration
  bool prepare_posted_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

Worker::Worker(Context context) : impl_(std::make_unique<Impl>(std::move(context))) {}
Worker::~Worker() = default;

void Worker::start() { impl_->begin(); }

void Worker::reload(const Config& config, std::function<void()> done) {
  impl_->post([impl = impl_.get(), config, done = std::move(done)] {
    impl->reload(config);
    done();
  });
}

void Worker::fill() {
  impl_->post([impl = impl_.get()] { impl->fill(); });
}

void Worker::save(std::function<void(std::vector<std::string>)> done) {
  impl_->post([impl = impl_.get(), done = std::move(done)]() mutable { impl->save(std::move(done)); });
}

void Worker::heartbeat(std::vector<std::pair<std::string, std::string>> fields) {
  impl_->post([impl = impl_.get(), fields = std::move(fields)] { impl->heartbeat(fields); });
}

void Worker::ask(std::function<void(const WorkerView&)> question) {
  impl_->post([impl = impl_.get(), question = std::move(question)] { question(impl->view()); });
}

void Worker::event(Level level, std::string event, std::string detail) {
  impl_->post([impl = impl_.get(), level, event = std::move(event), detail = std::move(detail)] {
    impl->event(level, event, detail);
  });
}

void Worker::stop(std::function<void(Stopped)> done) {
  impl_->post([impl = impl_.get(), done = std::move(done)]() mutable { impl->stop(std::move(done)); });
}

const WorkerStatus& Worker::status() const { return impl_->status(); }

}  // namespace atcd::daemon
