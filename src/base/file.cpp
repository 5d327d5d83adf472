#include "base/file.h"

#include <cstdlib>

#include "base/check.h"

namespace ferry {

AlignedBuffer::AlignedBuffer(std::size_t bytes) : bytes_(bytes) {
  const std::size_t whole = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(kAlignment, whole == 0 ? kAlignment : whole)));
  FERRY_CHECK(memory_ != nullptr);
}

void AlignedBuffer::Free::operator()(std::byte* memory) const {
  std::free(memory);
}

}  // namespace ferry
