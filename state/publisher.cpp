#include "state/publisher.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <map>
#include <optional>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "state/notices.hpp"
#include "state/publish_function.hpp"
#include "state/redis_nodes.hpp"
#include "state/series_sender.hpp"
#include "state/server_news.hpp"

namespace atcd::state {
namespace {

constexpr std::chrono::milliseconds kFunctionRetry{2000};
constexpr std::chrono::milliseconds kDrainLook{5};

ConnectionOptions connection_options(const RedisOptions& options, PublishCounters& counters) {
  ConnectionOptions connection;
  connection.tls = options.tls;
  connection.client_name = "atcd-" + engine::percent_encode(options.instance);
  connection.command_timeout = options.command_timeout;
  connection.command_times = &counters.command;
  return connection;
}

}  // namespace

/// Wires the parts: the servers, on each the function and the sender of its series, and the notices.
class Publisher::Impl final : public NodesHandler {
 public:
  Impl(boost::asio::io_context& io, RedisOptions options, SignalHistory& history, PublishHandler& handler)
      : io_(io),
        options_(std::move(options)),
        history_(history),
        handler_(handler),
        nodes_(io, options_.url, connection_options(options_, counters_), *this),
        notices_(nodes_, options_, counters_, handler, [this] { read_all_heads(); }),
        drain_timer_(io),
        self_(std::make_shared<Impl*>(this)) {
    if (options_.keep < 1) {
      throw std::invalid_argument("redis.keep = " + std::to_string(options_.keep) + " must be at least 1");
    }
  }

  ~Impl() { *self_ = nullptr; }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void start() { nodes_.start(); }
  void drain(std::chrono::milliseconds timeout, std::function<void(std::size_t)> done) {
    drained_ = std::move(done);
    drain_until_ = std::chrono::steady_clock::now() + timeout;
    notices_.send_all_events();
    look_at_drain();
  }

  void add(SeriesIndex series, PublishedSeries info, bool ready) {
    if (const auto home = homes_.find(series); home != homes_.end()) home->second->sender.remove(series);
    Link& link = link_of(nodes_.owner(key_slot("{" + info.id.group() + "}")));
    homes_[series] = &link;
    link.sender.add(series, std::move(info), ready);
  }

  void remove(SeriesIndex series) {
    if (const auto home = homes_.extract(series)) home.mapped()->sender.remove(series);
  }

  /// Who sends this series; null for one that was never added.
  SeriesSender* sender(SeriesIndex series) {
    const auto home = homes_.find(series);
    return home == homes_.end() ? nullptr : &home->second->sender;
  }

  Notices& notices() { return notices_; }
  void look_after() {
    for (const auto& [node, link] : links_)
      if (node->connection().ready()) link->news.kept();
    notices_.look_after();
  }
  std::size_t waiting_events() const { return notices_.waiting_events(); }
  const PublishCounters& counters() const { return counters_; }

  bool connected() const {
    bool any = false;
    for (const auto& [node, link] : links_) {
      const bool ready = node->connection().ready();
      if (!ready && !link->sender.empty()) return false;
      any = any || ready;
    }
    return any;
  }

  std::size_t unpublished() const {
    std::size_t count = 0;
    for (const auto& [node, link] : links_) count += link->sender.unpublished();
    return count;
  }
  std::optional<std::int64_t> oldest_unpublished_us() const {
    std::optional<std::int64_t> oldest;
    for (const auto& [node, link] : links_) {
      const auto here = link->sender.oldest_unpublished_us();
      if (here && (!oldest || *here < *oldest)) oldest = here;
    }
    return oldest;
  }
  bool settled() const {
    return std::all_of(links_.begin(), links_.end(),
                       [](const auto& entry) { return entry.second->sender.settled(); });
  }

 private:
  /// A server, and what is sent to it.
  struct Link {
    Link(RedisNode& where, boost::asio::io_context& io, SeriesSender::Parts parts, ServerNews told)
        : node(where), sender(std::move(parts)), function_timer(io), news(std::move(told)) {}

    RedisNode& node;
    SeriesSender sender;
    boost::asio::steady_timer function_timer;
    ServerNews news;
  };

  Link& link_of(RedisNode& node) {
    auto& link = links_[&node];
    if (!link) {
      link = std::make_unique<Link>(
          node, io_,
          SeriesSender::Parts{
              io_, options_, nodes_, node.connection(), history_, handler_, counters_, notices_,
              [this, &node] { prepare_function(link_of(node)); },
              [this, &node](SeriesIndex series, std::uint32_t generation, std::string_view error) {
                redirect_later(node, series, generation, error);
              }},
          ServerNews(handler_, nodes_.cluster() ? "node=" + node.name() : ""));
    }
    return *link;
  }

  void read_all_heads() {
    for (const auto& [node, link] : links_) link->sender.read_all_heads();
  }

  // ---- servers come and go

