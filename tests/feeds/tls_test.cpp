// Certificates are renewed while the daemon runs.
#include "feeds/tls.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/certificates.hpp"

namespace atcd::feeds {
namespace {

namespace fs = std::filesystem;

class RenewedTlsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string form = (fs::temp_directory_path() / "atcd-tls-XXXXXX").string();
    directory_ = mkdtemp(form.data());
    put("ca.pem", "ca.pem");
    put("localhost.pem", "cert.pem");
    put("leaf.key", "key.pem");
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  /// Each a second later than the one before, however coarse the file system's times are.
  void put(const std::string& certificate, const std::string& name) {
    fs::copy_file(tests::Certificates::get().file(certificate), path(name),
                  fs::copy_options::overwrite_existing);
    fs::last_write_time(path(name), fs::file_time_type::clock::now() + ++puts_ * std::chrono::seconds(1));
  }

  std::string directory_;
  int puts_ = 0;
  std::vector<std::string> told_;
  std::function<void(const std::string&)> tell_ = [this](const std::string& problem) {
    told_.push_back(problem);
  };
};

TEST_F(RenewedTlsTest, TheFilesAreReadAgainOnceTheyAreOthers) {
  RenewedTls tls({path("ca.pem"), path("cert.pem"), path("key.pem")}, tell_);
  const auto first = tls.context();
  EXPECT_EQ(tls.context(), first);
  put("other-ca.pem", "ca.pem");
  const auto second = tls.context();
  EXPECT_NE(second, first);
  EXPECT_EQ(tls.context(), second);
}

TEST_F(RenewedTlsTest, WhileTheyDoNotFitTheOnesBeforeHold) {
  RenewedTls tls({path("ca.pem"), path("cert.pem"), path("key.pem")}, tell_);
  const auto first = tls.context();
  put("other-ca.pem", "cert.pem");  // another certificate, whose key is to come
  for (int times = 0; times < 3; ++times) EXPECT_EQ(tls.context(), first);
  EXPECT_THAT(told_, testing::ElementsAre(testing::HasSubstr("key_file \"" + path("key.pem"))));
  fs::remove(path("key.pem"));
  EXPECT_EQ(tls.context(), first);
  EXPECT_EQ(told_.size(), 2U);
  put("other.key", "key.pem");
  EXPECT_NE(tls.context(), first);
  EXPECT_EQ(told_.size(), 2U);
}

TEST_F(RenewedTlsTest, TheSystemsAuthoritiesNeedNoFile) {
  RenewedTls tls({}, tell_);
  EXPECT_EQ(tls.context(), tls.context());
}

}  // namespace
}  // namespace atcd::feeds
