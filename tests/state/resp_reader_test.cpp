#include "state/resp_reader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace atcd::state {
namespace {

using Next = RespReader::Next;

TEST(RespReaderTest, ReadsEveryTypeByteByByte) {
  const std::string wire =
      "+OK\r\n-ERR no\r\n:-42\r\n$3\r\na\r\n\r\n$-1\r\n*-1\r\n*0\r\n*2\r\n*1\r\n:1\r\n$0\r\n\r\n";
  RespReader reader;
  std::vector<std::string> seen;
  for (const char byte : wire) {
    reader.feed({&byte, 1});
    while (reader.next() == Next::reply) {
      const Reply& reply = reader.reply();
      seen.push_back(std::to_string(static_cast<int>(reply.type)) + "|" + std::string(reply.text) + "|" +
                     std::to_string(reply.integer) + "|" + std::to_string(reply.elements.size()));
    }
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"0|OK|0|0", "1|ERR no|0|0", "2||-42|0", "3|a\r\n|0|0", "4||0|0",
                                            "4||0|0", "5||0|0", "5||0|2"}));
}

TEST(RespReaderTest, NestedElementsStandInTheirPlaces) {
  RespReader reader;
  reader.feed("*3\r\n*2\r\n:1\r\n:2\r\n+x\r\n*1\r\n*1\r\n$1\r\ny\r\n");
  ASSERT_EQ(reader.next(), Next::reply);
  const Reply& reply = reader.reply();
  EXPECT_EQ(reply.elements[0].elements[1].integer, 2);
  EXPECT_EQ(reply.elements[1].text, "x");
  EXPECT_EQ(reply.elements[2].elements[0].elements[0].text, "y");
}

TEST(RespReaderTest, SeveralRepliesInOnePieceComeOneByOne) {
  RespReader reader;
  reader.feed("+a\r\n+b\r\n+");
  ASSERT_EQ(reader.next(), Next::reply);
  EXPECT_EQ(reader.reply().text, "a");
  ASSERT_EQ(reader.next(), Next::reply);
  EXPECT_EQ(reader.reply().text, "b");
  EXPECT_EQ(reader.next(), Next::more);
  reader.feed("c\r\n");
  ASSERT_EQ(reader.next(), Next::reply);
  EXPECT_EQ(reader.reply().text, "c");
}

TEST(RespReaderTest, TooManyElementsAreRefusedByTheirCountAlone) {
  RespReader reader({1 << 20, 100});
  reader.feed("*101\r\n");
  EXPECT_EQ(reader.next(), Next::error);
  EXPECT_THAT(reader.error(), ::testing::HasSubstr("more than 100 elements"));
  RespReader nested({1 << 20, 100});
  nested.feed("*2\r\n*60\r\n");
  for (int i = 0; i < 60; ++i) nested.feed(":1\r\n");
  EXPECT_EQ(nested.next(), Next::more);
  nested.feed("*60\r\n");
  EXPECT_EQ(nested.next(), Next::error) << "all arrays of a reply together";
}

TEST(RespReaderTest, ElementsAreCountedAnewForEachReply) {
  RespReader reader({1 << 20, 2});
  for (int i = 0; i < 10; ++i) {
    reader.feed("*2\r\n:1\r\n:2\r\n");
    ASSERT_EQ(reader.next(), Next::reply) << reader.error();
  }
}

TEST(RespReaderTest, TooManyBytesOfOneReplyAreRefused) {
  RespReader reader({1000, 100});
  reader.feed("$100000\r\n");
  EXPECT_EQ(reader.next(), Next::more);
  reader.feed(std::string(1000, 'x'));
  EXPECT_EQ(reader.next(), Next::error);
  EXPECT_THAT(reader.error(), ::testing::HasSubstr("more than 1000 bytes"));
  RespReader line({1000, 100});
  line.feed("+" + std::string(1000, 'x'));
  EXPECT_EQ(line.next(), Next::error);
  RespReader many({1000, 100000});
  many.feed("*1000\r\n");
  for (int i = 0; i < 300; ++i) many.feed(":1\r\n");
  EXPECT_EQ(many.next(), Next::error) << "parsed elements count too";
}

TEST(RespReaderTest, ManySmallRepliesMayBeMoreThanTheLimitTogether) {
  RespReader reader({1000, 100});
  std::string wire;
  for (int i = 0; i < 1000; ++i) wire += "+OK\r\n";
  reader.feed(wire);
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(reader.next(), Next::reply);
  EXPECT_EQ(reader.next(), Next::more);
}

TEST(RespReaderTest, WhatIsNoReplyIsAnErrorUntilReset) {
  for (const char* wire : {"HTTP/1.1 400\r\n", "$x\r\n", "*-2\r\n", "$-7\r\n", ":1x\r\n",
                           "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"}) {
    RespReader reader;
    reader.feed(wire);
    EXPECT_EQ(reader.next(), Next::error) << wire;
    EXPECT_FALSE(reader.error().empty());
    reader.feed("+OK\r\n");
    EXPECT_EQ(reader.next(), Next::error);
    reader.reset();
    reader.feed("+OK\r\n");
    EXPECT_EQ(reader.next(), Next::reply);
  }
}

TEST(ErrorKindTest, SortsErrorsByWhatIsToBeDone) {
  for (const char* text : {"BUSY Redis is busy", "LOADING x", "TRYAGAIN x", "CLUSTERDOWN x", "OOM command",
                           "MISCONF x", "NOREPLICAS x"}) {
    EXPECT_EQ(error_kind(text), ErrorKind::retryable) << text;
  }
  for (const char* text : {"MOVED 1 a:1", "ASK 1 a:1", "READONLY x"}) {
    EXPECT_EQ(error_kind(text), ErrorKind::reroute) << text;
  }
  for (const char* text : {"NOAUTH x", "WRONGPASS x", "NOPERM x"}) {
    EXPECT_EQ(error_kind(text), ErrorKind::configuration) << text;
  }
  for (const char* text : {"ERR x", "WRONGTYPE x", "BUSYKEY x", "", "OOMPH"}) {
    EXPECT_EQ(error_kind(text), ErrorKind::other) << text;
  }
}

}  // namespace
}  // namespace atcd::state
