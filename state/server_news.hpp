#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "state/publisher.hpp"

namespace atcd::state {

/// Tells a server's comings and goings: each trouble once an outage. A server that lets us in and is of no
/// use, as a replica, is in an outage until it is kept.
class ServerNews {
 public:
  /// `where` is told with each connection; empty: there is one server only.
  ServerNews(PublishHandler& handler, std::string where) : handler_(handler), where_(std::move(where)) {}

  void connected() {
    if (!useless_) begin();
  }
  /// The connection is still there some time later.
  void kept() {
    if (std::exchange(useless_, false)) begin();
  }
  /// We leave a server that would have kept us.
  void leave() { useless_ = true; }

  void lost(std::string_view reason) { tell(PublishEvent::disconnected, "reason", reason); }
  /// Attempts go on: one line an outage is enough, beside that of the loss.
  void unreachable(std::string_view reason) {
    if (!std::exchange(told_unreachable_, true)) tell(PublishEvent::disconnected, "reason", reason);
  }
  void not_let_in(std::string_view error) {
    told_unreachable_ = true;
    refused(error);
  }
  void refused(std::string_view error) { tell(PublishEvent::refused, "error", error); }

 private:
  void begin() {
    told_.clear();
    told_unreachable_ = false;
    handler_.on_publish_event(PublishEvent::connected, "", where_);
  }

  void tell(PublishEvent event, std::string_view key, std::string_view text) {
    if (told_.size() == kMostTold || !told_.emplace(text).second) return;
    handler_.on_publish_event(event, "", std::string(key).append("=\"").append(text).append("\""));
  }

  static constexpr std::size_t kMostTold = 32;  // in an outage, whatever a server says

  PublishHandler& handler_;
  std::string where_;
  std::set<std::string> told_;  // in this outage
  bool told_unreachable_ = false;
  bool useless_ = false;
};

}  // namespace atcd::state
