#include "state/resp_reader.hpp"

#include <hiredis/read.h>

#include <algorithm>
#include <new>
#include <utility>

namespace atcd::state {

/// hiredis calls these with the task it works on; the reply is built in the arena, an array's elements side
/// by side. No exception may pass through hiredis: a null pointer makes it stop with an error.
struct RespReader::Hooks {
  static RespReader& reader_of(const redisReadTask* task) {
    return *static_cast<RespReader*>(task->privdata);
  }

  static Reply* place_of(const redisReadTask* task) {
    if (task->parent == nullptr) return &reader_of(task).root_;
    const auto* parent = static_cast<const Reply*>(task->parent->obj);
    // The arena handed these elements out as writable; only the view of them is const.
    return const_cast<Reply*>(&parent->elements[static_cast<std::size_t>(task->idx)]);
  }

  static void* create_string(const redisReadTask* task, char* text, std::size_t length) noexcept {
    try {
      Reply* reply = place_of(task);
      reply->type = task->type == REDIS_REPLY_ERROR    ? ReplyType::error
                    : task->type == REDIS_REPLY_STATUS ? ReplyType::status
                                                       : ReplyType::bulk;
      if (length > 0) {
        auto* copy = static_cast<char*>(reader_of(task).arena_.allocate(length, 1));
        std::copy_n(text, length, copy);
        reply->text = {copy, length};
      }
      return reply;
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  static void* create_array(const redisReadTask* task, int elements) noexcept {
    try {
      RespReader& reader = reader_of(task);
      const auto count = static_cast<std::size_t>(elements);
      if (count > reader.limits_.elements - reader.elements_) {
        reader.too_much_ = "a reply of more than " + std::to_string(reader.limits_.elements) + " elements";
        return nullptr;
      }
      reader.elements_ += count;
      Reply* reply = place_of(task);
      reply->type = ReplyType::array;
      if (count > 0) {
        auto* first = static_cast<Reply*>(reader.arena_.allocate(count * sizeof(Reply), alignof(Reply)));
        std::uninitialized_default_construct_n(first, count);
        reply->elements = {first, count};
      }
      return reply;
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  static void* create_integer(const redisReadTask* task, long long value) noexcept {
    Reply* reply = place_of(task);
    reply->type = ReplyType::integer;
    reply->integer = value;
    return reply;
  }

  static void* create_nil(const redisReadTask* task) noexcept {
    Reply* reply = place_of(task);
    reply->type = ReplyType::nil;
    return reply;
  }

  static void free_object(void*) noexcept {}  // the arena owns it

  static redisReplyObjectFunctions* table() {
    static redisReplyObjectFunctions functions = {create_string, create_array, create_integer, create_nil,
                                                  free_object};
    return &functions;
  }
};

void RespReader::FreeReader::operator()(redisReader* reader) const { redisReaderFree(reader); }

RespReader::RespReader(ReplyLimits limits)
    : limits_(limits), first_block_(), arena_(first_block_.data(), first_block_.size()) {
  reset();
}

RespReader::~RespReader() = default;

void RespReader::reset() {
  reader_.reset(redisReaderCreateWithFunctions(Hooks::table()));
  if (!reader_) throw std::bad_alloc();
  reader_->privdata = this;
  arena_.release();
  root_ = {};
  error_.clear();
  too_much_.clear();
  elements_ = fed_ = consumed_before_ = 0;
}

void RespReader::feed(std::string_view bytes) {
  if (!error_.empty() || bytes.empty()) return;
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) {
    fail("no memory for a reply");
    return;
  }
  fed_ += bytes.size();
}

RespReader::Next RespReader::next() {
  if (!error_.empty()) return Next::error;
  if (reader_->reply == nullptr && reader_->ridx == -1) {  // between two replies
    arena_.release();
    root_ = {};
    elements_ = 0;
  }
  void* whole = nullptr;
  if (redisReaderGetReply(reader_.get(), &whole) != REDIS_OK) {
    return fail(too_much_.empty() ? std::string(reader_->errstr) : std::move(too_much_));
  }
  const std::size_t parsed = fed_ - (reader_->len - reader_->pos);
  if (whole == nullptr) {
    if (fed_ - consumed_before_ > limits_.bytes) {
      return fail("a reply of more than " + std::to_string(limits_.bytes) + " bytes");
    }
    return Next::more;
  }
  consumed_before_ = parsed;
  return Next::reply;
}

RespReader::Next RespReader::fail(std::string text) {
  error_ = std::move(text);
  return Next::error;
}

ErrorKind error_kind(std::string_view text) {
  constexpr std::array<std::string_view, 7> kRetryable = {"BUSY", "LOADING", "TRYAGAIN",  "CLUSTERDOWN",
                                                          "OOM",  "MISCONF", "NOREPLICAS"};
  constexpr std::array<std::string_view, 3> kReroute = {"MOVED", "ASK", "READONLY"};
  constexpr std::array<std::string_view, 3> kConfiguration = {"NOAUTH", "WRONGPASS", "NOPERM"};
  const std::string_view word = text.substr(0, text.find(' '));
  const auto among = [word](const auto& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  };
  if (among(kRetryable)) return ErrorKind::retryable;
  if (among(kReroute)) return ErrorKind::reroute;
  if (among(kConfiguration)) return ErrorKind::configuration;
  return ErrorKind::other;
}

}  // namespace atcd::state
