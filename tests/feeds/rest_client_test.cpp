#include "feeds/rest_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "feeds/clocks.hpp"
#include "feeds/http_date.hpp"
#include "tests/feeds/local_server.hpp"

namespace atcd::feeds {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using std::chrono::milliseconds;
using testing::Certificates;
using ::testing::HasSubstr;
using testing::LocalServer;
using testing::run_until;

LocalServer::Response reply_with(http::status status, std::string body) {
  LocalServer::Response response(status, 11);
  response.set(http::field::date, "Mon, 23 Nov 2026 23:41:02 GMT");
  response.body() = std::move(body);
  return response;
}

class RestClientTest : public ::testing::Test {
 protected:
  void start(const std::string& certificate = {}) {
    server_ = std::make_unique<LocalServer>(io_, certificate);
    server_->on_request = [this](const LocalServer::Request& request) {
      targets_.emplace_back(request.target());
      return answer_ ? answer_(request) : reply_with(http::status::ok, "[]");
    };
    std::string error;
    options_.http.url = *Url::parse(server_->rest_url(), error);
  }
  void make_client() {
    client_ = std::make_unique<RestClient>(io_, options_,
                                           [this](Severity, std::string_view event, std::string_view detail) {
                                             log_ += std::string(event) + " " + std::string(detail) + "\n";
                                           });
  }
  void get(const std::string& target, int weight = 1, int priority = 0) {
    client_->get(
        {target, weight, priority, [this](RestReply reply) { replies_.push_back(std::move(reply)); }});
  }
  void wait_for(std::size_t replies) {
    ASSERT_TRUE(run_until(io_, [&] { return replies_.size() >= replies; }));
  }
  RestReply reply_to(const std::string& target) {
    get(target);
    EXPECT_TRUE(run_until(io_, [&] { return !replies_.empty(); }));
    return replies_.at(0);
  }

