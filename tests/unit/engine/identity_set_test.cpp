// The set of identities that grows a little at a time.

#include "engine/identity_set.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/digest.h"

namespace ferry::engine {
namespace {

struct IdentityAt {
  const std::vector<IdentityHash>* identities;
  IdentityHash operator()(std::uint32_t element) const { return identities->at(element); }
};

class IdentitySetTest : public testing::Test {
 protected:
  void make(std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) identities_.push_back(identity_hash("identity " + std::to_string(i)));
  }
  std::vector<IdentityHash> identities_;
  IdentitySet<std::uint32_t, IdentityAt> set_{IdentityAt{&identities_}};
};

TEST_F(IdentitySetTest, FindsEachOfManyAndNoOther) {
  constexpr std::uint32_t kCount = 50'000;  // some twenty tables
  make(kCount * 2);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    set_.prefetch(identities_[i]);
    set_.insert(i);
  }
  EXPECT_EQ(set_.size(), kCount);
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const auto* const found = set_.find(identities_[i]);
    ASSERT_NE(found, nullptr) << i;
    ASSERT_EQ(*found, i);
    ASSERT_EQ(set_.find(identities_[kCount + i]), nullptr) << i;
  }
}

TEST_F(IdentitySetTest, ForgetsWhatIsErasedAndTakesItAgain) {
  constexpr std::uint32_t kCount = 20'000;
  make(kCount);
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t i = 0; i < kCount; ++i) set_.insert(i);
    for (std::uint32_t i = 0; i < kCount; i += 2) ASSERT_TRUE(set_.erase(identities_[i]));
    ASSERT_FALSE(set_.erase(identities_[0]));
    for (std::uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(set_.find(identities_[i]) != nullptr, i % 2 == 1) << i;
    EXPECT_EQ(set_.size(), kCount / 2);
    for (std::uint32_t i = 1; i < kCount; i += 2) ASSERT_TRUE(set_.erase(identities_[i]));
    EXPECT_EQ(set_.size(), 0u);
  }
}

TEST_F(IdentitySetTest, TellsApartWhatHalvesHaveInCommon) {
  identities_ = {{1, 2}, {1, 3}, {2, 2}, {2, 3}};
  set_.insert(0);
  set_.insert(3);
  EXPECT_NE(set_.find({1, 2}), nullptr);
  EXPECT_NE(set_.find({2, 3}), nullptr);
  EXPECT_EQ(set_.find({1, 3}), nullptr);
  EXPECT_EQ(set_.find({2, 2}), nullptr);
}

TEST_F(IdentitySetTest, IsFreedInSlicesAfterItsIdentitiesAreGone) {
  make(20'000);
  for (std::uint32_t i = 0; i < 20'000; ++i) set_.insert(i);
  IdentitySet<std::uint32_t, IdentityAt> grave{IdentityAt{&identities_}};
  grave.swap(set_);
  EXPECT_EQ(set_.size(), 0u);
  EXPECT_EQ(set_.find(identities_[0]), nullptr);
  identities_.clear();
  int slices = 1;
  for (; grave.free_slice(1'000); ++slices) EXPECT_GT(grave.size(), 0u);
  EXPECT_GE(slices, 5);  // of at most a table too many each
  EXPECT_EQ(grave.size(), 0u);
}

}  // namespace
}  // namespace ferry::engine
