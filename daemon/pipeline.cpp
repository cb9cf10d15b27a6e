#include "daemon/pipeline.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <iterator>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/clock.hpp"
#include "daemon/clock_watch.hpp"
#include "daemon/config_checks.hpp"
#include "daemon/log.hpp"
#include "daemon/run_mark.hpp"
#include "daemon/snapshot_taker.hpp"
#include "daemon/worker.hpp"
#include "daemon/worker_questions.hpp"

namespace atcd::daemon {
namespace {

constexpr std::chrono::seconds kTick{1};
constexpr std::int64_t kTicksPerHeartbeat = 2;
constexpr std::int64_t kTicksPerSnapshot = 60;
constexpr std::chrono::seconds kLongestChange{30};

}  // namespace

class Pipeline::Impl {
 public:
  Impl(boost::asio::io_context& io, const Config& config, const RedisLogin& login, Bulk& bulk)
      : io_(io),
        config_(config),
        bulk_(bulk),
        store_(std::make_unique<BarStore>(config.state_directory, static_cast<std::size_t>(config.threads))),
        mark_(config.state_directory),
        snapshots_(config.state_directory + "/history", store_->snapshot().taken_ms()),
        timer_(io),
        started_ms_(utc_ms()) {
    const auto count = static_cast<std::size_t>(config.threads);
    const auto groups = std::make_shared<state::GroupSizes>(config.threads);
    reports_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto fail = [this](const std::exception_ptr& failure) {
        // It leaves through whoever runs the io_context.
        boost::asio::post(io_, [failure] { std::rethrow_exception(failure); });
      };
      const auto take_report = [this, i](WorkerReport report) {
        boost::asio::post(
            io_, [this, i, report = std::move(report)]() mutable { reports_[i] = std::move(report); });
      };
      workers_.push_back(std::make_unique<Worker>(Worker::Context{
          config_, login, *store_, bulk_, addresses_, groups, {i, count}, fail, take_report}));
    }
  }

  /// The mark goes last: a stop that is killed while the disk still takes bars did not end in order.
  ~Impl() {
    workers_.clear();
    store_.reset();
    if (drained_) mark_.ended();
  }

  void start() {
    if (!mark_.last_run_ended())
      log_event(Level::warning, "unclean_shutdown",
                {{"detail", std::string_view("the run before this one did not end in order")}});
    if (!mark_.problem().empty()) log_event(Level::warning, "run_mark", {{"detail", mark_.problem()}});
    for (WorkerReport& report : reports_) report.at_ms = monotonic_ms();
    for (const auto& worker : workers_) worker->start();
    for (const std::string& problem : store_->snapshot().problems())
      first().event(Level::warning, "snapshot", problem);
    tick();
  }

  void configuration_read(bool usable) {
    if (!usable) ++reload_errors_;
    reload_failed_ = !usable;
  }

  void reload(const Config& config, const std::function<void()>& done) {
    if (const std::string kept = what_stays(config_, config); !kept.empty())
      log_event(Level::warning, "reload", {{"detail", kept}});
    const auto left = std::make_shared<std::size_t>(workers_.size());
    for (const auto& worker : workers_) {
      worker->reload(config, on_our_thread([this, left, done] {
                       if (--*left > 0) return;
                       first().event(Level::info, "reload", "the configuration was read again");
                       done();
                     }));
    }
  }

