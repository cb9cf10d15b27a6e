#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <string>
#include <string_view>

struct redisReader;

namespace atcd::state {

enum class ReplyType : std::uint8_t { status, error, integer, bulk, nil, array };

/// One reply of Redis or one element of it. Texts and elements belong to the reader that parsed it.
struct Reply {
  ReplyType type = ReplyType::nil;
  std::string_view text;              // status, error, bulk
  std::int64_t integer = 0;           // integer
  std::span<const Reply> elements{};  // array

  bool is_error() const { return type == ReplyType::error; }
};

/// What one reply may cost before the peer is taken for broken.
struct ReplyLimits {
  std::size_t bytes = std::size_t{16} << 20;  // of one reply on the wire
  std::size_t elements = 1U << 18;            // of all arrays of one reply together
};

/// Replies from a stream of bytes that arrives in pieces: hiredis parses, this class bounds what it may
/// collect (hiredis 0.14.1 bounds neither bytes nor elements; nesting it refuses beyond seven arrays). Small
/// replies cost no allocation. After an error nothing more comes until reset(). One thread.
class RespReader {
 public:
  enum class Next : std::uint8_t { reply, more, error };

  explicit RespReader(ReplyLimits limits = {});
  ~RespReader();
  RespReader(const RespReader&) = delete;
  RespReader& operator=(const RespReader&) = delete;

  /// Takes bytes as they came; all of them are copied.
  void feed(std::string_view bytes);
  /// The next whole reply, or that more bytes are needed, or why the stream can't be understood.
  Next next();
  /// Valid after Next::reply until the next call of next() or reset().
  const Reply& reply() const { return root_; }
  /// Valid after Next::error: a sentence.
  const std::string& error() const { return error_; }
  /// Forgets everything: for a new connection.
  void reset();

 private:
  struct Hooks;  // what hiredis calls to build a reply
  struct FreeReader {
    void operator()(redisReader* reader) const;
  };

  Next fail(std::string text);

  ReplyLimits limits_;
  std::array<std::byte, 16384> first_block_;
  std::pmr::monotonic_buffer_resource arena_;
  std::unique_ptr<redisReader, FreeReader> reader_;
  Reply root_;
  std::string error_;
  std::string too_much_;             // set by a hook that refused
  std::size_t elements_ = 0;         // of the reply being parsed
  std::size_t fed_ = 0;              // bytes since reset
  std::size_t consumed_before_ = 0;  // bytes of all earlier replies
};

/// Redis errors by what is to be done about them.
enum class ErrorKind : std::uint8_t {
  retryable,      // BUSY, LOADING, TRYAGAIN, CLUSTERDOWN, OOM, MISCONF, NOREPLICAS: wait and send again
  reroute,        // MOVED, ASK, READONLY: another server is to be asked
  configuration,  // NOAUTH, WRONGPASS, NOPERM: somebody has to change something
  other,
};

/// By the first word of the error's text.
ErrorKind error_kind(std::string_view text);

}  // namespace atcd::state
