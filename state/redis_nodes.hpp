#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "state/key_slot.hpp"
#include "state/redis_connection.hpp"
#include "state/sentinels.hpp"

namespace atcd::state {

class RedisNodes;

/// One server and the connection to it.
class RedisNode final : ConnectionHandler {
 public:
  RedisNode(RedisNodes& nodes, boost::asio::io_context& io, const ConnectionOptions& options);

  /// As the address was given: "host:port", or the path of its socket.
  const std::string& name() const { return name_; }
  RedisConnection& connection() { return connection_; }

 private:
  friend class RedisNodes;
  void on_ready() override;
  void on_lost(std::string_view reason) override;
  void on_unreachable(std::string_view reason) override;
  void on_refused(std::string_view error) override;

  RedisNodes& nodes_;
  std::string name_;
  RedisConnection connection_;
  bool announced_ = false;   // on_node_ready was told
  bool redirected_ = false;  // another server named it
};

/// Told what becomes of the servers. Never from inside a function of RedisNodes.
class NodesHandler {
 public:
  /// Commands may be sent to it, and it is known who serves which key.
  virtual void on_node_ready(RedisNode& node) = 0;
  /// A ready server is gone; every command in flight was told before. It is tried again.
  virtual void on_node_lost(RedisNode& node, std::string_view reason) = 0;
  virtual void on_node_unreachable(RedisNode& node, std::string_view reason) = 0;
  virtual void on_node_refused(RedisNode& node, std::string_view error) = 0;
  /// Who serves which slot has changed.
  virtual void on_layout() {}
  /// It serves no slot. Where true is answered it is destroyed after this call, else asked about again with
  /// the next layout: it may be importing its first one.
  virtual bool on_node_idle(RedisNode&) { return true; }

 protected:
  ~NodesHandler() = default;
};

/// The servers that hold the keys: one, the master that Sentinels name, or the masters of a cluster, each
/// with a connection that is kept up. Sentinels are asked every second whether the master is still the same
/// one; of a cluster the layout is read when the first server answers, when one
/// is lost, when one redirects and when one says that it serves nobody. Used from the io_context's thread
/// only.
class RedisNodes {
 public:
  /// The addresses, users and passwords of `url` count, not those of `options`.
  RedisNodes(boost::asio::io_context& io, RedisUrl url, ConnectionOptions options, NodesHandler& handler);
  ~RedisNodes();
  RedisNodes(const RedisNodes&) = delete;
  RedisNodes& operator=(const RedisNodes&) = delete;

  void start();
  bool cluster() const { return url_.kind == RedisKind::cluster; }
  /// Who serves the slot, as far as is known: ready or not.
  RedisNode& owner(std::uint16_t slot);
  /// The connection to send a command about this key on; null while its server is not ready.
  RedisConnection* serving(std::string_view key);
  /// Where an error "MOVED slot host:port" or "ASK slot host:port" of `from` points. From MOVED on, the slot
  /// is that server's. Null for any other error. Destroys no server.
  RedisNode* redirect(const RedisNode& from, std::string_view error);
  /// The layout may have changed: it is read again, soon.
  void look_again();
  /// Every server, those that serve nothing too.
  std::vector<RedisNode*> all();

 private:
  friend class RedisNode;
  using Slots = std::vector<RedisNode*>;

  void on_ready(RedisNode& node);
  bool serves(const RedisNode& node) const;
  RedisNode* node(const RedisAddress& address);
  void add_seeds();
  void watch_master();
  void check_master();
  void read_layout();
  void on_layout(RedisNode& from, const Reply* reply);
  bool take_layout(const RedisNode& from, const Reply& reply);
  void drop_idle();
  void announce();

  boost::asio::io_context& io_;
  RedisUrl url_;
  ConnectionOptions options_;
  NodesHandler& handler_;
  boost::asio::thread_pool names_{1};  // outlives the connections
  std::unique_ptr<Sentinels> sentinels_;
  std::map<std::string, std::unique_ptr<RedisNode>> nodes_;
  Slots slots_;  // by slot; empty while nothing is known
  boost::asio::steady_timer timer_;
  std::string asked_;  // the node that was asked last
  bool started_ = false;
  bool reading_ = false;
  bool timer_armed_ = false;
  bool known_ = false;
  std::shared_ptr<RedisNodes*> self_;  // what waits for a timer asks whether we are still there
};

}  // namespace atcd::state
