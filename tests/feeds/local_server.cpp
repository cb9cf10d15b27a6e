#include "tests/feeds/local_server.hpp"

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include "feeds/stream.hpp"

namespace atcd::feeds::testing {

class LocalServer::Session final : public Peer, public std::enable_shared_from_this<Session> {
 public:
  Session(LocalServer& server, Stream stream) : server_(server), socket_(std::move(stream)) {}

  void start() {
    if (socket_.next_layer().secure() == nullptr) return read_request();
    socket_.next_layer().async_handshake(asio::ssl::stream_base::server,
                                         Stream::Ended([self = shared_from_this()](const error_code& error) {
                                           if (!error) self->read_request();
                                         }));
  }

  void send(std::string text) override {
    if (!open_) return;
    writes_.push_back(std::move(text));
    if (writes_.size() == 1) write();
  }
  void cut() override {
    open_ = false;
    socket_.next_layer().drop();
  }
  void close(std::uint16_t code, const std::string& reason) override {
    open_ = false;
    socket_.async_close({static_cast<beast::websocket::close_code>(code), reason},
                        [self = shared_from_this()](const error_code&) {});
  }
  bool open() const override { return open_; }

 private:
  void read_request() {
    request_ = {};
    http::async_read(socket_.next_layer(), buffer_, request_,
                     [self = shared_from_this()](const error_code& error, std::size_t) {
                       if (!error) self->answer();
                     });
  }

  void answer() {
    target = std::string(request_.target());
    if (!beast::websocket::is_upgrade(request_)) {
      if (auto response = server_.on_request(request_)) return respond(std::move(*response));
      server_.peers.push_back(shared_from_this());  // stays silent
      return;
    }
    if (!server_.answer_handshakes) {
      server_.peers.push_back(shared_from_this());  // stays silent
      return;
    }
    if (server_.decline) return respond(*server_.decline);
    socket_.async_accept(request_, [self = shared_from_this()](const error_code& error) {
      if (error) return;
      self->open_ = true;
      self->server_.peers.push_back(self);
      self->server_.on_open(*self);
      self->read();
    });
  }

  void respond(Response response) {
    response_ = std::move(response);
    if (response_.has_content_length() == false) response_.prepare_payload();
    http::async_write(socket_.next_layer(), response_,
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        if (error) return;
                        if (self->response_.keep_alive()) return self->read_request();
                        self->cut();
                      });
  }

  void read() {
    socket_.async_read(buffer_, [self = shared_from_this()](const error_code& error, std::size_t) {
      if (error) {
        self->open_ = false;
        return;
      }
      self->received.push_back(beast::buffers_to_string(self->buffer_.data()));
      self->buffer_.consume(self->buffer_.size());
      self->server_.on_text(*self, self->received.back());
      self->read();
    });
  }

  void write() {
    socket_.text(true);
    socket_.async_write(asio::buffer(writes_.front()),
                        [self = shared_from_this()](const error_code& error, std::size_t) {
                          if (error) return;
                          self->writes_.pop_front();
                          if (!self->writes_.empty() && self->open_) self->write();
                        });
  }

  LocalServer& server_;
  beast::websocket::stream<Stream> socket_;
  beast::flat_buffer buffer_;
  Request request_;
  Response response_;
  std::deque<std::string> writes_;
  bool open_ = false;
};

void LocalServer::begin(tcp::socket socket) {
  auto session = std::make_shared<Session>(*this, Stream(io_, tls_ ? &*tls_ : nullptr, std::move(socket)));
  accepted_peers_.push_back(session);
  session->start();
}

}  // namespace atcd::feeds::testing