  void on_node_ready(RedisNode& node) override {
    Link& link = link_of(node);
    ++counters_.connects;
    link.news.connected();
    notices_.on_ready(node);
    prepare_function(link);
  }

  void on_node_lost(RedisNode& node, std::string_view reason) override {
    Link& link = link_of(node);
    ++counters_.disconnects;
    if (reason.starts_with("timeout")) ++counters_.timeouts;
    link.function_timer.cancel();
    link.sender.on_lost();
    link.news.lost(reason);
    send_guests_home(link);
  }

  void on_node_unreachable(RedisNode& node, std::string_view reason) override {
    Link& link = link_of(node);
    link.news.unreachable(reason);
    send_guests_home(link);
  }

  /// Those that asked here are to try at home again.
  void send_guests_home(Link& link) {
    settle([&](const SeriesCursor& cursor) { return &link_of(nodes_.owner(cursor.slot)) == &link; }, link);
  }

  void on_node_refused(RedisNode& node, std::string_view error) override {
    ++counters_.errors;
    link_of(node).news.not_let_in(error);
  }

  bool on_node_idle(RedisNode& node) override {
    if (!link_of(node).sender.empty()) return false;  // guests: it is importing their slot
    return links_.erase(&node) == 1;
  }

  void on_layout() override {
    std::size_t moved = 0;
    std::vector<Link*> links;
    for (const auto& [node, link] : links_) links.push_back(link.get());
    for (Link* link : links) {
      moved += settle(
          [&](const SeriesCursor& cursor) {
            // One that asks is a guest; where it has become the owner's it comes home.
            return cursor.asking != (&nodes_.owner(cursor.slot) == &link->node);
          },
          *link);
    }
    if (moved != 0) handler_.on_publish_event(PublishEvent::moved, "", "series=" + std::to_string(moved));
  }

  /// Series of this server that are not at home there go to the one that serves their slot.
  std::size_t settle(const std::function<bool(const SeriesCursor&)>& at_home, Link& link) {
    const auto strays = link.sender.strays(at_home);
    for (const auto& [series, generation] : strays) {
      auto cursor = link.sender.release(series, generation);
      Link& home = link_of(nodes_.owner(cursor->slot));
      homes_[series] = &home;
      home.sender.adopt(series, std::move(cursor), false);
    }
    return strays.size();
  }

  // ---- redirections

  /// Behind the present call: it is inside the connection's.
  void redirect_later(RedisNode& node, SeriesIndex series, std::uint32_t generation, std::string_view error) {
    ++redirections_;
    boost::asio::post(io_,
                      [self = self_, name = node.name(), series, generation, error = std::string(error)] {
                        if (*self != nullptr) (*self)->redirect(name, series, generation, error);
                      });
  }

  void redirect(const std::string& from, SeriesIndex series, std::uint32_t generation,
                const std::string& error) {
    --redirections_;
    const auto home = homes_.find(series);
    if (home == homes_.end() || home->second->node.name() != from) return;
    Link& link = *home->second;
    RedisNode* target = nodes_.redirect(link.node, error);
    if (target == nullptr) {
      // A replica, or a cluster that was taken for a single server: another attempt may find the right one.
      link.news.refused(error + (error.starts_with("READONLY")
                                     ? " (this server is a replica)"
                                     : " (this server belongs to a cluster: redis-cluster:// is its URL)"));
      if (link.node.connection().ready()) leave(link, error);
      return;
    }
    auto cursor = link.sender.release(series, generation);
    if (cursor == nullptr) return;
    const bool asking = error.starts_with("ASK ");
    Link& there = link_of(*target);
    home->second = &there;
    there.sender.adopt(series, std::move(cursor), asking);
    if (!asking) on_layout();  // the others of its slot
  }

  // ---- the function

  void prepare_function(Link& link) {
    ensure_publish_function(
        link.node.connection(), [this, &link](FunctionState state, std::string_view error) {
          const std::string name(kPublishFunction);
          switch (state) {
            case FunctionState::ready:
            case FunctionState::loaded:
              return link.sender.on_ready();
            case FunctionState::lost:
              if (!link.node.connection().ready()) return;
              return prepare_later(link);  // its output is full
            case FunctionState::missing:
              link.news.refused(
                  "the function " + name +
                  " is missing and this user may not load it (atcd redis-setup does): " + std::string(error));
              break;
            case FunctionState::failed:
              link.news.refused("the function " + name + " could not be loaded: " + std::string(error));
              break;
          }
          ++counters_.errors;
          const bool replica = error_kind(error) == ErrorKind::reroute;
          replica ? leave(link, error) : prepare_later(link);
        });
  }

  void prepare_later(Link& link) {
    link.function_timer.expires_after(kFunctionRetry);
    link.function_timer.async_wait(
        [self = self_, node = &link.node](const boost::system::error_code& failed) {
          if (failed || *self == nullptr) return;
          const auto found = (*self)->links_.find(node);
          if (found != (*self)->links_.end() && node->connection().ready())
            (*self)->prepare_function(*found->second);
        });
  }

