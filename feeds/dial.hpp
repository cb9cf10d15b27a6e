#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "feeds/first_address.hpp"
#include "feeds/stream.hpp"
#include "feeds/url.hpp"

namespace atcd::feeds {

/// The addresses with one of IPv6 and one of IPv4 in turn, each kind in its order, that of the first one
/// first: where a network drops what is sent by one of the two, the second address is of the other.
std::vector<Stream::Tcp::endpoint> alternating(std::vector<Stream::Tcp::endpoint> addresses);

/// Resolves, connects (one address after the other) and secures a stream: its certificate must be good for
/// the host's name. Lives until `done` was called, with an empty text or with the reason; whoever owns the
/// stream is kept alive by what `done` holds and bounds the whole by a timer that drops the socket.
class Dial : public std::enable_shared_from_this<Dial> {
 public:
  using Done = std::function<void(std::string error)>;

  Dial(Stream& stream, const Url& url, std::shared_ptr<FirstAddress> first_address, Done done);
  void start();
  void cancel();

 private:
  void finish(const std::string& what, const boost::system::error_code& error);
  void connect(std::size_t index);
  void connected();
  void secure(Stream::Secure& tls);

  Stream& stream_;
  Url url_;
  std::shared_ptr<FirstAddress> first_address_;
  std::size_t first_;  // as it was when this began
  Done done_;
  Stream::Tcp::resolver resolver_;
  std::vector<Stream::Tcp::endpoint> addresses_;  // never empty once resolved
  bool numeric_ = false;
};

}  // namespace atcd::feeds
