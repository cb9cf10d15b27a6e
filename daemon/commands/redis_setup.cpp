#include <boost/asio/io_context.hpp>
#include <iostream>
#include <memory>
#include <string>

#include "daemon/commands/commands.hpp"
#include "daemon/commands/redis_target.hpp"
#include "state/publish_function.hpp"

namespace atcd::daemon {
namespace {

/// Loads the function once; tries to connect once.
class Setup final : public state::ConnectionHandler {
 public:
  explicit Setup(state::ConnectionOptions options) : connection_(io_, std::move(options), *this) {}

  /// True when the function is there.
  bool run() {
    connection_.start();
    io_.run();
    return done_;
  }

 private:
  void on_ready() override {
    state::ensure_publish_function(
        connection_, [this](state::FunctionState state, std::string_view error) { tell(state, error); });
  }
  void on_lost(std::string_view reason) override { fail("the connection was lost: ", reason); }
  void on_unreachable(std::string_view reason) override { fail("Redis can't be reached: ", reason); }
  void on_refused(std::string_view error) override { fail("Redis refused: ", error); }

  void tell(state::FunctionState state, std::string_view error) {
    using state::FunctionState;
    switch (state) {
      case FunctionState::ready:
        return succeed("was there already");
      case FunctionState::loaded:
        return succeed("is loaded");
      case FunctionState::missing:
        return fail("the rights to load the function are missing: ", error);
      case FunctionState::failed:
        return fail("the function could not be loaded (Redis 7 or newer is needed): ", error);
      case FunctionState::lost:
        return;  // on_lost follows
    }
  }

  void succeed(std::string_view what) {
    std::cout << "# the function " << state::kPublishFunction << ' ' << what << '\n';
    done_ = true;
    io_.stop();
  }

  void fail(std::string_view what, std::string_view reason) {
    std::cerr << "atcd: " << what << reason << '\n';
    io_.stop();
  }

  boost::asio::io_context io_{1};
  state::RedisConnection connection_;
  bool done_ = false;
};

/// Users with no right but the ones they need; for redis-cli or, without the first two words, an ACL file.
void print_users(const std::string& prefix) {
  const std::string keys = prefix + ":1:";
  std::cout
      << "# The daemon: it writes its keys through the function and publishes on its channels. Leave the "
         "two\n"
         "# +function rights out where only this command may load the function.\n"
      << "ACL SETUSER atcd on >CHANGE-ME resetkeys ~" << keys << "* resetchannels &" << keys << "signal:* &"
      << keys
      << "forming:* -@all +ping +select +client|setname +fcall +function|list +function|load +xadd "
         "+xrevrange +xinfo|stream +xlen +hset +hdel +hkeys +hgetall +exists +pexpire +multi +exec "
         "+publish\n"
      << "# A subscriber: it reads and listens, and can't write.\n"
      << "ACL SETUSER bot on >CHANGE-ME resetkeys %R~" << keys << "* resetchannels &" << keys << "signal:* &"
      << keys
      << "forming:* -@all +ping +select +client|setname +hget +hgetall +hmget +hkeys +exists +xread +xrange "
         "+xrevrange +xlen +xinfo|stream +subscribe +unsubscribe +psubscribe +punsubscribe\n"
      << "# To follow many series in one consumer group also: %W~" << keys
      << "{*}:all +xgroup|create +xreadgroup +xack\n";
}

int redis_setup(RedisTarget target) {
  auto options = connection_options(target);
  if (!options) return kBadUsage;
  options->client_name = "atcd-redis-setup";
  if (!Setup(std::move(*options)).run()) return kFailed;
  print_users(target.prefix);
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
