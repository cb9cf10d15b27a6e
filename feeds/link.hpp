#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "feeds/connection.hpp"
#include "feeds/exchange.hpp"
#include "feeds/feed.hpp"

namespace atcd::feeds {

class Link;

/// Told what happens on one link. It may retire the link in any of these.
class LinkHandler {
 public:
  virtual void on_link_open(Link& link) = 0;
  virtual void on_link_kline(const Kline& kline, std::int64_t received_us) = 0;
  virtual void on_link_trade(const Link& link, const Trade& trade, std::int64_t received_us) = 0;
  /// The exchange took the subscription of the stream on this link.
  virtual void on_link_carries(Link& link, StreamIndex stream) = 0;
  /// The exchange refused it, asked for this one alone.
  virtual void on_link_refused(Link& link, StreamIndex stream, std::string_view reason) = 0;
  virtual void on_link_malformed(const Link& link, std::string_view frame, std::string_view reason) = 0;
  /// The exchange announces that it will close the connection.
  virtual void on_link_closing(Link& link) = 0;
  /// The last call.
  virtual void on_link_end(Link& link, const ConnectionEnd& end) = 0;

 protected:
  ~LinkHandler() = default;
};

/// One connection with its subscriptions: sends them in batches at the pace that the exchange allows, and
/// matches the answers. Where a batch is refused it is asked for in halves, down to the stream that is meant;
/// where the refusal names a stream the others are asked for again.
class Link final : public std::enable_shared_from_this<Link>, private ConnectionHandler, private FrameSink {
 public:
  /// `number` is for the log; `counters` outlives the link.
  Link(boost::asio::io_context& io, const Exchange& exchange, ConnectionOptions options, std::uint64_t number,
       LinkHandler& handler, FeedCounters& counters);

  void subscribe(StreamIndex stream, const StreamName& name);
  void unsubscribe(StreamIndex stream, const StreamName& name);
  /// Closes in the background; nothing is told any more.
  void retire();
  /// The same, told as its end.
  void give_up(const std::string& reason) { on_end({reason}); }

  bool carries(StreamIndex stream) const { return carried_.contains(stream); }
  bool carries_any() const { return !carried_.empty(); }
  /// Open, and no subscription waits for its answer.
  bool settled() const { return open_ && !subscribing(); }
  bool open() const { return open_; }
  std::chrono::steady_clock::time_point opened_at() const { return opened_at_; }
  /// As Connection's; not once it is retired.
  std::chrono::steady_clock::time_point heard_at() const { return connection_->heard_at(); }
  std::uint64_t number() const { return number_; }
  /// How many bars and trades it has brought beyond one for each subscription: an exchange may tell what it
  /// has as the answer to one. Below 0 while there are fewer.
  std::int64_t data_beyond_first() const { return data_beyond_first_; }

 private:
  struct Entry {
    StreamIndex stream;
    StreamName name;
  };
  struct Request {
    bool subscribes;
    std::vector<Entry> entries;
    std::chrono::steady_clock::time_point sent_at;
    bool answered = false;  // for some of its streams, which are not among the entries any more
  };

  void on_open() override;
  void on_message(std::string_view message, std::int64_t received_us) override;
  void on_end(const ConnectionEnd& end) override;
  void on_kline(const Kline& kline) override;
  void on_trade(const Trade& trade) override;

  bool subscribing() const;
  void schedule();
  void send_next();
  std::optional<Request> next_request();
  void send(Request request);
  void watch_answers();
  void oldest_left_unanswered();
  using Waiting = std::map<std::int64_t, Request>;
  Waiting::iterator asked(const FrameResult& answer);
  static const Entry* entry_of(const Request& request, const StreamView& stream);
  std::vector<Entry> take(Waiting::iterator request, const FrameResult& answer);
  std::optional<Entry> take_from_again(const FrameResult& answer);
  void taken(const FrameResult& answer);
  void refused(const FrameResult& answer);

  const Exchange& exchange_;
  std::unique_ptr<FrameParser> parser_;
  LinkHandler* handler_;  // null once retired
  FeedCounters& counters_;
  std::uint64_t number_;
  boost::asio::steady_timer pace_;
  boost::asio::steady_timer patience_;
  std::deque<Entry> to_unsubscribe_;
  std::deque<Entry> to_subscribe_;
  std::deque<Request> again_;  // what is left of refused batches, halves of them
  Waiting waiting_;            // for an answer, by request number
  std::unordered_set<StreamIndex> carried_;
  std::int64_t last_request_ = 0;
  std::int64_t data_beyond_first_ = 0;
  std::int64_t received_us_ = 0;  // of the frame that is being parsed
  std::chrono::steady_clock::time_point opened_at_;
  bool open_ = false;
  bool scheduled_ = false;
  std::unique_ptr<Connection> connection_;  // last: it calls the rest
};

}  // namespace atcd::feeds