  void reload_and_tell(const Config& config, const std::function<void()>& done,
                       const std::function<void(Changes)>& told) {
    auto each = std::vector<std::shared_ptr<Changes>>();
    for (const auto& worker : workers_) {
      each.push_back(std::make_shared<Changes>());
      worker->ask([changes = each.back()](const WorkerView& view) { watch_changes(view, changes); });
    }
    reload(config, done);
    const auto left = std::make_shared<std::size_t>(workers_.size());
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      const auto ready = on_our_thread([each, left, told, kept = what_stays(config_, config)] {
        if (--*left > 0) return;
        Changes changes = all_of(each);
        if (!kept.empty()) changes.problems.push_back(kept);
        told(changes);
      });
      workers_[i]->ask([changes = each[i], ready](const WorkerView& view) {
        await_changes(view, kLongestChange, changes, ready);
      });
    }
  }

  void stop(const std::function<void(const Drained&)>& done) {
    timer_.cancel();
    stopping_ = true;
    first().event(Level::info, "stop", "");
    const auto all = std::make_shared<Worker::Stopped>();
    const auto left = std::make_shared<std::size_t>(workers_.size());
    for (const auto& worker : workers_) {
      worker->stop([this, all, left, done](Worker::Stopped stopped) {
        boost::asio::post(io_, [this, all, left, done, stopped = std::move(stopped)]() mutable {
          all->unacknowledged += stopped.unacknowledged;
          all->added += stopped.added;
          std::move(stopped.entries.begin(), stopped.entries.end(), std::back_inserter(all->entries));
          all->begun = all->begun && stopped.begun;
          if (--*left == 0) stopped_all(std::move(*all), done);
        });
      });
    }
  }

  PipelineStatus status() {
    look_whether_caught_up();
    PipelineStatus status;
    status.instance = config_.instance;
    status.started_ms = started_ms_;
    status.redis_connected = true;
    for (const auto& worker : workers_) add_worker(status, worker->status());
    status.live = status.by_state[static_cast<std::size_t>(feeds::SeriesState::live)];
    status.warm = warm();
    if (!status.warm) status.restore_s = 0;
    status.caught_up = caught_up_;
    status.stopping = stopping_;
    status.clocks = clocks();
    for (const WorkerReport& report : reports_) {
      status.total.add(report);
      status.silent_ms.push_back(monotonic_ms() - report.at_ms);
    }
    status.stuck = what_is_stuck(signs_of_life(), Patience::with(0), monotonic_ms());
    status.queues = queues(status.total);
    status.replays = bulk_.counters();
    status.snapshot_ms = snapshots_.last_success_ms();
    status.last_run_ended = mark_.last_run_ended();
    status.reload_errors = reload_errors_;
    status.reload_failed = reload_failed_;
    status.problems = logged_problems();
    return status;
  }

  std::vector<const SignsOfLife*> signs_of_life() const {
    std::vector<const SignsOfLife*> signs;
    for (const auto& worker : workers_) signs.push_back(&worker->status().signs);
    return signs;
  }

  bool warm() const {
    return std::all_of(workers_.begin(), workers_.end(),
                       [](const auto& worker) { return worker->status().warm.load(); });
  }

  void fill() {
    for (const auto& worker : workers_) worker->fill();
  }

  void take_snapshot(std::function<void(const std::string&)> written) {
    snapshot_wanted_.push_back(std::move(written));
    if (!snapshots_.busy()) take_snapshot();
  }

  void take_snapshot() {
    if (!snapshots_.begin(workers_.size())) return;
    snapshot_awaited_ = std::exchange(snapshot_wanted_, {});
    for (const auto& worker : workers_) {
      worker->save([this](std::vector<std::string> entries) {
        boost::asio::post(io_, [this, entries = std::move(entries)]() mutable {
          if (!stopping_) snapshots_.add(std::move(entries));
        });
      });
    }
  }

  void rows(const RowsPlace& place, std::size_t limit, std::function<void(RowsPage)> done) {
    if (place.worker >= workers_.size()) return done({});
    workers_[place.worker]->ask([this, place, limit, done = std::move(done)](const WorkerView& view) {
      ask_rows(view, place.first, limit, [this, place, done](SeriesRows found) {
        RowsPage page{std::move(found.rows), std::nullopt};
        if (found.more) page.next = RowsPlace{place.worker, found.next};
        if (!found.more && place.worker + 1 < workers_.size()) page.next = RowsPlace{place.worker + 1, 0};
        boost::asio::post(io_, [done, page = std::move(page)]() mutable { done(std::move(page)); });
      });
    });
  }

  void feeds(const std::function<void(std::vector<FeedRow>)>& done) {
    const auto all = std::make_shared<std::vector<FeedRow>>();
    const auto left = std::make_shared<std::size_t>(workers_.size());
    for (const auto& worker : workers_) {
      worker->ask([this, all, left, done](const WorkerView& view) {
        boost::asio::post(io_, [all, left, done, found = feed_rows(view)] {
          all->insert(all->end(), found.begin(), found.end());
          if (--*left == 0) done(std::move(*all));
        });
      });
    }
  }

  void subject(const std::string& series, SubjectDone done) {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (!Share{i, workers_.size()}.owns(series)) continue;
      workers_[i]->ask([this, series, done](const WorkerView& view) {
        ask_subject(view, series, [this, done](std::optional<SelfAudit::Subject> found, auto state) {
          boost::asio::post(
              io_, [done, found = std::move(found), state]() mutable { done(std::move(found), state); });
        });
      });
    }
  }

 private:
  /// It writes what concerns the daemon as a whole.
  Worker& first() { return *workers_.front(); }

  std::function<void()> on_our_thread(std::function<void()> task) {
    return [this, task = std::move(task)] { boost::asio::post(io_, task); };
  }

  void stopped_all(Worker::Stopped all, const std::function<void(const Drained&)>& done) {
    log_event(all.unacknowledged == 0 ? Level::info : Level::warning, "drained",
              {{"detail", "added=" + std::to_string(all.added) +
                              " unacknowledged=" + std::to_string(all.unacknowledged)}});
    const std::string problem = all.begun ? snapshots_.write_now(std::move(all.entries)) : "";
    if (!problem.empty()) log_event(Level::error, "snapshot", {{"detail", problem}});
    for (auto* waiting : {&snapshot_awaited_, &snapshot_wanted_}) {
      for (const auto& written : std::exchange(*waiting, {})) written(problem);
    }
    drained_ = true;
    done({all.added, all.unacknowledged, problem});
  }

  std::vector<QueueStatus> queues(const WorkerReport& total) {
    const std::size_t workers = workers_.size();
    return {{"history", total.waiting_changes,
             workers * (state::HistoryPort::kMostKept + state::HistoryPort::kQueued),
             store_->writer().counters().dropped},
            {"events", total.waiting_events, workers * state::Publisher::kMostEvents,
             total.publish.events_dropped},
            {"log", queued_log_lines(), kMostQueuedLogLines, lost_log_lines()}};
  }

  std::vector<ExchangeClock> clocks() const {
    std::vector<ExchangeClock> known;
    for (std::size_t exchange = 0; exchange < feeds::exchange_count(); ++exchange) {
      std::optional<std::int64_t> offset_ms;
      for (const auto& worker : workers_)
        offset_ms = better_offset(offset_ms, worker->status().clock_offsets.of(exchange));
      if (offset_ms) known.push_back({&feeds::exchange_at(exchange), *offset_ms});
    }
    return known;
  }

  void tick() {
    look_whether_caught_up();
    tell_clocks();
    tell_archive_problems();
    tell_lost_lines();
    tell_snapshot();
    if (ticks_ % kTicksPerSnapshot == kTicksPerSnapshot - 1) take_snapshot();
    if (ticks_ % kTicksPerHeartbeat == 0) heartbeat();
    ++ticks_;
    timer_.expires_after(kTick);
    timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error && !stopping_) tick();
    });
  }

  void tell_snapshot() {
    const auto problem = snapshots_.take_result();
    if (!problem) return;
    if (!problem->empty()) first().event(Level::error, "snapshot", *problem);
    for (const auto& written : std::exchange(snapshot_awaited_, {})) written(*problem);
    if (!snapshot_wanted_.empty()) take_snapshot();
  }

  void look_whether_caught_up() {
    std::size_t series = 0, left = 0;
    for (const auto& worker : workers_) {
      const auto& by_state = worker->status().by_state;
      for (const auto& count : by_state) series += count;
      left += by_state[static_cast<std::size_t>(feeds::SeriesState::catching_up)];
    }
    // Before all are warm a feed may have none yet.
    caught_up_ = caught_up_ || (warm() && series > 0 && left == 0);
  }

  void tell_archive_problems() {
    for (const std::string& problem : store_->writer().take_problems())
      first().event(Level::error, "history", problem);
    const std::uint64_t dropped = store_->writer().counters().dropped;
    if (dropped == std::exchange(told_dropped_, dropped)) return;
    log_event(Level::error, "history",
              {{"detail", "dropped=" + std::to_string(dropped) +
                              ": the disk does not take as many bars, REST will be asked for them"}});
  }

  /// An offset harms no signal, but times are told wrongly, and frames that are late look like one.
  void tell_clocks() {
    for (const auto& [exchange, offset_ms] : clocks()) {
      const auto say = clock_watches_[exchange].look(offset_ms, monotonic_ms());
      if (say == ClockWatch::Say::nothing) continue;
      const bool apart = say == ClockWatch::Say::apart;
      log_event(
          apart ? Level::warning : Level::info, "clock_offset",
          {{"series", clock_name(*exchange)},
           {"detail", "offset_ms=" + std::to_string(offset_ms) +
                          (apart ? ": the exchange's clock and ours are more than a second apart, or its "
                                   "frames take so long"
                                 : ": the exchange's clock and ours agree again")}});
    }
  }

  void tell_lost_lines() {
    const std::size_t lost = lost_log_lines();
    if (lost == std::exchange(told_lost_lines_, lost)) return;
    log_event(Level::warning, "log_lines_lost",
              {{"detail", "count=" + std::to_string(lost) + " since the start"}});
  }

  void heartbeat() { first().heartbeat(heartbeat_fields(status())); }

  boost::asio::io_context& io_;
  Config config_;
  Bulk& bulk_;
  std::unique_ptr<BarStore> store_;
  RunMark mark_;  // behind what throws where the directory is of no use
  feeds::AddressBook addresses_;
  SnapshotTaker snapshots_;
  // Who waits for the snapshot that is under way, and who for the one after it.
  std::vector<std::function<void(const std::string&problem)>> snapshot_awaited_, snapshot_wanted_;
  boost::asio::steady_timer timer_;
  std::int64_t started_ms_;
  std::int64_t ticks_ = 0;
  std::map<const feeds::Exchange*, ClockWatch> clock_watches_;
  std::uint64_t told_dropped_ = 0;
  std::size_t told_lost_lines_ = 0;
  std::uint64_t reload_errors_ = 0;
  bool reload_failed_ = false;
  bool caught_up_ = false;
  bool stopping_ = false;
  bool drained_ = false;
  std::vector<WorkerReport> reports_;             // the last of each worker
  std::vector<std::unique_ptr<Worker>> workers_;  // last: they use the rest
};

