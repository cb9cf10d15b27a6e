#include "state/publish_function.hpp"

#include <utility>

#include "state/redis_connection.hpp"

namespace atcd::state {
namespace {

using Done = std::function<void(FunctionState, std::string_view)>;

/// The source inside FUNCTION LIST's answer, "" where there is none.
std::string_view loaded_source(const Reply& list) {
  if (list.elements.empty()) return {};
  const auto& library = list.elements[0].elements;
  for (std::size_t i = 0; i + 1 < library.size(); i += 2) {
    if (library[i].text == "library_code") return library[i + 1].text;
  }
  return {};
}

/// Without keys a function refuses in its own words, which shows that it is there: asked is the youngest.
void probe(RedisConnection& connection, std::string refusal, const Done& done) {
  const bool sent = connection.send(
      {"FCALL", kPublishFunction, "0"}, [done, refusal = std::move(refusal)](const Reply* reply) {
        if (reply == nullptr) return done(FunctionState::lost, "");
        if (reply->is_error() && reply->text.starts_with("ATCD ")) return done(FunctionState::ready, "");
        if (reply->is_error() && reply->text.find("Function not found") != std::string_view::npos) {
          return done(FunctionState::missing, refusal);
        }
        done(FunctionState::failed, reply->text);
      });
  if (!sent) done(FunctionState::lost, "");
}

void load(RedisConnection& connection, const Done& done) {
  const bool sent = connection.send({"FUNCTION", "LOAD", "REPLACE", publish_function_source()},
                                    [&connection, done](const Reply* reply) {
                                      if (reply == nullptr) return done(FunctionState::lost, "");
                                      if (!reply->is_error()) return done(FunctionState::loaded, "");
                                      if (error_kind(reply->text) == ErrorKind::configuration) {
                                        return probe(connection, std::string(reply->text), done);
                                      }
                                      done(FunctionState::failed, reply->text);
                                    });
  if (!sent) done(FunctionState::lost, "");
}

}  // namespace

std::string_view publish_function_source() {
  static constexpr std::string_view kSource =
#include "state/publish_function_text.inc"
      ;
  return kSource;
}

void ensure_publish_function(RedisConnection& connection, const Done& done) {
  const bool sent = connection.send({"FUNCTION", "LIST", "LIBRARYNAME", kPublishLibrary, "WITHCODE"},
                                    [&connection, done](const Reply* reply) {
                                      if (reply == nullptr) return done(FunctionState::lost, "");
                                      if (reply->is_error()) {
                                        if (error_kind(reply->text) != ErrorKind::configuration) {
                                          return done(FunctionState::failed, reply->text);
                                        }
                                        return probe(connection, std::string(reply->text), done);
                                      }
                                      if (loaded_source(*reply) == publish_function_source())
                                        return done(FunctionState::ready, "");
                                      load(connection, done);
                                    });
  if (!sent) done(FunctionState::lost, "");
}

}  // namespace atcd::state
