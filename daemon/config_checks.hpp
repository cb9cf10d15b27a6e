#pragma once

#include <string>

#include "daemon/config.hpp"

namespace atcd::daemon {

/// What the tables of a configuration must keep towards one another: names that are told apart and exist,
/// series that are named once, histories that the exchange can give. Adds what is wrong to the errors.
void check_between_tables(ConfigResult& read);

/// Reads the certificates that feeds trust, as each will, since a feed without them can't be made. Adds what
/// can't be used to the errors.
void check_authorities(ConfigResult& read);

/// The first of the intervals of `feed` for which two feeds may have no symbol in common, since both would
/// publish it: those that both have, where they are of one market and not of one address. Empty: there is
/// none.
std::string interval_apart(const FeedConfig& feed, const FeedConfig& other);

/// Names what is another in `read` than in the one that runs and only a restart changes: a sentence, or
/// empty.
std::string what_stays(const Config& running, const Config& read);

}  // namespace atcd::daemon
