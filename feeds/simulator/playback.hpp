#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "feeds/simulator/recording.hpp"
#include "feeds/simulator/source.hpp"
#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// Recorded frames as an exchange: their streams can be subscribed to, their symbols are those that trade,
/// and REST tells the klines that have been played so far, the newest 5,000 of each series. No I/O but for
/// the files; one thread.
class Playback final : public Source {
 public:
  struct Frame {
    std::string payload;           // without its wrapping
    WireRecorded content;          // but for the payload
    std::int64_t after_us = 0;     // since the first frame; from file to file without a pause
    std::int64_t received_us = 0;  // the recording's clock
  };

  /// Reads the files once from end to end, for their streams. Throws std::runtime_error for what can't be
  /// read or holds no frame that can be played.
  Playback(std::vector<std::string> files, const Wire& wire);

  const std::vector<MarketSymbol>& symbols() const override { return symbols_; }
  std::optional<std::size_t> find(std::string_view symbol) const override;
  bool trading(std::size_t, std::int64_t) const override { return true; }
  std::vector<Kline> klines(const KlineQuery& query) const override;

  bool has_stream(std::string_view stream) const { return streams_.find(stream) != streams_.end(); }
  /// The frame to play next; null at the end.
  const Frame* front() const { return front_ ? &*front_ : nullptr; }
  /// It has been played: what it tells is known now.
  void pop();

  std::uint64_t played() const { return played_; }
  /// Lines that are frames of no stream: answers to requests and the like.
  std::uint64_t skipped() const { return skipped_; }
  std::int64_t first_received_ms() const { return first_received_ms_; }

 private:
  using Series = std::pair<std::string, std::string>;  // symbol and interval

  void advance();

  const Wire& wire_;
  Recording recording_;
  std::vector<MarketSymbol> symbols_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::set<std::string, std::less<>> streams_;
  std::map<Series, std::map<std::int64_t, Kline>> klines_;
  std::optional<Frame> front_;
  bool new_file_ = false;
  std::int64_t file_begins_us_ = 0;  // received_us less after_us within the file
  std::int64_t last_after_us_ = 0;
  std::int64_t first_received_ms_ = 0;
  std::uint64_t played_ = 0, skipped_ = 0;
};

}  // namespace atcd::feeds::simulator
