#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <utility>

#include "daemon/stored_fold.hpp"
#include "state/history.hpp"

namespace atcd::daemon {

/// Reads for one worker what long intervals can be folded from, on a thread of its own: a disk may be slow,
/// and other series of that worker are live. It sees the history as it was at the start, of that the blocks,
/// which are never changed.
class FoldReader {
 public:
  /// `io`: of the worker; it outlives this.
  FoldReader(boost::asio::io_context& io, const state::History& before) : io_(io), history_(before) {}
  ~FoldReader() {
    thread_.stop();
    thread_.join();
  }
  FoldReader(const FoldReader&) = delete;
  FoldReader& operator=(const FoldReader&) = delete;

  /// `done` is called from the io_context with what read_fold() gives.
  void ask(FoldQuestion question, std::function<void(state::StoredBars)> done) {
    boost::asio::post(thread_, [this, question = std::move(question), done = std::move(done)]() mutable {
      boost::asio::post(io_, [folded = read_fold(history_, question), done = std::move(done)]() mutable {
        done(std::move(folded));
      });
    });
  }

 private:
  boost::asio::io_context& io_;
  state::History history_;  // the thread's
  boost::asio::thread_pool thread_{1};
};

}  // namespace atcd::daemon
