#include "store/journal/read_buffers.h"

#include <sys/mman.h>

#include "base/check.h"
#include "base/file.h"

namespace ferry::store {
namespace {
constexpr std::size_t kRegionBytes = 2u << 20;  // a large page where pages have 4 KiB
}

std::shared_ptr<std::byte> ReadBuffers::take(std::size_t bytes) {
  if (bytes != kBytes) {
    auto alone = std::make_shared<AlignedBuffer>(bytes);
    std::byte* const memory = alone->data();
    return {std::move(alone), memory};
  }
  std::byte* memory = nullptr;
  {
    const std::lock_guard lock(kept_->mutex);
    if (kept_->unused.empty()) kept_->add_region();
    memory = kept_->unused.back();
    kept_->unused.pop_back();
  }
  return {memory, [kept = kept_](std::byte* used) {
            const std::lock_guard lock(kept->mutex);
            kept->unused.push_back(used);
          }};
}

void ReadBuffers::Kept::add_region() {
  regions.emplace_back(static_cast<std::byte*>(std::aligned_alloc(kRegionBytes, kRegionBytes)));
  std::byte* const base = regions.back().get();
  FERRY_CHECK(base != nullptr);
  (void)madvise(base, kRegionBytes, MADV_HUGEPAGE);  // refused: it is only slower
  for (std::size_t at = 0; at < kRegionBytes; at += kBytes) unused.push_back(base + at);
}

}  // namespace ferry::store
