#include "state/group_sizes.hpp"

#include <gtest/gtest.h>

namespace atcd::state {
namespace {

TEST(GroupSizes, AGroupsStreamHoldsWhatItsSeriesKeepTogether) {
  GroupSizes sizes;
  const GroupSizes::Size& group = sizes.add("g");
  EXPECT_EQ(sizes.kept(group, 500), 500);
  EXPECT_EQ(&sizes.add("g"), &group) << "another publisher's";
  sizes.add("other");
  EXPECT_EQ(sizes.kept(group, 500), 1000);
  EXPECT_EQ(sizes.kept(group, 600'000), 1'000'000) << "at most";
  sizes.remove("g");
  EXPECT_EQ(sizes.kept(group, 500), 500);
}

TEST(GroupSizes, NothingIsCutOffUntilAllPublishersHaveAddedTheirSeries) {
  GroupSizes sizes(2);
  const GroupSizes::Size& group = sizes.add("g");
  EXPECT_EQ(sizes.kept(group, 500), 1'000'000);
  sizes.one_has_added();
  EXPECT_EQ(sizes.kept(group, 500), 1'000'000);
  sizes.one_has_added();
  EXPECT_EQ(sizes.kept(group, 500), 500);
}

}  // namespace
}  // namespace atcd::state
