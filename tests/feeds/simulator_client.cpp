#include "tests/feeds/simulator_client.hpp"

namespace atcd::feeds::simulator::testing {

template class HttpClient<beast::tcp_stream>;
template class HttpClient<TlsClientStream>;
template class WebsocketClient<beast::tcp_stream>;
template class WebsocketClient<TlsClientStream>;

http::response<http::string_body> get(std::uint16_t port, const std::string& target) {
  HttpClient<> client(port);
  return client.ask(http::verb::get, target);
}

http::response<http::string_body> post(std::uint16_t port, const std::string& target) {
  HttpClient<> client(port);
  return client.ask(http::verb::post, target);
}

}  // namespace atcd::feeds::simulator::testing
