#include "feeds/stream.hpp"

#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>

namespace atcd::feeds {

Stream::Stream(boost::asio::io_context& io, boost::asio::ssl::context* tls)
    : plain_(std::make_unique<Plain>(io.get_executor())),
      secure_(tls == nullptr ? nullptr : std::make_unique<Secure>(*plain_, *tls)) {}

Stream::Stream(boost::asio::io_context& io, boost::asio::ssl::context* tls, Tcp::socket accepted)
    : Stream(io, tls) {
  // A peer that is gone already shows when the connection is used.
  boost::system::error_code ignored;
  const Tcp protocol = accepted.local_endpoint(ignored).protocol();
  plain_->socket().assign(protocol, accepted.release(ignored), ignored);
}

void Stream::drop() {
  boost::system::error_code ignored;
  plain_->socket().close(ignored);
}

void Stream::async_handshake(boost::asio::ssl::stream_base::handshake_type as, Ended done) {
  secure_->async_handshake(as, std::move(done));
}

void Stream::read(const Gathered<boost::asio::mutable_buffer>& buffers, Transferred done) {
  secure_ ? secure_->async_read_some(buffers, std::move(done))
          : plain_->async_read_some(buffers, std::move(done));
}

void Stream::write(const Gathered<boost::asio::const_buffer>& buffers, Transferred done) {
  secure_ ? secure_->async_write_some(buffers, std::move(done))
          : plain_->async_write_some(buffers, std::move(done));
}

void Stream::async_end(boost::beast::role_type role, Ended done) {
  using boost::beast::websocket::async_teardown;
  if (secure_) {
    async_teardown(role, *secure_, std::move(done));
  } else {
    async_teardown(role, *plain_, std::move(done));
  }
}

}  // namespace atcd::feeds
