#pragma once

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

namespace atcd::tests {

/// Certificates made when first asked for, in a folder that goes with the program.
class Certificates {
 public:
  static const Certificates& get() {
    static const Certificates certificates;
    return certificates;
  }
  ~Certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }

 private:
  Certificates() {
    std::string form = (std::filesystem::temp_directory_path() / "atcd-certificates-XXXXXX").string();
    if (mkdtemp(form.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = form;
    const std::string key = " -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 ";
    run("openssl req -x509" + key + "-keyout ca.key -out ca.pem -subj /CN=ca");
    run("openssl req -x509" + key + "-keyout other.key -out other-ca.pem -subj /CN=other");
    run("openssl req -new" + key + "-keyout leaf.key -out leaf.csr -subj /CN=leaf");
    for (const std::string name : {"localhost", "example.org"}) {
      run("printf 'subjectAltName=DNS:" + name +
          "' > ext && openssl x509 -req -in leaf.csr -CA ca.pem -CAkey " +
          "ca.key -CAcreateserial -days 2 -extfile ext -out " + name + ".pem");
    }
  }
  void run(const std::string& command) const {
    const std::string whole = "cd '" + folder_.string() + "' && (" + command + ") >/dev/null 2>&1";
    if (std::system(whole.c_str()) != 0) throw std::runtime_error("failed: " + command);
  }

  std::filesystem::path folder_;
};

}  // namespace atcd::tests
