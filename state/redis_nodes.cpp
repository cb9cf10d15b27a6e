#include "state/redis_nodes.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "state/redis_places.hpp"

namespace atcd::state {
namespace {

// Between two readings of the layout while something is amiss.
constexpr std::chrono::milliseconds kLookAgain{250};
// How often the Sentinels are asked: a master that was replaced but lives takes writes for ten seconds more.
constexpr std::chrono::milliseconds kWatchMaster{1000};
constexpr std::size_t kMostNodes = 1000;  // a Redis Cluster has no more

ConnectionOptions at(const ConnectionOptions& options, const RedisAddress& address) {
  ConnectionOptions connection = options;
  connection.address = address;
  return connection;
}

}  // namespace

// ---- one node

RedisNode::RedisNode(RedisNodes& nodes, boost::asio::io_context& io, const ConnectionOptions& options)
    : nodes_(nodes), name_(options.address.text()), connection_(io, options, *this) {}

void RedisNode::on_ready() { nodes_.on_ready(*this); }

void RedisNode::on_lost(std::string_view reason) {
  if (std::exchange(announced_, false)) nodes_.handler_.on_node_lost(*this, reason);
  nodes_.look_again();
}

void RedisNode::on_unreachable(std::string_view reason) {
  nodes_.handler_.on_node_unreachable(*this, reason);
  nodes_.look_again();
}

void RedisNode::on_refused(std::string_view error) { nodes_.handler_.on_node_refused(*this, error); }

// ---- all of them

RedisNodes::RedisNodes(boost::asio::io_context& io, RedisUrl url, ConnectionOptions options,
                       NodesHandler& handler)
    : io_(io),
      url_(std::move(url)),
      options_(std::move(options)),
      handler_(handler),
      timer_(io),
      known_(url_.kind != RedisKind::cluster),
      self_(std::make_shared<RedisNodes*>(this)) {
  options_.names = &names_;
  if (url_.kind == RedisKind::sentinel) {
    sentinels_ = std::make_unique<Sentinels>(io, url_, options_);
    options_.locate = [this](Located located) { sentinels_->find_master(std::move(located)); };
    url_.addresses.resize(1);  // its credentials; host and port come from the Sentinels
  }
  add_seeds();
}

RedisNodes::~RedisNodes() { *self_ = nullptr; }

void RedisNodes::start() {
  started_ = true;
  for (const auto& [name, node] : nodes_) node->connection().start();
  if (sentinels_) watch_master();
}

void RedisNodes::watch_master() {
  timer_.expires_after(kWatchMaster);
  timer_.async_wait([self = self_](const boost::system::error_code& error) {
    if (error || *self == nullptr) return;
    (*self)->check_master();
    (*self)->watch_master();
  });
}

void RedisNodes::check_master() {
  RedisConnection& connection = nodes_.begin()->second->connection();
  if (!connection.ready()) return;   // it asks by itself before it connects
  if (sentinels_->asking()) return;  // one that is silent is passed over only when it is given its time
  sentinels_->find_master([&connection](const RedisAddress* master, const std::string&) {
    if (master == nullptr || !connection.ready()) return;
    if (master->host == connection.address().host && master->port == connection.address().port) return;
    connection.drop("the Sentinels name another master, " + master->text());
  });
}

void RedisNodes::add_seeds() {
  for (const RedisAddress& address : url_.addresses) node(address);
}

/// Null when there are more than a cluster can have: the answers can't be true then.
RedisNode* RedisNodes::node(const RedisAddress& address) {
  const std::string name = address.text();
  if (const auto known = nodes_.find(name); known != nodes_.end()) return known->second.get();
  if (nodes_.size() >= kMostNodes) return nullptr;
  auto& added = nodes_[name] = std::make_unique<RedisNode>(*this, io_, at(options_, address));
  if (started_) added->connection().start();
  return added.get();
}

RedisNode& RedisNodes::owner(std::uint16_t slot) {
  if (slots_.empty()) return *nodes_.begin()->second;
  if (slots_[slot] != nullptr) return *slots_[slot];
  // Nobody's at present: it waits at one that serves another slot, for those that serve none are dropped.
  return **std::find_if(slots_.begin(), slots_.end(), [](const RedisNode* node) { return node != nullptr; });
}

RedisConnection* RedisNodes::serving(std::string_view key) {
  RedisNode& node = owner(cluster() ? key_slot(key) : std::uint16_t{0});
  return known_ && node.announced_ ? &node.connection() : nullptr;
}

std::vector<RedisNode*> RedisNodes::all() {
  std::vector<RedisNode*> found;
  for (const auto& [name, node] : nodes_) found.push_back(node.get());
  return found;
}

void RedisNodes::on_ready(RedisNode& node) {
  if (cluster()) read_layout();
  if (!known_ || (cluster() && !node.redirected_ && !serves(node))) return;
  node.announced_ = true;
  handler_.on_node_ready(node);
}

bool RedisNodes::serves(const RedisNode& node) const {
  return std::find(slots_.begin(), slots_.end(), &node) != slots_.end();
}

RedisNode* RedisNodes::redirect(const RedisNode& from, std::string_view error) {
  const auto told = cluster() ? redirection_of(error, from.connection_.address()) : std::nullopt;
  if (!told) return nullptr;
  RedisNode* target = node(told->address);
  if (target != nullptr) target->redirected_ = true;
  if (told->moved && target != nullptr && known_) {
    slots_[told->slot] = target;
    look_again();
  }
  return target;
}

// ---- the layout of a cluster

void RedisNodes::look_again() {
  if (!cluster() || std::exchange(timer_armed_, true)) return;
  timer_.expires_after(kLookAgain);
  timer_.async_wait([self = self_](const boost::system::error_code& error) {
    if (error || *self == nullptr) return;
    (*self)->timer_armed_ = false;
    (*self)->read_layout();
  });
}

void RedisNodes::read_layout() {
  if (reading_) return;
  // The next one after the one that was asked last: it may see what that one does not.
  RedisNode* chosen = nullptr;
  for (const auto& [name, node] : nodes_) {
    if (!node->connection().ready()) continue;
    if (chosen == nullptr || (name > asked_ && chosen->name() <= asked_)) chosen = node.get();
  }
  if (chosen == nullptr) return add_seeds();  // names may mean other addresses by now
  asked_ = chosen->name();
  reading_ = chosen->connection().send({"CLUSTER", "SLOTS"},
                                       [this, chosen](const Reply* reply) { on_layout(*chosen, reply); });
  if (!reading_) look_again();
}

void RedisNodes::on_layout(RedisNode& from, const Reply* reply) {
  reading_ = false;
  if (reply == nullptr) return look_again();
  if (reply->is_error()) {
    handler_.on_node_refused(from, reply->text);
    return look_again();
  }
  if (!take_layout(from, *reply)) {
    handler_.on_node_refused(from, "the cluster has no server with slots");
    return look_again();
  }
  known_ = true;
  handler_.on_layout();
  drop_idle();  // perhaps `from`
  announce();
  const bool whole = std::all_of(slots_.begin(), slots_.end(), [](RedisNode* node) {
    return node != nullptr && node->connection().ready();
  });
  if (!whole) look_again();
}

/// A slot that nobody serves now stays where it was. False when there is no range.
bool RedisNodes::take_layout(const RedisNode& from, const Reply& reply) {
  Slots slots = slots_;
  slots.resize(kClusterSlots, nullptr);
  bool any = false;
  for (const SlotRange& range : slot_ranges(reply, from.connection_.address())) {
    RedisNode* master = node(range.master);
    if (master == nullptr) continue;
    std::fill(slots.begin() + range.first, slots.begin() + range.last + 1, master);
    any = true;
  }
  if (any) slots_ = std::move(slots);
  return any;
}

void RedisNodes::announce() {
  for (const auto& [name, node] : nodes_) {
    if (!node->connection().ready() || std::exchange(node->announced_, true)) continue;
    handler_.on_node_ready(*node);
  }
}

void RedisNodes::drop_idle() {
  for (auto entry = nodes_.begin(); entry != nodes_.end();) {
    RedisNode* node = entry->second.get();
    if (serves(*node) || !handler_.on_node_idle(*node)) {
      ++entry;
      continue;
    }
    entry = nodes_.erase(entry);
  }
}

}  // namespace atcd::state
