#pragma once

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "feeds/backoff.hpp"
#include "feeds/exchange.hpp"
#include "feeds/feed.hpp"
#include "feeds/link.hpp"

namespace atcd::feeds {

inline constexpr Backoff::Options kWhenStreamRefused{std::chrono::seconds(2), std::chrono::minutes(10)};
inline constexpr std::chrono::minutes kBetweenRenewals{10};  // of a connection with streams that stay silent

/// One stream of a feed.
struct FeedStream {
  StreamName name;
  std::optional<std::uint64_t> slot;  // empty: refused
  bool up = false;
  bool tell_up = false;      // although it is up: it was subscribed anew
  std::uint64_t teller = 0;  // the number of the link whose trades are taken, where they have no numbers
  struct Resubscribed {
    std::uint64_t link;              // its number
    std::int64_t data_beyond_first;  // of the link, then
  };
  std::optional<Resubscribed> resubscribed;  // last
  Backoff refusals{kWhenStreamRefused};
  std::optional<boost::asio::steady_timer> again;  // until it is asked for after a refusal
};

/// A place for the streams of one connection: the connection of today, and while it is handed over the next.
struct FeedSlot {
  FeedSlot(boost::asio::io_context& io, StreamKind of_kind) : kind(of_kind), timer(io) {}
  StreamKind kind;  // of all its streams: an exchange may have another address for each
  std::vector<StreamIndex> streams;
  std::shared_ptr<Link> active;
  std::shared_ptr<Link> standby;
  Backoff backoff;
  std::chrono::steady_clock::time_point renewed_at = std::chrono::steady_clock::now() - kBetweenRenewals;
  ConnectReason reason = ConnectReason::start;  // of the next connect
  // Until the next connect: of `active` when there is none, else of `standby`.
  boost::asio::steady_timer timer;
};

/// When the slot last did what it is there for: heard something, or took a step towards a connection. At most
/// `now`: while it waits for its next connect all is well.
inline std::chrono::steady_clock::time_point last_sign(const FeedSlot& slot,
                                                       std::chrono::steady_clock::time_point now) {
  return slot.active ? slot.active->heard_at() : std::min(slot.timer.expiry(), now);
}

/// Whether another connection is to take the place of the slot's, which has brought nothing since the stream
/// was subscribed anew on it: for none of its streams. One that is silent alone is no reason.
inline bool renew(FeedSlot& slot, const FeedStream& stream) {
  const auto& last = stream.resubscribed;
  const auto now = std::chrono::steady_clock::now();
  const bool silent = last && last->link == slot.active->number() &&
                      slot.active->data_beyond_first() <= last->data_beyond_first;
  if (!silent || slot.standby || now - slot.renewed_at < kBetweenRenewals) return false;
  slot.renewed_at = now;
  return true;
}

/// Whether the connection that is to take over refuses what the present one carries, and has taken nothing:
/// that is no news of the stream, and no reason to end it where it is carried.
inline bool refuses_all(const FeedSlot& slot, const Link& link, StreamIndex stream) {
  return slot.standby.get() == &link && !link.carries_any() && slot.active->carries(stream);
}

inline std::string named(const StreamName& name) {
  return "symbol=" + name.symbol + " interval=" + name.interval;
}

inline Feed::Connections connections_of(const std::map<std::uint64_t, FeedSlot>& slots) {
  Feed::Connections count{0, slots.size()};
  for (const auto& [number, slot] : slots) count.open += slot.active && slot.active->open() ? 1U : 0U;
  return count;
}

// A connection that lived this long was a good one: its end is no reason to wait long.
inline constexpr std::chrono::seconds kGoodLife{20};
inline constexpr std::chrono::minutes kWaitWhenRefused{1};

/// How long the slot waits before it connects again.
inline std::chrono::milliseconds wait_after(FeedSlot& slot, const Link& ended, const ConnectionEnd& end,
                                            std::minstd_rand& random) {
  if (ended.open() && std::chrono::steady_clock::now() - ended.opened_at() >= kGoodLife) slot.backoff.reset();
  const auto wait = std::max<std::chrono::milliseconds>(slot.backoff.next(random), end.retry_after);
  return end.refused_location ? std::max<std::chrono::milliseconds>(wait, kWaitWhenRefused) : wait;
}

// The part of a connection's lifetime after which it is handed over, drawn so that not all go at once.
inline constexpr double kEarliestHandOver = 0.90, kLatestHandOver = 0.97;

/// How long until the next connection takes the place of this one.
inline std::chrono::milliseconds wait_for_hand_over(const Link& link, std::chrono::milliseconds lifetime,
                                                    std::minstd_rand& random) {
  std::uniform_real_distribution<double> part(kEarliestHandOver, kLatestHandOver);
  const auto end =
      link.opened_at() + std::chrono::duration_cast<std::chrono::milliseconds>(lifetime * part(random));
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds(0));
}

}  // namespace atcd::feeds
