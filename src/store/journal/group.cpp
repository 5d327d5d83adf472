#include "store/journal/group.h"

#include <utility>

namespace ferry::store {

std::shared_ptr<Slab> SlabPool::take(std::size_t bytes) {
  if (bytes > slab_bytes_) return std::make_shared<Slab>(bytes);
  std::unique_ptr<Slab> slab;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      slab = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (slab == nullptr) slab = std::make_unique<Slab>(slab_bytes_);
  return std::shared_ptr<Slab>(slab.release(),
                               [pool = shared_from_this()](Slab* used) { pool->give_back(std::unique_ptr<Slab>(used)); });
}

void SlabPool::give_back(std::unique_ptr<Slab> slab) {
  const std::lock_guard lock(mutex_);
  if (idle_.size() < idle_max_) idle_.push_back(std::move(slab));
}

}  // namespace ferry::store
