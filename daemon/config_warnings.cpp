#include "daemon/config_warnings.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>

#include "daemon/http_listen.hpp"
#include "engine/interval.hpp"
#include "engine/plan.hpp"
#include "feeds/url.hpp"
#include "state/redis_url.hpp"

namespace atcd::daemon {
namespace {

// Above it the weights of old and new returns differ by a tenth (design, section 3).
constexpr double kMostGrowth = 1.1;

std::string rounded(double value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.4g", value);
  return text.data();
}

bool is_loopback(std::string_view host) {
  return host.starts_with("127.") || host == "localhost" || host == "::1" || host == "[::1]";
}

/// One look at a configuration.
class Warnings {
 public:
  Warnings(const ConfigResult& read, std::int64_t now_ms) : read_(read), now_ms_(now_ms) {}

  std::vector<ConfigError> all() {
    look_at_processors();
    for (std::size_t i = 0; i < config_.profiles.size(); ++i) look_at_profile(i);
    for (std::size_t i = 0; i < config_.feeds.size(); ++i) look_at_feed(i);
    look_at_redis();
    look_at_http();
    std::stable_sort(found_.begin(), found_.end(),
                     [](const ConfigError& a, const ConfigError& b) { return a.line < b.line; });
    return std::move(found_);
  }

 private:
  void warn(const std::string& path, const std::string& message) {
    found_.push_back({read_.line_of(path), path, message});
  }

  void look_at_processors() {
    const auto processors = static_cast<std::int64_t>(std::thread::hardware_concurrency());
    if (processors == 0 || config_.threads <= processors) return;
    warn("threads", "is " + std::to_string(config_.threads) + ", but this machine has " +
                        std::to_string(processors) + " processors: they will wait for one another");
  }

  void look_at_profile(std::size_t index) {
    const ProfileConfig& profile = config_.profiles[index];
    const std::string key = "profile[" + std::to_string(index) + "]";
    const auto uses = [&](const FeedConfig& feed) {
      return std::find(feed.profiles.begin(), feed.profiles.end(), profile.name) != feed.profiles.end();
    };
    if (std::none_of(config_.feeds.begin(), config_.feeds.end(), uses)) {
      warn(key + ".name", "\"" + profile.name + "\" stands in the profiles of no feed");
    }
    if (!profile.anchor.fixed_anchor_ms) return look_at_growth(profile, key);
    std::optional<engine::Interval> shortest;
    for (const FeedConfig& feed : config_.feeds) {
      if (!uses(feed)) continue;
      for (const std::string& text : feed.intervals) {
        const auto interval = engine::Interval::parse(text);
        if (!shortest || interval->length_ms() < shortest->length_ms()) shortest = interval;
      }
    }
    if (shortest) look_at_fixed_anchor(profile, key, *shortest);
  }

  void look_at_growth(const ProfileConfig& profile, const std::string& key) {
    const engine::Parameters& parameters = profile.parameters;
    const std::int64_t bars = profile.anchor.history_bars + profile.anchor.anchor_period;
    const double growth = engine::Plan(parameters).growth(bars - 1);
    if (!(growth > kMostGrowth)) return;
    const auto most =
        static_cast<std::int64_t>(std::log(kMostGrowth) * 1000 / parameters.lambda) + parameters.cutout + 1;
    warn(key + ".anchor_period", "with history_bars + anchor_period = " + std::to_string(bars) +
                                     " and lambda = " + rounded(parameters.lambda) +
                                     " returns grow by a factor of " + rounded(growth) +
                                     " until the next bar 0; up to " + std::to_string(most) +
                                     " bars it stays within " + rounded(kMostGrowth));
  }

