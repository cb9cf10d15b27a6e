#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "state/key_slot.hpp"
#include "tests/state/redis_server.hpp"

namespace atcd::state {

/// A Redis Cluster of our own: masters that share the slots equally, and replicas that copy the first of
/// them.
class RedisCluster {
 public:
  struct Node {
    ReservedPort port, bus;
    RedisServer server{{"--port", port.text(), "--bind", "127.0.0.1", "--cluster-enabled", "yes",
                        "--cluster-port", bus.text(), "--cluster-node-timeout", "60000",
                        "--cluster-require-full-coverage", "no", "--appendonly", "yes", "--appendfsync",
                        "always", "--repl-diskless-sync-delay", "0"}};
    std::string id = server.client().text({"CLUSTER", "MYID"});
  };

  explicit RedisCluster(std::size_t masters, std::size_t replicas = 0) {
    for (std::size_t i = 0; i < masters + replicas; ++i) add_node();
    for (std::size_t i = 0; i < masters; ++i) {
      const std::size_t first = kClusterSlots * i / masters;
      const std::size_t end = kClusterSlots * (i + 1) / masters;
      command(i, {"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(end - 1)});
    }
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      command(i, {"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
      if (i > 0) meet(i);
    }
    wait([&] { return all_know_all(); });
    for (std::size_t i = masters; i < nodes_.size(); ++i) {
      command(i, {"CLUSTER", "REPLICATE", nodes_[0]->id});
      wait([&] { return command(i, {"INFO"}).find("master_link_status:up") != std::string::npos; });
    }
    wait([&] { return all_know_all(); });
  }

  Node& node(std::size_t i) { return *nodes_[i]; }
  std::size_t size() const { return nodes_.size(); }

  /// With the first node alone: the others are to be found.
  std::string url() const { return "redis-cluster://127.0.0.1:" + nodes_[0]->port.text(); }

  /// Another master, without slots.
  std::size_t add_master() {
    add_node();
    meet(nodes_.size() - 1);
    wait([&] { return all_know_all(); });
    return nodes_.size() - 1;
  }

  /// Who says nothing for so long is taken for dead, and who hears nothing serves nothing: on a busy machine
  /// anybody may be quiet for a second, so that it is a minute else.
  void dead_after(const std::string& milliseconds) {
    for (std::size_t i = 0; i < nodes_.size(); ++i)
      command(i, {"CONFIG", "SET", "cluster-node-timeout", milliseconds});
  }

  std::string command(std::size_t i, const std::vector<std::string>& arguments) {
    return nodes_[i]->server.client().text(arguments);
  }

  /// The node that serves the slot of this key.
  std::size_t owner(const std::string& key) {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      try {
        nodes_[i]->server.client().command({"EXISTS", key});
        return i;
      } catch (const std::runtime_error&) {
      }
    }
    throw std::runtime_error("nobody serves " + key);
  }

  // ---- moving a slot, step by step

  void begin_move(std::uint16_t slot, std::size_t from, std::size_t to) {
    command(to, {"CLUSTER", "SETSLOT", std::to_string(slot), "IMPORTING", nodes_[from]->id});
    command(from, {"CLUSTER", "SETSLOT", std::to_string(slot), "MIGRATING", nodes_[to]->id});
  }
  /// Moves at most so many keys; false when there is none.
  bool move_keys(std::uint16_t slot, std::size_t from, std::size_t to, std::size_t most) {
    const auto keys = nodes_[from]->server.client().texts(
        {"CLUSTER", "GETKEYSINSLOT", std::to_string(slot), std::to_string(most)});
    if (keys.empty()) return false;
    std::vector<std::string> migrate = {"MIGRATE", "127.0.0.1", nodes_[to]->port.text(), "", "0",
                                        "5000",    "KEYS"};
    migrate.insert(migrate.end(), keys.begin(), keys.end());
    command(from, migrate);
    return true;
  }
  void end_move(std::uint16_t slot, std::size_t to) {
    const std::vector<std::string> assign = {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE",
                                             nodes_[to]->id};
    command(to, assign);
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      if (i != to) command(i, assign);
    }
  }

  template <typename Condition>
  static void wait(const Condition& condition) {
    const auto deadline = std::chrono::steady_clock::now() + tests::deadline();
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline)
        throw std::runtime_error("the cluster does not settle");
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

 private:
  void add_node() { nodes_.push_back(std::make_unique<Node>()); }

  /// All that were there before, for hearsay takes seconds.
  void meet(std::size_t i) {
    for (std::size_t other = 0; other < i; ++other)
      command(other, {"CLUSTER", "MEET", "127.0.0.1", nodes_[i]->port.text(), nodes_[i]->bus.text()});
  }

  bool all_know_all() {
    const std::string known = "cluster_known_nodes:" + std::to_string(nodes_.size()) + "\r";
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const std::string text = command(i, {"CLUSTER", "INFO"});
      if (text.find("cluster_state:ok") == std::string::npos ||
          text.find("cluster_slots_assigned:16384\r") == std::string::npos ||
          text.find(known) == std::string::npos)
        return false;
    }
    return true;
  }

  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace atcd::state
