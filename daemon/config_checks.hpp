#pragma once

#include "daemon/config.hpp"

namespace atcd::daemon {

/// What the tables of a configuration must keep towards one another: names that are told apart and exist,
/// series that are named once, histories that the exchange can give. Adds what is wrong to the errors.
void check_between_tables(ConfigResult& read);

}  // namespace atcd::daemon