  asio::io_context io_;
  std::unique_ptr<LocalServer> server_;
  static std::shared_ptr<AddressLimits> limits(int weight, double share) {
    return std::make_shared<AddressLimits>(RestLimit{weight, std::chrono::minutes(1), {}}, share);
  }
  RestOptions options_{{}, limits(0, 0.5), 1};
  std::unique_ptr<RestClient> client_;
  std::function<std::optional<LocalServer::Response>(const LocalServer::Request&)> answer_;
  std::vector<std::string> targets_;
  std::vector<RestReply> replies_;
  std::string log_;
};

TEST_F(RestClientTest, BringsTheBodyAndTheExchangesClock) {
  start();
  make_client();
  answer_ = [](const auto&) { return reply_with(http::status::ok, "[1,2]"); };
  const std::int64_t before_ms = monotonic_ms();
  const RestReply reply = reply_to("/api/v3/klines?symbol=A");
  EXPECT_EQ(reply.error, RestError::none) << reply.message;
  EXPECT_EQ(reply.body, "[1,2]");
  EXPECT_EQ(reply.server_time_ms, 1795477262000);
  EXPECT_LE(before_ms, reply.sent_ms);
  EXPECT_LE(reply.sent_ms, reply.received_ms);
  EXPECT_LE(reply.received_ms, monotonic_ms());
  EXPECT_EQ(targets_, std::vector<std::string>{"/api/v3/klines?symbol=A"});
}

TEST_F(RestClientTest, WorksOverTls) {
  start("localhost");
  options_.http.tls = make_tls_context({Certificates::get().file("ca.pem"), "", ""});
  make_client();
  EXPECT_EQ(reply_to("/x").error, RestError::none) << replies_[0].message;
}

TEST_F(RestClientTest, RefusesAnotherHostsCertificate) {
  start("example.org");
  options_.http.tls = make_tls_context({Certificates::get().file("ca.pem"), "", ""});
  make_client();
  const RestReply reply = reply_to("/x");
  EXPECT_EQ(reply.error, RestError::network);
  EXPECT_THAT(reply.message, HasSubstr("hostname mismatch"));
}

TEST_F(RestClientTest, KeepsItsConnection) {
  start();
  make_client();
  for (int i = 0; i < 20; ++i) get("/" + std::to_string(i));
  wait_for(20);
  EXPECT_EQ(server_->accepted, 1U);
  EXPECT_EQ(targets_.size(), 20U);
}

TEST_F(RestClientTest, UsesAFewConnectionsAtOnce) {
  start();
  options_.connections = 3;
  make_client();
  for (int i = 0; i < 30; ++i) get("/" + std::to_string(i));
  wait_for(30);
  EXPECT_EQ(server_->accepted, 3U);
}

TEST_F(RestClientTest, AKeptConnectionThatWasClosedIsReplacedUnnoticed) {
  start();
  make_client();
  get("/1");
  wait_for(1);
  server_->cut_all();  // it had promised to keep it
  get("/2");
  wait_for(2);
  EXPECT_EQ(replies_[1].error, RestError::none) << replies_[1].message;
  EXPECT_EQ(server_->accepted, 2U);
}

TEST_F(RestClientTest, ConnectionCloseIsObeyed) {
  start();
  make_client();
  answer_ = [](const auto&) {
    auto response = reply_with(http::status::ok, "[]");
    response.keep_alive(false);
    return response;
  };
  get("/1");
  get("/2");
  wait_for(2);
  EXPECT_EQ(replies_[1].error, RestError::none);
  EXPECT_EQ(server_->accepted, 2U);
}

TEST_F(RestClientTest, UrgentRequestsGoFirst) {
  start();
  make_client();
  get("/last", 1, 9);
  get("/second", 1, 5);
  get("/third", 1, 5);
  get("/first", 1, -3);
  wait_for(4);
  EXPECT_EQ(targets_, (std::vector<std::string>{"/first", "/second", "/third", "/last"}));
}

TEST_F(RestClientTest, HeldRequestsWaitUntilTheyAreReleased) {
  start();
  make_client();
  client_->hold(true);
  get("/later");
  get("/first", 1, -1);
  // A second client shows that time enough has passed for the first one's requests.
  RestClient other(io_, options_, nullptr);
  bool answered = false;
  other.get({"/other", 1, 0, [&](const RestReply&) { answered = true; }});
  ASSERT_TRUE(run_until(io_, [&] { return answered; }));
  EXPECT_EQ(targets_, std::vector<std::string>{"/other"});
  EXPECT_EQ(client_->pending(), 2U);
  client_->hold(false);
  wait_for(2);
  EXPECT_EQ(targets_, (std::vector<std::string>{"/other", "/first", "/later"}));
}

TEST_F(RestClientTest, OtherStatusesAreToldWithTheBody) {
  start();
  make_client();
  answer_ = [](const auto&) {
    return reply_with(http::status::bad_request, R"({"code":-1121,"msg":"Invalid symbol."})");
  };
  const RestReply reply = reply_to("/api/v3/klines?symbol=X");
  EXPECT_EQ(reply.error, RestError::http_status);
  EXPECT_THAT(reply.message, HasSubstr("/api/v3/klines: HTTP 400"));
  EXPECT_THAT(reply.message, HasSubstr("Invalid symbol."));
  EXPECT_EQ(log_, "");
}

TEST_F(RestClientTest, RetryAfterPausesEverything) {
  for (const auto& [status, error] :
       {std::pair{429, RestError::banned}, std::pair{418, RestError::banned},
        std::pair{403, RestError::refused_location}, std::pair{451, RestError::refused_location}}) {
    replies_.clear();
    targets_.clear();
    log_.clear();
    start();
    make_client();
    const int code = status;
    answer_ = [code](const auto&) {
      auto response = reply_with(static_cast<http::status>(code), "");
      response.set(http::field::retry_after, "1");
      return response;
    };
    const auto before = std::chrono::steady_clock::now();
    get("/1");
    wait_for(1);
    EXPECT_EQ(replies_[0].error, error) << status;
    EXPECT_THAT(log_, HasSubstr("rest_paused seconds=1"));
    answer_ = [](const auto&) { return reply_with(http::status::ok, "[]"); };
    get("/2");
    const auto estimated = client_->estimated_time();
    EXPECT_GE(std::chrono::steady_clock::now() + estimated - before, milliseconds(990));
    wait_for(2);
    EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(990)) << "it waited";
    EXPECT_EQ(replies_[1].error, RestError::none);
    client_.reset();
  }
}

