#pragma once

#include <CLI/CLI.hpp>
#include <regex>
#include <string>

namespace atcd::daemon {

/// The words of --help and of atcd(1). A range reads "INT (10 to 60000)", not "INT:INT in [10 - 60000]".
class HelpWords final : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override {
    static const std::regex kRange(R"(:[A-Z]+ in \[(\S+) - (\S+)\])");
    return std::regex_replace(Formatter::make_option_opts(option), kRange, " ($1 to $2)");
  }
};

}  // namespace atcd::daemon
