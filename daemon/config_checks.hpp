#pragma once

#include "daemon/config.hpp"

namespace atcd::daemon {

/// What the tables of a configuration must keep towards one another: names that are told apart and exist,
/// series that are named once, histories that the exchange can give. Adds what is wrong to the errors.
void check_between_tables(ConfigResult& read);

/// What the feeds' files must be: one that can't be used would end a daemon that a reload gives it. Reads
/// them.
void check_feed_files(ConfigResult& read);

}  // namespace atcd::daemon
