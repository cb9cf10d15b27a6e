#include "daemon/control_request.hpp"

#include <gtest/gtest.h>

#include <random>

namespace atcd::daemon {
namespace {

TEST(ControlRequest, IsReadAsItWasWritten) {
  ControlRequest request;
  request.command = "add";
  request.feed = "binance:spot:1m";
  request.symbols = {"BTCUSDT", "A\"B\\\n", "*/USDT:USDT", "\xe5\xb8\x81USDT"};
  const auto [read, error] = parse_control_request(control_request_json(request));
  EXPECT_EQ(error, "");
  EXPECT_EQ(read.command, "add");
  EXPECT_EQ(read.feed, request.feed);
  EXPECT_EQ(read.symbols, request.symbols);
}

TEST(ControlRequest, EveryCommandIsKnown) {
  for (const std::string_view command : kControlCommands) {
    ControlRequest request;
    request.command = command;
    EXPECT_EQ(parse_control_request(control_request_json(request)).error, "") << command;
  }
}

TEST(ControlRequest, WhatIsWrongIsNamed) {
  const auto error = [](std::string_view line) { return parse_control_request(line).error; };
  EXPECT_NE(error("status").find("one JSON object a line"), std::string::npos) << error("status");
  EXPECT_NE(error("").find("one JSON object a line"), std::string::npos);
  EXPECT_NE(error("[]").find("one JSON object a line"), std::string::npos);
  EXPECT_NE(error("{}").find("it must be one of status, feeds"), std::string::npos) << error("{}");
  EXPECT_NE(error(R"({"command":"stop"})").find("\"stop\""), std::string::npos);
  EXPECT_EQ(error(R"({"command":7})"), "command must be a text");
  EXPECT_NE(error(R"({"command":"status","colour":"red"})").find("\"colour\""), std::string::npos);
  EXPECT_EQ(error(R"({"command":"add","symbols":"BTC"})"), "symbols must be a list of texts");
  EXPECT_EQ(error(R"({"command":"add","symbols":[1]})"), "each of symbols must be a text");
  const std::string longer = R"({"command":"explain","series":")" + std::string(301, 'x') + "\"}";
  EXPECT_EQ(error(longer), "series has 301 bytes: at most 300 are allowed");
  std::string many = R"({"command":"add","symbols":["A")";
  for (int i = 0; i < 2000; ++i) many += ",\"A\"";
  EXPECT_EQ(error(many + "]}"), "symbols has more than 2000 entries");
}

TEST(ControlRequest, NoBytesDoHarm) {
  std::mt19937 random(7);
  const std::string good = R"({"command":"add","feed":"binance:spot","symbols":["BTCUSDT","ETHUSDT"]})";
  for (int i = 0; i < 20'000; ++i) {
    std::string line = good;
    for (int k = 0; k < 3; ++k) line[random() % line.size()] = static_cast<char>(random());
    const std::string error = parse_control_request(line.substr(0, random() % (line.size() + 1))).error;
    EXPECT_EQ(control_error_json(error).find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace atcd::daemon
