#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "daemon/scan_source.hpp"

namespace atcd::daemon {

/// Runs `work(reader)` on so many threads, the caller's among them, each with a reader of its own.
template <class Work>
void run_with_readers(const ScanSource& source, std::size_t threads, const Work& work) {
  // Each has its reader before the first begins: what can't be opened throws here.
  std::vector<std::unique_ptr<ScanReader>> readers;
  do {
    readers.push_back(source.reader());
  } while (readers.size() < threads);
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < readers.size(); ++i)
    others.emplace_back([&work, &readers, i] { work(*readers[i]); });
  work(*readers[0]);
}

}  // namespace atcd::daemon
