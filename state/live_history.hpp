#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "state/history.hpp"

namespace atcd::state {

/// A history that is read beside the process that writes it: opened anew where what was read may not be what
/// there was at one moment. One thread.
class LiveHistory {
 public:
  /// Throws as History does.
  explicit LiveHistory(std::string directory);
  /// Begins with one that is open already.
  LiveHistory(std::string directory, std::unique_ptr<History> opened);

  History& now() { return *history_; }
  void reopen();
  /// Calls `read`, which is false where it found something changed (History::tail_unchanged), again with what
  /// there is by then. False where that was so 5 times: faster() says it.
  bool read(const std::function<bool(History&)>& read);
  /// A sentence.
  std::string faster() const { return directory_ + " is written to faster than it can be read"; }

  /// What was found damaged so far, each once, a sentence each.
  std::vector<std::string> problems() const;

 private:
  std::string directory_;
  std::unique_ptr<History> history_;
  std::vector<std::string> problems_;  // of those before
};

}  // namespace atcd::state
