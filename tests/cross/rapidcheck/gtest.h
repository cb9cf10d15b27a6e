#pragma once

#include <gtest/gtest.h>

#include "tests/cross/rapidcheck.h"

#define RC_ASSERT(...)        \
  do {                        \
    ASSERT_TRUE(__VA_ARGS__); \
  } while (false)

#define RC_GTEST_PROP(suite, name, no_arguments)                         \
  static void suite##_##name no_arguments;                               \
  TEST(suite, name) {                                                    \
    for (rc::run = 0; rc::run < rc::kRuns && !HasFailure(); ++rc::run) { \
      SCOPED_TRACE(rc::run);                                             \
      suite##_##name();                                                  \
    }                                                                    \
  }                                                                      \
  static void suite##_##name no_arguments
