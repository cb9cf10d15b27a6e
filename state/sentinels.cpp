#include "state/sentinels.hpp"

#include <chrono>
#include <utility>

#include "state/redis_places.hpp"

namespace atcd::state {
namespace {

// A Sentinel that does not answer soon is passed over: another one knows as well.
constexpr std::chrono::milliseconds kPatience{1000};

}  // namespace

Sentinels::Sentinels(boost::asio::io_context& io, const RedisUrl& url, const ConnectionOptions& options)
    : io_(io), addresses_(url.addresses), master_(url.master), options_(options) {
  options_.command_timeout = kPatience;
  options_.locate = nullptr;
  for (RedisAddress& address : addresses_) {
    address.username.clear();
    address.password.clear();
    address.database = 0;
  }
}

void Sentinels::find_master(Found found) {
  found_ = std::move(found);
  asked_ = 0;
  errors_.clear();
  ask();
}

void Sentinels::ask() {
  if (connection_ && connection_->ready()) return on_ready();
  options_.address = addresses_[current_];
  connection_ = std::make_unique<RedisConnection>(io_, options_, static_cast<ConnectionHandler&>(*this));
  connection_->start();
}

void Sentinels::on_ready() {
  if (!found_) return;
  connection_->send({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master_}, [this](const Reply* reply) {
    if (reply != nullptr) answer(*reply);
  });
}

void Sentinels::answer(const Reply& reply) {
  const std::string text = options_.address.text();
  if (reply.is_error()) return next("the Sentinel " + text + " answered: " + std::string(reply.text));
  if (reply.elements.size() != 2)
    return next("the Sentinel " + text + " knows no master named \"" + master_ + "\"");
  const auto master = master_of(reply, options_.address);
  if (!master) return next("the Sentinel " + text + " answered with an address that is none");
  finish(&*master, "");
}

void Sentinels::on_refused(std::string_view error) {
  errors_ += "the Sentinel " + options_.address.text() + " refuses: " + std::string(error) + "; ";
}

void Sentinels::next(const std::string& error) {
  if (!found_) return;  // nobody asks at present; the connection comes again by itself
  connection_.reset();
  errors_ += error;
  current_ = (current_ + 1) % addresses_.size();
  if (++asked_ == addresses_.size()) return finish(nullptr, "no master: " + errors_);
  errors_ += "; ";
  ask();
}

void Sentinels::finish(const RedisAddress* master, const std::string& error) {
  if (const Found found = std::exchange(found_, nullptr)) found(master, error);
}

}  // namespace atcd::state
