#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "feeds/feed.hpp"

namespace atcd::feeds {

/// Who hears a stream. May neither listen nor leave from inside a call.
class StreamListener {
 public:
  virtual void on_kline(const Kline& kline, std::int64_t received_us) = 0;
  virtual void on_trade(const Trade& trade, std::int64_t received_us) = 0;
  virtual void on_trades_interrupted() = 0;
  virtual void on_stream_up() = 0;
  virtual void on_stream_down(std::string_view reason) = 0;
  virtual void on_stream_refused(std::string_view reason) = 0;

 protected:
  ~StreamListener() = default;
};

/// Several listeners to one stream of a feed: a series of bars and those that are folded from it, or all that
/// are built from one symbol's trades. A stream is subscribed with its first listener and given up with its
/// last. Whoever has the feed's news hands it on. One thread, the feed's.
class StreamRouter {
 public:
  /// What is asked of the feed.
  class Streams {
   public:
    virtual void add(StreamIndex stream, const StreamName& name) = 0;
    virtual void remove(StreamIndex stream) = 0;
    virtual void resubscribe(StreamIndex stream) = 0;

   protected:
    ~Streams() = default;
  };

  explicit StreamRouter(Streams& streams) : streams_(streams) {}

  /// Hears at once that the stream is up where it is.
  void listen(StreamListener& listener, const StreamName& name);
  /// Whoever does not listen to it may leave it too.
  void leave(StreamListener& listener, const StreamName& name);
  /// For all who listen to it.
  void resubscribe(const StreamName& name);

  /// `stream` is one that was added; of one that was given up meanwhile nobody hears.
  void on_kline(StreamIndex stream, const Kline& kline, std::int64_t received_us) const;
  void on_trade(StreamIndex stream, const Trade& trade, std::int64_t received_us) const;
  void on_trades_interrupted(StreamIndex stream) const;
  void on_stream_up(StreamIndex stream);
  void on_stream_down(StreamIndex stream, std::string_view reason);
  void on_stream_refused(StreamIndex stream, std::string_view reason);

 private:
  enum class Way : std::uint8_t { asked, up, refused };
  struct Entry {
    std::vector<StreamListener*> listeners;
    Way way = Way::asked;
  };
  using Key = std::pair<std::string, std::string>;  // symbol and interval

  Streams& streams_;
  std::vector<Entry>
      entries_;  // by stream; of one that was given up nobody is left, and no other gets its index
  std::map<Key, StreamIndex> indexes_;
};

}  // namespace atcd::feeds
