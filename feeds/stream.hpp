#pragma once

// Brings Beast: for .cpp files only.

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/role.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/container/static_vector.hpp>
#include <cstddef>
#include <memory>
#include <utility>

namespace atcd::feeds {

/// What is to be called when an operation has ended: any handler, movable only, called at most once.
template <class... Arguments>
class Completion {
 public:
  template <class Handler>
  explicit Completion(Handler handler) : call_(std::make_unique<Holder<Handler>>(std::move(handler))) {}

  void operator()(Arguments... arguments) {
    const auto call = std::move(call_);
    call->invoke(arguments...);
  }

 private:
  struct Call {
    virtual ~Call() = default;
    virtual void invoke(Arguments... arguments) = 0;
  };
  template <class Handler>
  struct Holder final : Call {
    explicit Holder(Handler given) : handler(std::move(given)) {}
    void invoke(Arguments... arguments) override { std::move(handler)(arguments...); }
    Handler handler;
  };

  std::unique_ptr<Call> call_;
};

/// A TCP connection, with TLS over it or without, as one type and with one type of handler: what Beast and
/// OpenSSL's wrapper are made of is compiled once, in stream.cpp, not for every operation over it. An
/// AsyncStream in Beast's sense. Movable while nothing is under way.
class Stream {
 public:
  using Tcp = boost::asio::ip::tcp;
  using executor_type = boost::asio::io_context::executor_type;
  using Plain = boost::beast::basic_stream<Tcp, executor_type>;
  using Secure = boost::asio::ssl::stream<Plain&>;
  using next_layer_type = Plain;
  using Transferred = Completion<boost::system::error_code, std::size_t>;
  using Ended = Completion<boost::system::error_code>;

  /// `tls`: null for a plain connection; else it must outlive the stream.
  Stream(boost::asio::io_context& io, boost::asio::ssl::context* tls);
  /// The same over an accepted connection.
  Stream(boost::asio::io_context& io, boost::asio::ssl::context* tls, Tcp::socket accepted);
  Stream(Stream&&) = default;
  Stream& operator=(Stream&&) = delete;
  ~Stream() = default;

  executor_type get_executor() { return plain_->get_executor(); }
  Plain& next_layer() { return *plain_; }
  const Plain& next_layer() const { return *plain_; }
  /// Null where the connection is plain.
  Secure* secure() { return secure_.get(); }

  /// Drops the connection; what is under way ends with an error.
  void drop();
  void async_handshake(boost::asio::ssl::stream_base::handshake_type as, Ended done);

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    read(gather<boost::asio::mutable_buffer>(buffers), Transferred(std::forward<Handler>(handler)));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    write(gather<boost::asio::const_buffer>(buffers), Transferred(std::forward<Handler>(handler)));
  }
  /// What a websocket does once it was closed: the end of TLS, or that of TCP.
  void async_end(boost::beast::role_type role, Ended done);

 private:
  /// As many as go into one system call here; who has more comes again, as after every "some".
  static constexpr std::size_t kMostBuffers = 8;
  template <class Buffer>
  using Gathered = boost::container::static_vector<Buffer, kMostBuffers>;

  template <class Buffer, class Buffers>
  static Gathered<Buffer> gather(const Buffers& buffers) {
    Gathered<Buffer> gathered;
    const auto end = boost::asio::buffer_sequence_end(buffers);
    for (auto each = boost::asio::buffer_sequence_begin(buffers); each != end; ++each) {
      const Buffer buffer(*each);
      if (buffer.size() > 0) gathered.push_back(buffer);
      if (gathered.size() == kMostBuffers) break;
    }
    return gathered;
  }
  void read(const Gathered<boost::asio::mutable_buffer>& buffers, Transferred done);
  void write(const Gathered<boost::asio::const_buffer>& buffers, Transferred done);

  std::unique_ptr<Plain> plain_;
  std::unique_ptr<Secure> secure_;  // refers to *plain_
};

/// Found by Beast.
template <class Handler>
void async_teardown(boost::beast::role_type role, Stream& stream, Handler&& handler) {
  stream.async_end(role, Stream::Ended(std::forward<Handler>(handler)));
}

}  // namespace atcd::feeds
