#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "feeds/simulator/wire.hpp"

namespace atcd::feeds::simulator {

/// A client as far as the exchange is concerned: where its frames go.
class Subscriber {
 public:
  /// Queues the text; never blocks and never calls back. Beyond its bound the client is cut.
  virtual void send(const std::shared_ptr<const std::string>& text) = 0;
  virtual std::size_t queued_bytes() const = 0;

  Form form = 0;
  std::set<std::string> streams;  // kept by Subscriptions

 protected:
  ~Subscriber() = default;
};

/// Who is subscribed to what. One thread.
class Subscriptions {
 public:
  enum class Change : std::uint8_t { none, made, first, last };

  /// `since_ms`: the exchange's time. `first`: the stream had no other subscriber.
  Change add(Subscriber& subscriber, const std::string& stream, std::int64_t since_ms);
  /// `last`: the stream has none left.
  Change remove(Subscriber& subscriber, const std::string& stream);

  /// Sends to those who subscribed before `before_ms`, in order of subscription; a text is made once for each
  /// form in use. Returns to how many.
  std::size_t send(const std::string& stream, std::int64_t before_ms,
                   const std::function<std::string(Form)>& text);

  std::size_t size() const { return size_; }
  std::uint64_t frames_sent() const { return frames_sent_; }
  /// The fullest queue of a stream's subscribers, in bytes.
  std::size_t most_queued(const std::string& stream) const;

 private:
  struct Entry {
    Subscriber* subscriber;
    std::int64_t since_ms;
  };
  std::unordered_map<std::string, std::vector<Entry>> streams_;
  std::size_t size_ = 0;
  std::uint64_t frames_sent_ = 0;
};

}  // namespace atcd::feeds::simulator