  void leave(Link& link, std::string_view error) {
    link.news.leave();
    link.node.connection().drop(error);
  }

  // ---- the end

  bool level() {
    if (redirections_ != 0 || !notices_.idle()) return false;
    for (const auto& [node, link] : links_) {
      if (!link->sender.idle() || node->connection().in_flight() != 0) return false;
    }
    return true;
  }

  void look_at_drain() {
    if (!level() && std::chrono::steady_clock::now() < drain_until_) {
      drain_timer_.expires_after(kDrainLook);
      drain_timer_.async_wait([self = self_](const boost::system::error_code& error) {
        if (!error && *self != nullptr) (*self)->look_at_drain();
      });
      return;
    }
    boost::asio::post(io_, [done = std::exchange(drained_, nullptr), left = unpublished()] { done(left); });
  }

  boost::asio::io_context& io_;
  RedisOptions options_;
  SignalHistory& history_;
  PublishHandler& handler_;
  PublishCounters counters_;
  RedisNodes nodes_;
  Notices notices_;
  std::map<RedisNode*, std::unique_ptr<Link>> links_;
  std::unordered_map<SeriesIndex, Link*> homes_;
  std::size_t redirections_ = 0;  // answered and not yet with the other server
  boost::asio::steady_timer drain_timer_;
  std::function<void(std::size_t)> drained_;
  std::chrono::steady_clock::time_point drain_until_;
  std::shared_ptr<Impl*> self_;  // what waits for a timer asks whether we are still there
};

Publisher::Publisher(boost::asio::io_context& io, RedisOptions options, SignalHistory& history,
                     PublishHandler& handler)
    : impl_(std::make_unique<Impl>(io, std::move(options), history, handler)) {}
Publisher::~Publisher() = default;

void Publisher::start() { impl_->start(); }
void Publisher::drain(std::chrono::milliseconds timeout, std::function<void(std::size_t)> done) {
  impl_->drain(timeout, std::move(done));
}
void Publisher::add(SeriesIndex series, PublishedSeries info, bool ready) {
  impl_->add(series, std::move(info), ready);
}
void Publisher::remove(SeriesIndex series) { impl_->remove(series); }
void Publisher::publish(SeriesIndex series, const SignalRecord& record) {
  if (SeriesSender* sender = impl_->sender(series)) sender->publish(series, record);
}
void Publisher::resume(SeriesIndex series) {
  if (SeriesSender* sender = impl_->sender(series)) sender->resume(series);
}
void Publisher::answered(SeriesIndex series) {
  if (SeriesSender* sender = impl_->sender(series)) sender->answered(series);
}
void Publisher::correct(SeriesIndex series, std::int64_t close_ms) {
  if (SeriesSender* sender = impl_->sender(series)) sender->correct(series, close_ms);
}
void Publisher::publish_forming(SeriesIndex series, const SignalRecord& record) {
  if (SeriesSender* sender = impl_->sender(series)) sender->publish_forming(series, record);
}
void Publisher::set_config(const std::string& hash, const std::string& json) {
  impl_->notices().set_config(hash, json);
}
void Publisher::set_state(const std::string& series_name, std::string_view state, std::int64_t since_ms,
                          std::string_view reason) {
  impl_->notices().set_state(series_name, state, since_ms, reason);
}
void Publisher::event(std::string_view event, std::int64_t at_ms, std::string_view series,
                      std::string_view detail) {
  impl_->notices().event(event, at_ms, series, detail);
}
void Publisher::heartbeat(const std::vector<std::pair<std::string, std::string>>& fields) {
  impl_->notices().heartbeat(fields);
}
void Publisher::look_after() { impl_->look_after(); }
void Publisher::describe(const std::string& series_name, const std::string& catalogue_json) {
  impl_->notices().describe(series_name, catalogue_json);
}
bool Publisher::settled() const { return impl_->settled(); }
bool Publisher::connected() const { return impl_->connected(); }
const PublishCounters& Publisher::counters() const { return impl_->counters(); }
bool Publisher::stopped(SeriesIndex series) const {
  const SeriesSender* sender = impl_->sender(series);
  return sender != nullptr && sender->stopped(series);
}
std::size_t Publisher::unpublished() const { return impl_->unpublished(); }
std::size_t Publisher::unpublished(SeriesIndex series) const {
  const SeriesSender* sender = impl_->sender(series);
  return sender == nullptr ? 0 : sender->unpublished(series);
}
std::optional<std::int64_t> Publisher::oldest_unpublished_us() const {
  return impl_->oldest_unpublished_us();
}
std::size_t Publisher::waiting_events() const { return impl_->waiting_events(); }

}  // namespace atcd::state
