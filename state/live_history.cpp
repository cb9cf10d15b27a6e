#include "state/live_history.hpp"

#include <algorithm>
#include <utility>

namespace atcd::state {
namespace {

constexpr int kTries = 5;

}  // namespace

LiveHistory::LiveHistory(std::string directory)
    : directory_(std::move(directory)),
      history_(std::make_unique<History>(directory_, History::Access::read)) {}

LiveHistory::LiveHistory(std::string directory, std::unique_ptr<History> opened)
    : directory_(std::move(directory)), history_(std::move(opened)) {}

void LiveHistory::reopen() {
  problems_ = problems();
  history_ = std::make_unique<History>(directory_, History::Access::read);
}

bool LiveHistory::read(const std::function<bool(History&)>& read) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    if (attempt > 0) reopen();
    if (read(*history_)) return true;
  }
  return false;
}

std::vector<std::string> LiveHistory::problems() const {
  std::vector<std::string> all = problems_;
  for (const std::string& problem : history_->problems()) {
    if (std::find(all.begin(), all.end(), problem) == all.end()) all.push_back(problem);
  }
  return all;
}

}  // namespace atcd::state
