#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace atcd::feeds {

/// Tells of malformed frames without flooding the log: the first at once, with its beginning, then at most
/// one summary a minute while more come.
class MalformedReport {
 public:
  /// `tell` gets key=value pairs.
  MalformedReport(boost::asio::io_context& io, std::function<void(std::string_view detail)> tell)
      : timer_(io), tell_(std::move(tell)) {}

  /// Nothing is told any more.
  void stop() {
    tell_ = nullptr;
    alive_.reset();
    timer_.cancel();
  }

  void add(std::string_view frame, std::string_view reason) {
    last_ = "reason=\"" + printable(reason) + "\" bytes=" + std::to_string(frame.size()) + " frame=\"" +
            printable(frame.substr(0, kLongestQuote)) + "\"";
    ++count_;
    if (!waiting_ && tell_) tell();
  }

 private:
  static constexpr std::size_t kLongestQuote = 160;

  static std::string printable(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
      if (c < ' ' || c > '~') c = '?';
      if (c == '"') c = '\'';
    }
    return result;
  }

  void tell() {
    tell_("count=" + std::to_string(count_) + " last_" + last_);
    count_ = 0;
    waiting_ = true;
    timer_.expires_after(std::chrono::minutes(1));
    timer_.async_wait([this, alive = std::weak_ptr<bool>(alive_)](const auto& error) {
      if (error || alive.expired()) return;
      waiting_ = false;
      if (count_ > 0) tell();
    });
  }

  boost::asio::steady_timer timer_;
  std::function<void(std::string_view)> tell_;
  std::string last_;
  std::uint64_t count_ = 0;  // since the last report
  bool waiting_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // a timer that fired late looks here
};

}  // namespace atcd::feeds
