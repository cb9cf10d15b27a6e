#pragma once

#include <string>

namespace atcd::daemon {

/// A file in the state directory while the daemon runs. One that is there at a start tells that the run
/// before did not end in order: it was killed, it crashed, or the machine did.
class RunMark {
 public:
  /// Puts the mark there, in the place of one that is there already.
  explicit RunMark(const std::string& directory);

  bool last_run_ended() const { return last_run_ended_; }
  /// A sentence where the mark could not be written, else empty.
  const std::string& problem() const { return problem_; }
  /// This run ends in order: takes the mark away.
  void ended();

 private:
  std::string path_;
  bool last_run_ended_;
  std::string problem_;
};

}  // namespace atcd::daemon
