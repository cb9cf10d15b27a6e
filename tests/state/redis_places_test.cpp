#include "state/redis_places.hpp"

#include <gtest/gtest.h>

#include <string>

#include "state/key_slot.hpp"

namespace atcd::state {
namespace {

const RedisAddress kFrom{"10.0.0.1", 7000, "", true, 0, "user", "secret"};

TEST(RedisPlaces, WhereAnErrorPoints) {
  const auto moved = redirection_of("MOVED 3999 127.0.0.1:6381", kFrom);
  ASSERT_TRUE(moved);
  EXPECT_TRUE(moved->moved);
  EXPECT_EQ(moved->slot, 3999);
  EXPECT_EQ(moved->address.text(), "127.0.0.1:6381");
  EXPECT_EQ(moved->address.password, "secret");
  EXPECT_TRUE(moved->address.tls);
  const auto ask = redirection_of("ASK 1 ::1:7005", kFrom);
  ASSERT_TRUE(ask);
  EXPECT_FALSE(ask->moved);
  EXPECT_EQ(ask->address.text(), "[::1]:7005");
  EXPECT_EQ(redirection_of("MOVED 1 :7001", kFrom)->address.text(), "10.0.0.1:7001");
  for (const char* none : {"MOVED", "MOVED 1", "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED 1 a:0",
                           "MOVED 1 a:65536", "MOVED 1 a", "MOVED  a:1", "CLUSTERDOWN a 1 a:1", ""})
    EXPECT_FALSE(redirection_of(none, kFrom)) << none;
}

TEST(RedisPlaces, RangesOfACluster) {
  RespReader reader;
  const auto read = [&reader](const std::string& bytes) {
    reader.feed(bytes);
    EXPECT_EQ(reader.next(), RespReader::Next::reply);
    return slot_ranges(reader.reply(), kFrom);
  };
  const auto range = [](const std::string& first, const std::string& last, const std::string& host,
                        const std::string& port) {
    return "*3\r\n:" + first + "\r\n:" + last + "\r\n*2\r\n" + host + "\r\n:" + port + "\r\n";
  };
  const auto ranges =
      read("*7\r\n" + range("0", "99", "$1\r\nb", "1") + range("100", "16383", "$-1", "2") +
           range("5", "4", "$1\r\nb", "1") + range("0", "16384", "$1\r\nb", "1") +
           range("-1", "1", "$1\r\nb", "1") + range("0", "1", "$1\r\nb", "0") + "*2\r\n:0\r\n:1\r\n");
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].master.text(), "b:1");
  EXPECT_EQ(ranges[1].first, 100);
  EXPECT_EQ(ranges[1].last, 16383);
  EXPECT_EQ(ranges[1].master.text(), "10.0.0.1:2") << "as the one that was asked";
  // Filling the slots again and again would hold everything up.
  std::string many = "*20000\r\n";
  for (int i = 0; i < 20'000; ++i) many += range("0", "16383", "$1\r\nb", "1");
  EXPECT_EQ(read(many).size(), kClusterSlots);
}

TEST(RedisPlaces, TheMasterOfASentinel) {
  RespReader reader;
  const auto read = [&reader](const std::string& bytes) {
    reader.feed(bytes);
    EXPECT_EQ(reader.next(), RespReader::Next::reply);
    return master_of(reader.reply(), kFrom);
  };
  EXPECT_EQ(read("*2\r\n$1\r\nm\r\n$4\r\n6379\r\n")->text(), "m:6379");
  for (const char* none : {"*2\r\n$1\r\nm\r\n$1\r\n0\r\n", "*2\r\n$0\r\n\r\n$4\r\n6379\r\n",
                           "*1\r\n$1\r\nm\r\n", "*2\r\n$1\r\nm\r\n$2\r\n1x\r\n", "*-1\r\n"})
    EXPECT_FALSE(read(none)) << none;
}

}  // namespace
}  // namespace atcd::state
