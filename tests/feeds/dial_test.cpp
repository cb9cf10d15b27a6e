#include "feeds/dial.hpp"

#include <gmock/gmock.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace atcd::feeds {
namespace {

std::vector<std::string> order(std::initializer_list<const char*> texts) {
  std::vector<Stream::Tcp::endpoint> addresses;
  for (const char* text : texts) addresses.emplace_back(boost::asio::ip::make_address(text), 443);
  std::vector<std::string> ordered;
  for (const auto& address : alternating(addresses)) ordered.push_back(address.address().to_string());
  return ordered;
}

TEST(Dial, TheSecondAddressIsOfTheOtherKind) {
  EXPECT_THAT(order({"::1", "::2", "::3", "::4", "10.0.0.1", "10.0.0.2"}),
              testing::ElementsAre("::1", "10.0.0.1", "::2", "10.0.0.2", "::3", "::4"));
  EXPECT_THAT(order({"10.0.0.1", "::1", "::2"}), testing::ElementsAre("10.0.0.1", "::1", "::2"));
  EXPECT_THAT(order({"10.0.0.3", "10.0.0.1", "10.0.0.2"}),
              testing::ElementsAre("10.0.0.3", "10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(order({"::2", "10.0.0.2", "10.0.0.1"}), testing::ElementsAre("::2", "10.0.0.2", "10.0.0.1"));
  EXPECT_THAT(order({}), testing::IsEmpty());
}

}  // namespace
}  // namespace atcd::feeds