TEST_F(RestClientTest, WithoutRetryAfterThePauseIsAMinute) {
  start();
  make_client();
  answer_ = [](const auto&) { return reply_with(http::status::forbidden, ""); };
  const RestReply reply = reply_to("/1");
  EXPECT_THAT(reply.message, HasSubstr("the exchange refuses this location"));
  EXPECT_THAT(log_, HasSubstr("rest_paused seconds=60"));
  get("/2");
  EXPECT_GT(client_->estimated_time(), milliseconds(55'000));
}

TEST_F(RestClientTest, ABodyThatAsksForAPauseGetsIt) {
  for (const unsigned status : {200U, 403U}) {
    replies_.clear();
    log_.clear();
    start();
    options_.limits = limits(0, 0.5);
    options_.pause_asked = [](unsigned code, std::string_view body) {
      return std::chrono::seconds(body == "too frequent" ? (code == 200 ? 30 : 600) : 0);
    };
    make_client();
    get("/1");
    wait_for(1);
    EXPECT_EQ(replies_[0].error, RestError::none) << "the body asks for nothing";
    answer_ = [status](const auto&) { return reply_with(static_cast<http::status>(status), "too frequent"); };
    get("/2");
    wait_for(2);
    EXPECT_EQ(replies_[1].error, RestError::banned);
    EXPECT_EQ(replies_[1].body, "");
    EXPECT_THAT(replies_[1].message, HasSubstr("too many requests from this address: too frequent"));
    EXPECT_THAT(log_, HasSubstr(status == 200 ? "rest_paused seconds=30 " : "rest_paused seconds=600 "));
    get("/3");
    EXPECT_GT(client_->estimated_time(), milliseconds(25'000));
    client_.reset();
    answer_ = nullptr;
  }
}

TEST_F(RestClientTest, StaysWithinItsShareOfTheLimit) {
  start();
  options_.limits = limits(100, 0.2);
  make_client();
  for (int i = 0; i < 10; ++i) get("/" + std::to_string(i), 5);
  EXPECT_GE(client_->estimated_time(), milliseconds(60'000));
  wait_for(4);
  EXPECT_FALSE(run_until(
      io_, [&] { return replies_.size() > 4; }, std::chrono::seconds(1)));
  EXPECT_EQ(targets_.size(), 4U);
  EXPECT_EQ(client_->pending(), 6U);
}

TEST_F(RestClientTest, ALongLoadLeavesRoomForWhatCannotWait) {
  start();
  options_.limits = limits(100, 0.2);
  make_client();
  for (int i = 0; i < 30; ++i) get("/load", 1, kPriorityThatCanWait);
  wait_for(18);
  get("/hole", 2, kPriorityThatCanWait - 1);
  EXPECT_TRUE(run_until(
      io_, [&] { return targets_.back() == "/hole"; }, std::chrono::seconds(10)));
  EXPECT_EQ(targets_.size(), 19U);
}

TEST_F(RestClientTest, WhatOthersUsedIsReadFromTheHeader) {
  start();
  options_.limits = limits(1000, 0.5);
  options_.http.used_header = "X-MBX-USED-WEIGHT-1M";
  make_client();
  answer_ = [](const auto&) {
    auto response = reply_with(http::status::ok, "[]");
    response.set("x-mbx-used-weight-1m", "990");
    return response;
  };
  get("/1");
  wait_for(1);
  get("/2");
  EXPECT_FALSE(run_until(
      io_, [&] { return replies_.size() > 1; }, std::chrono::seconds(1)));
}

TEST_F(RestClientTest, ABodyBeyondTheLimitIsRefused) {
  start();
  options_.http.largest_body = 1000;
  make_client();
  answer_ = [](const auto&) { return reply_with(http::status::ok, std::string(5000, 'x')); };
  const RestReply reply = reply_to("/1");
  EXPECT_EQ(reply.error, RestError::network);
  EXPECT_THAT(reply.message, HasSubstr("more than 1000 bytes"));
}

TEST_F(RestClientTest, AnAnswerThatDoesNotComeEndsAtTheDeadline) {
  start();
  options_.http.deadline = milliseconds(200);
  make_client();
  answer_ = [](const auto&) { return std::nullopt; };
  const RestReply reply = reply_to("/1");
  EXPECT_EQ(reply.error, RestError::timeout);
  EXPECT_THAT(reply.message, HasSubstr("no answer within the deadline"));
}

TEST_F(RestClientTest, AServerThatIsAwayIsTold) {
  start();
  server_.reset();
  make_client();
  const RestReply reply = reply_to("/1");
  EXPECT_EQ(reply.error, RestError::network);
  EXPECT_THAT(reply.message, HasSubstr("cannot connect to 127.0.0.1"));
}

TEST_F(RestClientTest, DestroyingItCallsNothing) {
  start();
  make_client();
  for (int i = 0; i < 5; ++i) get("/" + std::to_string(i));
  run_until(io_, [&] { return !targets_.empty(); });
  const std::size_t before = replies_.size();
  client_.reset();
  io_.run_for(milliseconds(50));
  EXPECT_EQ(replies_.size(), before);
}

TEST_F(RestClientTest, DestroyingItInsideACallbackIsFine) {
  start();
  make_client();
  client_->get({"/1", 1, 0, [this](const RestReply&) {
                  client_.reset();
                  replies_.emplace_back();
                }});
  get("/2");
  wait_for(1);
  io_.run_for(milliseconds(50));
  EXPECT_EQ(replies_.size(), 1U);
}

TEST(HttpDate, IsReadToTheSecond) {
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777000);
  EXPECT_EQ(parse_http_date("Thu, 29 Feb 2024 00:00:00 GMT"), 1709164800000);
}

TEST(HttpDate, OtherFormsAreRefused) {
  for (const char* text :
       {"", "0", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
        "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 Abc 1994 08:49:37 GMT", "Sun, 31 Feb 2024 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, -6 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT "}) {
    EXPECT_FALSE(parse_http_date(text)) << text;
  }
}

}  // namespace
}  // namespace atcd::feeds
