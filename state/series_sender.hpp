#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "state/notices.hpp"
#include "state/publisher.hpp"
#include "state/redis_connection.hpp"
#include "state/redis_nodes.hpp"
#include "state/series_cursor.hpp"

namespace atcd::state {

/// Brings every series' stream level with history and keeps it there. Part of the publisher, on its thread.
///
/// A series walks: its head is read; the head's own bar is sent as a check; what history has after it is sent
/// in pages; then it is level and new bars are sent as they come. The first error of a stream sends it back
/// to the head, and answers to what was sent after the error are not acted upon.
/// One sender for each server; a series is with one of them at a time.
class SeriesSender {
 public:
  struct Parts {
    boost::asio::io_context& io;
    const RedisOptions& options;
    RedisNodes& nodes;
    RedisConnection& connection;
    SignalHistory& history;
    PublishHandler& handler;
    PublishCounters& counters;
    Notices& notices;
    std::function<void()> on_function_missing;
    /// Another server has the series: MOVED or ASK. Asked from inside an answer.
    std::function<void(SeriesIndex, std::uint32_t generation, std::string_view error)> on_redirected;
  };

  explicit SeriesSender(Parts parts);
  ~SeriesSender();

  /// The connection is ready and the function is there.
  void on_ready();
  /// The connection is gone; every command in flight was told.
  void on_lost();
  /// Keys are missing in Redis: all heads are read again.
  void read_all_heads();

  void add(SeriesIndex series, PublishedSeries info, bool ready);
  void remove(SeriesIndex series);
  void publish(SeriesIndex series, const SignalRecord& record);
  void publish_forming(SeriesIndex series, const SignalRecord& record);
  void resume(SeriesIndex series);
  void answered(SeriesIndex series);
  void correct(SeriesIndex series, std::int64_t close_ms);

  /// Hands a series over, whatever is on its way. Null when it is not here, or came here anew since.
  std::unique_ptr<SeriesCursor> release(SeriesIndex series, std::uint32_t generation);
  /// Takes a series over: it begins with its stream's head.
  void adopt(SeriesIndex series, std::unique_ptr<SeriesCursor> cursor, bool asking);
  /// The series that are here and belong elsewhere by `at_home`.
  std::vector<std::pair<SeriesIndex, std::uint32_t>> strays(
      const std::function<bool(const SeriesCursor&)>& at_home) const;
  bool empty() const { return cursors_.empty(); }

  /// Connected, and nothing more can be sent without something new happening.
  bool idle() const;
  std::size_t unpublished() const;
  std::size_t unpublished(SeriesIndex series) const {
    const auto found = cursors_.find(series);
    return found == cursors_.end() ? 0 : found->second->unpublished();
  }
  /// As Publisher's; also while its head is read again.
  bool stopped(SeriesIndex series) const {
    const auto found = cursors_.find(series);
    return found != cursors_.end() && !found->second->stopped_for.empty();
  }
  /// As Publisher's.
  std::optional<std::int64_t> oldest_unpublished_us() const;
  bool settled();

 private:
  using Clock = std::chrono::steady_clock;

  SeriesCursor* find(SeriesIndex series);
  SeriesCursor* find(SeriesIndex series, std::uint32_t generation);
  StreamTerms terms(const SeriesCursor& cursor, const SignalRecord& record) const;

  // The walk, in series_sender.cpp.
  void want_turn(SeriesIndex series, SeriesCursor& cursor);
  void schedule_turns();
  void take_turns();
  bool may_send() const;
  void take_turn(SeriesIndex series, SeriesCursor& cursor);
  void read_head(SeriesIndex series, SeriesCursor& cursor);
  bool ask_history(SeriesIndex series, SeriesCursor& cursor, std::int64_t after_close_ms, std::size_t limit);
  void send_page(SeriesIndex series, SeriesCursor& cursor);
  void become_level(SeriesCursor& cursor);
  void ask(const SeriesCursor& cursor);
  bool send(SeriesIndex series, SeriesCursor& cursor, const SignalRecord& record, bool check);
  void publish_level(SeriesIndex series, SeriesCursor& cursor, const SignalRecord& record);

