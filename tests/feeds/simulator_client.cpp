#include "tests/feeds/simulator_client.hpp"

#include <simdjson.h>

#include <array>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <functional>
#include <optional>
#include <stdexcept>

#include "feeds/stream.hpp"

namespace atcd::feeds::simulator::testing {
namespace {

using Done = std::function<void(ErrorCode)>;

/// Runs one asynchronous operation to its end; `start` is given what to call then.
ErrorCode wait_for(asio::io_context& io, const std::function<void(Done)>& start) {
  std::optional<ErrorCode> result;
  start([&](ErrorCode error) { result = error; });
  io.restart();
  const auto end = std::chrono::steady_clock::now() + tests::deadline();
  while (!result && std::chrono::steady_clock::now() < end) io.run_one_for(tests::deadline());
  if (!result) throw std::runtime_error("nothing came before the deadline");
  return *result;
}

/// Connects and, where there is TLS, shakes hands for the address.
ErrorCode connect(asio::io_context& io, Stream& stream, std::uint16_t port) {
  const asio::ip::tcp::endpoint endpoint(asio::ip::make_address("127.0.0.1"), port);
  const ErrorCode error =
      wait_for(io, [&](const Done& done) { stream.next_layer().async_connect(endpoint, done); });
  if (error || stream.secure() == nullptr) return error;
  stream.secure()->set_verify_callback(asio::ssl::host_name_verification("127.0.0.1"));
  return wait_for(io, [&](const Done& done) {
    stream.async_handshake(asio::ssl::stream_base::client, Stream::Ended(done));
  });
}

}  // namespace

struct HttpClient::Impl {
  explicit Impl(asio::ssl::context* tls) : stream(io, tls) {}
  asio::io_context io{1};
  Stream stream;
  beast::flat_buffer buffer;
};

HttpClient::HttpClient(std::uint16_t port, asio::ssl::context* tls) : impl_(std::make_unique<Impl>(tls)) {
  error = connect(impl_->io, impl_->stream, port);
}

HttpClient::~HttpClient() = default;

http::response<http::string_body> HttpClient::ask(http::verb verb, const std::string& target) {
  http::request<http::string_body> request(verb, target, 11);
  request.set(http::field::host, "127.0.0.1");
  request.prepare_payload();
  http::response<http::string_body> response;
  error = wait_for(impl_->io, [&](const Done& done) {
    http::async_write(impl_->stream, request, [done](ErrorCode each, std::size_t) { done(each); });
  });
  if (error) return response;
  error = wait_for(impl_->io, [&](const Done& done) {
    http::async_read(impl_->stream, impl_->buffer, response,
                     [done](ErrorCode each, std::size_t) { done(each); });
  });
  return response;
}

std::string HttpClient::raw(std::string_view bytes) {
  error = wait_for(impl_->io, [&](const Done& done) {
    asio::async_write(impl_->stream, asio::buffer(bytes),
                      [done](ErrorCode each, std::size_t) { done(each); });
  });
  std::string answer;
  while (!error) {
    std::array<char, 4096> part{};
    std::size_t size = 0;
    error = wait_for(impl_->io, [&](const Done& done) {
      impl_->stream.async_read_some(asio::buffer(part), [done, &size](ErrorCode each, std::size_t read) {
        size = read;
        done(each);
      });
    });
    answer.append(part.data(), size);
  }
  return answer;
}

http::response<http::string_body> get(std::uint16_t port, const std::string& target) {
  HttpClient client(port);
  return client.ask(http::verb::get, target);
}

http::response<http::string_body> post(std::uint16_t port, const std::string& target) {
  HttpClient client(port);
  return client.ask(http::verb::post, target);
}

std::int64_t status(std::uint16_t port, const std::string& name) {
  const simdjson::padded_string body(get(port, "/sim/status").body());
  simdjson::dom::parser parser;
  std::int64_t value = -1;
  const auto error = parser.parse(body).at_pointer("/" + name).get(value);
  return error == simdjson::SUCCESS ? value : -1;
}

struct WebsocketClient::Impl {
  explicit Impl(asio::ssl::context* tls) : socket(io, tls) {}
  asio::io_context io{1};
  websocket::stream<Stream> socket;
  beast::flat_buffer buffer;
};

WebsocketClient::WebsocketClient(std::uint16_t port, const std::string& target, asio::ssl::context* tls)
    : impl_(std::make_unique<Impl>(tls)) {
  error = connect(impl_->io, impl_->socket.next_layer(), port);
  impl_->socket.read_message_max(1U << 20);
  if (error) return;
  error = wait_for(impl_->io,
                   [&](const Done& done) { impl_->socket.async_handshake("127.0.0.1", target, done); });
}

WebsocketClient::~WebsocketClient() = default;

bool WebsocketClient::send(const std::string& text) {
  error = wait_for(impl_->io, [&](const Done& done) {
    impl_->socket.async_write(asio::buffer(text), [done](ErrorCode each, std::size_t) { done(each); });
  });
  return !error;
}

std::string WebsocketClient::read() {
  impl_->buffer.clear();
  error = wait_for(impl_->io, [&](const Done& done) {
    impl_->socket.async_read(impl_->buffer, [done](ErrorCode each, std::size_t) { done(each); });
  });
  return error ? "" : beast::buffers_to_string(impl_->buffer.data());
}

std::string WebsocketClient::read_but_forming() {
  std::string text = read();
  while (text.find("\"x\":false") != std::string::npos) text = read();
  return text;
}

std::string WebsocketClient::subscribe(const std::vector<std::string>& streams, const std::string& method) {
  std::string text = "{\"method\":\"" + method + "\",\"params\":[";
  for (const std::string& stream : streams) text += (text.back() == '[' ? "\"" : ",\"") + stream + "\"";
  if (!send(text + "],\"id\":7}")) return "";
  std::string answer = read();
  while (!error && answer.find("\"id\":7") == std::string::npos) answer = read();
  return answer;
}

websocket::close_reason WebsocketClient::reason() const { return impl_->socket.reason(); }

}  // namespace atcd::feeds::simulator::testing