Pipeline::Pipeline(boost::asio::io_context& io, const Config& config, const RedisLogin& login, Bulk& bulk)
    : impl_(std::make_unique<Impl>(io, config, login, bulk)) {}
Pipeline::~Pipeline() = default;
void Pipeline::start() { impl_->start(); }
void Pipeline::reload(const Config& config, const std::function<void()>& done) {
  impl_->reload(config, done);
}
void Pipeline::reload_and_tell(const Config& config, const std::function<void()>& done,
                               const std::function<void(Changes)>& told) {
  impl_->reload_and_tell(config, done, told);
}
void Pipeline::stop(const std::function<void(const Drained&)>& done) { impl_->stop(done); }
void Pipeline::configuration_read(bool usable) { impl_->configuration_read(usable); }
bool Pipeline::warm() const { return impl_->warm(); }
void Pipeline::fill() { impl_->fill(); }
void Pipeline::take_snapshot() { impl_->take_snapshot(); }
void Pipeline::take_snapshot(std::function<void(const std::string&)> written) {
  impl_->take_snapshot(std::move(written));
}
void Pipeline::rows(const RowsPlace& place, std::size_t limit, std::function<void(RowsPage)> done) {
  impl_->rows(place, limit, std::move(done));
}
void Pipeline::feeds(const std::function<void(std::vector<FeedRow>)>& done) { impl_->feeds(done); }
void Pipeline::subject(const std::string& series, SubjectDone done) {
  impl_->subject(series, std::move(done));
}
PipelineStatus Pipeline::status() const { return impl_->status(); }
std::vector<const SignsOfLife*> Pipeline::signs_of_life() const { return impl_->signs_of_life(); }

}  // namespace atcd::daemon
