#pragma once

#include <sched.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <functional>

/// Counts instructions by letting the processor take them one by one (ptrace): some microseconds each, but of
/// every instruction set that the processor has.
namespace atcd::perf {

/// Runs `piece` in a process of its own and counts between its odd and its even SIGSTOPs. Below 0 where this
/// system does not let a process be traced or the piece fails.
inline long long count_steps(const std::function<void()>& piece) {
  // On one processor, for each step wakes the other of the two processes.
  cpu_set_t here;
  CPU_ZERO(&here);
  CPU_SET(static_cast<std::size_t>(sched_getcpu()), &here);
  sched_setaffinity(0, sizeof here, &here);
  const pid_t traced = fork();
  if (traced == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(1);
    piece();
    std::fflush(nullptr);
    _exit(0);
  }
  long long steps = 0;
  bool counting = false;
  int status = 0;
  while (traced > 0 && waitpid(traced, &status, 0) == traced && WIFSTOPPED(status)) {
    if (WSTOPSIG(status) == SIGSTOP) {
      counting = !counting;
    } else if (counting && WSTOPSIG(status) == SIGTRAP) {
      ++steps;
    } else {
      kill(traced, SIGKILL);
    }
    ptrace(counting ? PTRACE_SINGLESTEP : PTRACE_CONT, traced, nullptr, nullptr);
  }
  return traced > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 ? steps : -1;
}

}  // namespace atcd::perf