  void look_at_fixed_anchor(const ProfileConfig& profile, const std::string& key,
                            const engine::Interval& interval) {
    const std::int64_t bars =
        interval.ordinal(now_ms_) - interval.ordinal(*profile.anchor.fixed_anchor_ms) + 1;
    if (bars < 1) return warn(key + ".anchor", "lies in the future: no signal is published before");
    const double growth = engine::Plan(profile.parameters).growth(bars - 1);
    if (!(growth > kMostGrowth)) return;
    warn(key + ".anchor", "lies " + std::to_string(bars) + " bars of " + interval.text() +
                              " back: returns have grown by a factor of " + rounded(growth) +
                              " and go on growing; history_bars and anchor_period keep it within " +
                              rounded(kMostGrowth));
  }

  void look_at_feed(std::size_t index) {
    const FeedConfig& feed = config_.feeds[index];
    const std::string key = "feed[" + std::to_string(index) + "]";
    look_at_url(key + ".websocket_url", feed.websocket_url);
    look_at_url(key + ".rest_url", feed.rest_url);
    look_at_file(key + ".ca_file", feed.ca_file);
  }

  void look_at_url(const std::string& key, const std::string& text) {
    std::string ignored;
    const auto url = text.empty() ? std::nullopt : feeds::Url::parse(text, ignored);
    if (!url || url->secure() || is_loopback(url->host)) return;
    warn(key, "goes to " + url->host + " without TLS: on the way prices can be changed");
  }

  void look_at_redis() {
    const RedisConfig& redis = config_.redis;
    look_at_file("redis.ca_file", redis.ca_file);
    look_at_file("redis.cert_file", redis.cert_file);
    look_at_secret("redis.key_file", redis.key_file);
    look_at_secret("redis.password_file", redis.password_file);
    std::string ignored;
    const auto url = state::parse_redis_url(redis.url, ignored);
    if (!url) return;
    const state::RedisAddress& first = url->addresses.front();
    if (!first.tls && !(redis.ca_file + redis.cert_file + redis.key_file).empty()) {
      warn("redis.url", "is without TLS: ca_file, cert_file and key_file are not used");
    }
    const auto far = std::find_if(
        url->addresses.begin(), url->addresses.end(),
        [](const state::RedisAddress& each) { return each.path.empty() && !is_loopback(each.host); });
    if (far == url->addresses.end()) return;
    if (!first.tls) {
      warn("redis.url", "goes to " + far->text() + " without TLS: whoever is on the way reads and changes " +
                            "what is sent, a password too (rediss://)");
    }
    if (redis.password_file.empty() && std::getenv("CREDENTIALS_DIRECTORY") == nullptr) {
      warn("redis.url", "goes to " + far->text() + " without a password, unless the service manager gives " +
                            "the credential redis-password: whoever reaches it can write signals");
    }
  }

  void look_at_http() {
    const auto listen = parse_http_listen(config_.http_listen);
    if (!listen || !listen->endpoint || listen->endpoint->address().is_loopback()) return;
    warn("http.listen", "is \"" + config_.http_listen +
                            "\", beyond this machine: the pages change nothing, but whoever "
                            "reaches them reads them");
  }

  void look_at_file(const std::string& key, const std::string& path) {
    if (path.empty() || access(path.c_str(), R_OK) == 0) return;
    warn(key, "is \"" + path + "\", which can't be read by this user: " + std::strerror(errno));
  }

  void look_at_secret(const std::string& key, const std::string& path) {
    look_at_file(key, path);
    struct stat status {};
    if (path.empty() || stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return;
    if ((status.st_mode & (S_IROTH | S_IWOTH)) == 0) return;
    warn(key,
         "is \"" + path +
             "\", which every user of this machine can read or write: it should be the daemon's own user's "
             "alone; the packaged service, whose user comes and goes, takes it as a credential");
  }

  const ConfigResult& read_;
  const Config& config_ = read_.config;
  const std::int64_t now_ms_;
  std::vector<ConfigError> found_;
};

}  // namespace

std::vector<ConfigError> config_warnings(const ConfigResult& read, std::int64_t now_ms) {
  return Warnings(read, now_ms).all();
}

}  // namespace atcd::daemon
