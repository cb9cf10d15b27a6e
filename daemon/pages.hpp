#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "daemon/config.hpp"

namespace atcd::daemon {

// Manual pages (roff, macros of man(7)) and completions, made from what the program and its documents say
// anyway, so that they can't say anything else.

/// atcd(1): the words of --help, of every command.
std::string command_page(const CLI::App& app);
/// atcd.toml(5): keys, comments and values of deploy/atcd.toml; what is allowed and the defaults as the code
/// has them. Throws std::runtime_error for a key that only one of both has.
std::string config_page(std::string_view sample, const ConfigKeys& known);
/// A page of section 7 from Markdown: its first heading is the page's subject. `name`: "atcd-redis".
std::string markdown_page(std::string_view markdown, std::string_view name);

std::string bash_completion(const CLI::App& app);
std::string zsh_completion(const CLI::App& app);

}  // namespace atcd::daemon
