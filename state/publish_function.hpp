#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace atcd::state {

class RedisConnection;

/// The Redis function that publishes one signal (publish_function.lua). Its name carries the version of its
/// arguments and answers.
inline constexpr std::string_view kPublishFunction = "atc_publish_2";
/// Of the same library: reads a stream's newest entry.
inline constexpr std::string_view kHeadFunction = "atc_head_1";
inline constexpr std::string_view kPublishLibrary = "atcd";

/// The library's source, as FUNCTION LOAD takes it.
std::string_view publish_function_source();

enum class FunctionState : std::uint8_t {
  ready,    // there before, or loaded now
  loaded,   // was missing or different; loaded
  missing,  // not there, and our rights do not let us load it
  failed,   // Redis answered something else; the error says what
  lost,     // the connection went away meanwhile
};

/// Loads the function where it is missing or different. Where the rights for that are missing, sees whether
/// it is there. `done` is called once, never from inside this call, unless the connection can't send: then at
/// once with `lost`. `error` is Redis' sentence.
void ensure_publish_function(RedisConnection& connection,
                             const std::function<void(FunctionState state, std::string_view error)>& done);

}  // namespace atcd::state