  // The head, and where to go on from it, in series_head.cpp.
  void check_head(SeriesIndex series, SeriesCursor& cursor);
  void compare_head(SeriesIndex series, SeriesCursor& cursor, const SignalRecord& ours,
                    const std::string& head_content);
  void let_stand(SeriesCursor& cursor, const SignalRecord& ours);
  void yield(SeriesIndex series, SeriesCursor& cursor);
  bool begin_after_told_head(SeriesIndex series, SeriesCursor& cursor);
  bool begin_at_known_head(SeriesIndex series, SeriesCursor& cursor);

  // Answers, in series_answers.cpp.
  void on_head(SeriesIndex series, std::uint32_t generation, const Reply* reply);
  void begin_at(SeriesIndex series, SeriesCursor& cursor, const Reply& entry);
  void says_the_same(SeriesIndex series, SeriesCursor& cursor, std::int64_t head_ms);
  void on_answer(SeriesIndex series, std::uint32_t generation, const Reply* reply);
  void act_on(SeriesIndex series, SeriesCursor& cursor, const InFlight& sent, const Reply& reply);
  void acknowledged(SeriesIndex series, SeriesCursor& cursor, const InFlight& sent, std::string_view answer,
                    std::int64_t rev);
  void count_delay(const SeriesCursor& cursor, std::int64_t close_ms);
  void count_delays_to(SeriesCursor& cursor, std::int64_t head_ms);
  void go_on(SeriesIndex series, SeriesCursor& cursor, const InFlight& sent);
  void conflict(SeriesIndex series, SeriesCursor& cursor, std::int64_t close_ms, std::string_view detail);
  void stop(SeriesCursor& cursor, std::string_view their_config);
  void end_stop(SeriesCursor& cursor);
  void back_to_head(SeriesIndex series, SeriesCursor& cursor);
  void on_failure(SeriesIndex series, SeriesCursor& cursor, std::string_view error);
  void refuse(std::string_view series, std::string_view error);
  void tell(PublishEvent event, const SeriesCursor& cursor, std::string_view detail);

  // Pauses: of one series, or of all where the error concerns Redis as a whole.
  std::chrono::milliseconds backoff(std::uint32_t failures);
  void retry_later(SeriesIndex series, SeriesCursor& cursor);
  void retry_in(std::chrono::milliseconds pause, SeriesIndex series, SeriesCursor& cursor);
  void pause_all();
  void arm_retries();

  Parts parts_;
  SignalFormatter formatter_;
  std::unordered_map<SeriesIndex, std::unique_ptr<SeriesCursor>> cursors_;
  std::uint32_t next_generation_ = 1;
  SeriesIndex unsettled_ = 0;  // one that was not, when settled() last found one
  std::deque<std::pair<SeriesIndex, std::uint32_t>> turns_;
  std::multimap<Clock::time_point, std::pair<SeriesIndex, std::uint32_t>> retries_;
  boost::asio::steady_timer retry_timer_;
  boost::asio::steady_timer pause_timer_;
  std::minstd_rand random_;
  std::vector<SignalRecord> page_;
  std::set<std::string> told_;  // errors named since the last success
  std::size_t in_flight_ = 0;   // records
  std::size_t heads_in_flight_ = 0;
  std::uint32_t pauses_ = 0;  // since the last success
  bool ready_ = false;
  bool paused_ = false;
  bool careful_ = false;    // after a pause: one series at a time until Redis has taken something
  bool forbidden_ = false;  // it paused for want of a right
  bool turns_scheduled_ = false;
  std::shared_ptr<SeriesSender*> self_;  // what was posted asks whether we are still there
};

}  // namespace atcd::state
