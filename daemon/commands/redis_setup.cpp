#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <iostream>
#include <memory>
#include <set>
#include <string>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/redis_target.hpp"
#include "state/publish_function.hpp"
#include "state/redis_nodes.hpp"

namespace atcd::daemon {
namespace {

/// Loads the function into every server that holds keys; tries to connect once.
class Setup final : public state::NodesHandler {
 public:
  explicit Setup(const RedisLogin& login)
      : nodes_(io_, login.url, connection_options(login, "atcd-redis-setup"), *this) {}

  /// True when the function is everywhere.
  bool run() {
    nodes_.start();
    io_.run();
    return done_;
  }

 private:
  void on_node_ready(state::RedisNode& node) override {
    state::ensure_publish_function(
        node.connection(), [this, name = node.name()](state::FunctionState state, std::string_view error) {
          tell(name, state, error);
        });
  }
  void on_node_lost(state::RedisNode&, std::string_view reason) override {
    fail("the connection was lost: ", reason);
  }
  void on_node_unreachable(state::RedisNode&, std::string_view reason) override {
    fail("Redis can't be reached: ", reason);
  }
  void on_node_refused(state::RedisNode&, std::string_view error) override { fail("Redis refused: ", error); }

  void tell(const std::string& node, state::FunctionState state, std::string_view error) {
    using state::FunctionState;
    switch (state) {
      case FunctionState::ready:
        return succeed(node, "was there already");
      case FunctionState::loaded:
        return succeed(node, "is loaded");
      case FunctionState::missing:
        return fail("the rights to load the function are missing: ", error);
      case FunctionState::failed:
        return fail("the function could not be loaded (Redis 7 or newer is needed): ", error);
      case FunctionState::lost:
        return;  // on_node_lost follows
    }
  }

  void succeed(const std::string& node, std::string_view what) {
    std::cout << "# the function " << state::kPublishFunction << ' ' << what;
    if (nodes_.cluster()) std::cout << " on " << node;
    std::cout << '\n';
    with_function_.insert(node);
    const auto nodes = nodes_.all();
    done_ = std::all_of(nodes.begin(), nodes.end(), [this](const state::RedisNode* each) {
      return with_function_.contains(each->name());
    });
    if (done_) io_.stop();
  }

  void fail(std::string_view what, std::string_view reason) {
    std::cerr << "atcd: " << what << reason << '\n';
    io_.stop();
  }

  boost::asio::io_context io_{1};
  state::RedisNodes nodes_;
  std::set<std::string> with_function_;
  bool done_ = false;
};

/// Users with no right but the ones they need; for redis-cli or, without the first two words, an ACL file.
void print_users(const std::string& prefix, bool cluster) {
  const std::string keys = prefix + ":1:";
  std::cout
      << "# On every server, replicas too. CONFIG REWRITE, or ACL SAVE where Redis has an aclfile, makes "
         "them "
         "outlast a restart.\n"
      << "# The daemon: it writes its keys through the function and publishes on its channels. Leave the "
         "two\n"
         "# +function rights out where only this command may load the function; +xrange and +psubscribe are "
         "for atcd verify and atcd tap.\n"
      << "ACL SETUSER atcd on >CHANGE-ME resetkeys ~" << keys << "* resetchannels &" << keys << "signal:* &"
      << keys
      << "forming:* -@all +ping +select +client|setname +info +fcall +function|list +function|load +xadd "
         "+xrevrange +xrange +xinfo|stream +xlen +hset +hdel +hkeys +hgetall +hmget +exists +pexpire +multi "
         "+exec +publish +psubscribe"
      << (cluster ? " +cluster|slots +asking" : "") << "\n"
      << "# A subscriber: it reads and listens, and can't write.\n"
      << "ACL SETUSER bot on >CHANGE-ME resetkeys %R~" << keys << "* resetchannels &" << keys << "signal:* &"
      << keys
      << "forming:* -@all +ping +select +client|setname +hget +hgetall +hmget +hkeys +exists +xread +xrange "
         "+xrevrange +xlen +xinfo|stream +subscribe +unsubscribe +psubscribe +punsubscribe"
      << (cluster ? " +cluster|slots +info +command" : "")  // clients of a cluster begin with these
      << "\n"
      << "# To follow many series in one consumer group also: %W~" << keys
      << "{*}:all +xgroup|create +xreadgroup +xack\n";
}

int redis_setup(const RedisTarget& target) {
  const auto access = redis_access(target);
  if (!access) return kBadUsage;
  if (!Setup(access->login).run()) return kFailed;
  print_users(access->config.prefix, access->login.url.kind == state::RedisKind::cluster);
  return kDone;
}

}  // namespace

void add_redis_setup_command(CLI::App& app, int& status) {
  auto* command =
      app.add_subcommand("redis-setup", "Loads the function into Redis and prints the narrowest users");
  auto target = std::make_shared<RedisTarget>();
  add_redis_options(*command, *target);
  command->callback([target, &status] { status = redis_setup(*target); });
}

}  // namespace atcd::daemon
