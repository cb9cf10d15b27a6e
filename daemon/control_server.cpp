#include "daemon/control_server.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <cstring>
#include <set>
#include <utility>

#include "daemon/control_request.hpp"

namespace atcd::daemon {
namespace {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::chrono::seconds kLastAnswers{1};
constexpr std::chrono::milliseconds kAcceptPause{200};  // where no descriptor is left
constexpr std::size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

/// Who is at the other end.
bool is_ours(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == geteuid();
}

}  // namespace

class ControlServer::Impl {
 public:
  Impl(asio::io_context& io, Handler handler, const ControlLimits& limits)
      : io_(io), handler_(std::move(handler)), limits_(limits), acceptor_(io), timer_(io) {}

  ~Impl() {
    for (const auto& session : sessions_) session->forget_server();
    close();
  }

  std::string listen(const std::string& directory, const std::string& instance) {
    std::string path = directory + "/" + instance + ".sock";
    if (path.size() > kLongestPath) {
      return "the path of the control socket has " + std::to_string(path.size()) + " bytes, at most " +
             std::to_string(kLongestPath) + " are possible: " + path;
    }
    if (std::string error = lock(directory + "/" + instance + ".lock"); !error.empty()) return error;
    // Whoever has the lock owns the socket: what lies there was left behind.
    unlink(path.c_str());
    error_code error;
    acceptor_.open(Protocol(), error);
    // Between bind and chmod nobody else may enter: the directory is closed to others.
    if (!error) acceptor_.bind(Protocol::endpoint(path), error);
    if (!error && chmod(path.c_str(), 0600) != 0) error = {errno, boost::system::system_category()};
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      close();
      return path + ": " + error.message();
    }
    path_ = std::move(path);
    accept();
    return {};
  }

  const std::string& path() const { return path_; }

  void stop(std::function<void()> done) {
    close();
    stopped_ = std::move(done);
    for (const auto& session : std::set(sessions_)) session->close_when_written();
    if (sessions_.empty()) return all_written();
    timer_.expires_after(kLastAnswers);
    timer_.async_wait([this](const error_code& error) {
      if (!error) all_written();
    });
  }

 private:
  /// One connection: reads a line, waits for its answer, writes it, and so on.
  class Session : public std::enable_shared_from_this<Session> {
   public:
    Session(Impl& server, Protocol::socket socket)
        : server_(&server), socket_(std::move(socket)), timer_(server.io_) {}

    void read() {
      idle_from_now();
      asio::async_read_until(socket_, asio::dynamic_buffer(received_, server_->limits_.line_bytes), '\n',
                             [self = shared_from_this()](const error_code& error, std::size_t length) {
                               if (self->server_ == nullptr) return;
                               self->on_read(error, length);
                             });
    }

    /// The last line of a connection that is refused.
    void refuse(std::string_view sentence) {
      closing_ = true;
      write(control_error_json(sentence));
    }

    void close_when_written() {
      if (!writing_) return end();
      closing_ = true;
    }

    void forget_server() {
      server_ = nullptr;
      timer_.cancel();
      error_code ignored;
      socket_.close(ignored);
    }

   private:
    void on_read(const error_code& error, std::size_t length) {
      if (error == asio::error::not_found) {  // the buffer is full and holds no end of a line
        return refuse("the line is longer than " + std::to_string(server_->limits_.line_bytes) + " bytes");
      }
      if (error) return end();
      timer_.cancel();  // an answer may take its time
      const std::string line = received_.substr(0, length - 1);
      received_.erase(0, length);
      waiting_ = true;
      server_->handler_(line, [weak = weak_from_this()](std::string json) {
        const auto self = weak.lock();
        if (!self || self->server_ == nullptr || !std::exchange(self->waiting_, false)) return;
        self->write(std::move(json));
      });
    }

    void write(std::string json) {
      writing_ = true;
      sent_ = std::move(json) + "\n";
      idle_from_now();
      asio::async_write(socket_, asio::buffer(sent_),
                        [self = shared_from_this()](const error_code& error, std::size_t) {
                          if (self->server_ == nullptr) return;
                          self->writing_ = false;
                          if (error || self->closing_) return self->end();
                          self->read();
                        });
    }

    void idle_from_now() {
      timer_.expires_after(server_->limits_.idle);
      timer_.async_wait([weak = weak_from_this()](const error_code& error) {
        const auto self = weak.lock();
        if (!error && self && self->server_ != nullptr) self->end();
      });
    }

    void end() {
      Impl* server = server_;
      forget_server();
      server->gone(shared_from_this());
    }

    Impl* server_;  // null: the connection is over
    Protocol::socket socket_;
    asio::steady_timer timer_;
    std::string received_, sent_;
    bool waiting_ = false;  // for an answer
    bool writing_ = false;
    bool closing_ = false;
  };

  /// Held until the process ends, however it does.
  std::string lock(const std::string& path) {
    lock_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lock_ < 0) return path + " can't be opened: " + std::strerror(errno);
    if (flock(lock_, LOCK_EX | LOCK_NB) == 0) return {};
    const int reason = errno;
    ::close(std::exchange(lock_, -1));
    if (reason != EWOULDBLOCK) return path + " can't be locked: " + std::strerror(reason);
    return "another daemon has the control socket already (" + path +
           " is locked): each needs another instance name";
  }

  void accept() {
    acceptor_.async_accept([this](const error_code& error, Protocol::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor_.is_open()) return;
      if (error) return accept_later();
      begin(std::move(socket));
      accept();
    });
  }

  void accept_later() {
    timer_.expires_after(kAcceptPause);
    timer_.async_wait([this](const error_code& error) {
      if (!error && acceptor_.is_open()) accept();
    });
  }

  void begin(Protocol::socket socket) {
    const bool ours = is_ours(socket.native_handle());
    const auto session = std::make_shared<Session>(*this, std::move(socket));
    sessions_.insert(session);
    if (!ours) return session->refuse("only the daemon's own user and root may control it");
    if (sessions_.size() > limits_.connections) {
      return session->refuse("there are " + std::to_string(limits_.connections) +
                             " connections already: no more are taken");
    }
    session->read();
  }

  void gone(const std::shared_ptr<Session>& session) {
    sessions_.erase(session);
    if (stopped_ && sessions_.empty()) all_written();
  }

  void all_written() {
    timer_.cancel();
    if (stopped_) asio::post(io_, std::exchange(stopped_, nullptr));
  }

  void close() {
    error_code ignored;
    if (!stopped_) timer_.cancel();
    acceptor_.close(ignored);
    if (!path_.empty()) unlink(path_.c_str());
    path_.clear();
    if (lock_ >= 0) ::close(std::exchange(lock_, -1));
  }

  asio::io_context& io_;
  Handler handler_;
  ControlLimits limits_;
  Protocol::acceptor acceptor_;
  asio::steady_timer timer_;  // until accepting goes on, or at the end until no answer is waited for
  std::set<std::shared_ptr<Session>> sessions_;
  std::function<void()> stopped_;
  std::string path_;
  int lock_ = -1;
};

ControlServer::ControlServer(boost::asio::io_context& io, Handler handler, const ControlLimits& limits)
    : impl_(std::make_unique<Impl>(io, std::move(handler), limits)) {}
ControlServer::~ControlServer() = default;
std::string ControlServer::listen(const std::string& directory, const std::string& instance) {
  return impl_->listen(directory, instance);
}
const std::string& ControlServer::path() const { return impl_->path(); }
void ControlServer::stop(std::function<void()> done) { impl_->stop(std::move(done)); }

}  // namespace atcd::daemon
