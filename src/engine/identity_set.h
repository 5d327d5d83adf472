#pragma once
// A hash set of small elements that each stand for an identity which is kept elsewhere. It grows a little at a time: a table
// that is as full as it may be becomes two, so that no insertion moves more than kTableMax elements, and a look-up touches two
// places in memory however many there are.
//
// The tables hang in a directory of 2^depth places, by some bits of the hash; a table may stand in several of them ("extendible
// hashing"). An element costs sizeof(Element) + 1 bytes, divided by how full its table is (7/16 to 7/8).

#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "engine/identity_hash.h"

namespace ferry::engine {

/// IdentityOf: from an element to its IdentityHash; called whenever elements move, so what it looks at has to be there as long
/// as the element is in the set. Not thread-safe. Two elements of one identity are not allowed.
template <class Element, class IdentityOf>
class IdentitySet {
 public:
  explicit IdentitySet(IdentityOf identity_of) : identity_of_(identity_of) { clear(); }
  IdentitySet(const IdentitySet&) = delete;
  IdentitySet& operator=(const IdentitySet&) = delete;

  /// Null when there is none. Ends with any change of the set.
  const Element* find(const IdentityHash& identity) const {
    const auto& elements = table_of(hash_of(identity)).elements;
    const auto found = elements.find(identity);
    return found == elements.end() ? nullptr : &*found;
  }
  void insert(const Element& element) {
    const std::size_t hash = hash_of(identity_of_(element));
    Table* table = &table_of(hash);
    if (table->elements.size() >= kTableMax && table->depth < kDepthMax) {
      split(*table);
      table = &table_of(hash);
    }
    if (table->elements.insert(element).second) ++size_;
  }
  /// False when there was none.
  bool erase(const IdentityHash& identity) {
    auto& elements = table_of(hash_of(identity)).elements;
    if (elements.erase(identity) == 0) return false;
    if (--size_ == 0 && tables_.size() > 1)
      clear();
    else if (elements.size() * 8 < elements.capacity() && elements.capacity() > kTableMin)
      elements.rehash(0);
    return true;
  }
  /// Asks the processor for what find() and insert() of that identity will look at.
  void prefetch(const IdentityHash& identity) const { table_of(hash_of(identity)).elements.prefetch(identity); }

  std::size_t size() const { return size_; }
  /// For a set that is used no more; asks for no identity. True: there is more.
  bool free_slice(std::size_t max) {
    for (std::size_t freed = 0; freed < max && tables_.size() > 1;) {
      freed += tables_.back()->elements.size() + 1;
      size_ -= tables_.back()->elements.size();
      tables_.pop_back();
    }
    if (tables_.size() > 1) return true;
    clear();
    return false;
  }
  void swap(IdentitySet& other) noexcept {
    std::swap(identity_of_, other.identity_of_);
    tables_.swap(other.tables_);
    directory_.swap(other.directory_);
    std::swap(depth_, other.depth_);
    std::swap(size_, other.size_);
  }

 private:
  static constexpr std::size_t kTableMax = 3'000;
  static constexpr std::size_t kTableMin = 64;    // capacities up to this are not worth shrinking
  static constexpr unsigned kDepthMax = 20;       // 3 thousand million elements; after that tables just grow
  static constexpr unsigned kDirectoryBits = 40;  // the tables themselves use the bits below

  struct Hash {
    using is_transparent = void;
    IdentityOf identity_of;
    std::size_t operator()(const IdentityHash& identity) const { return hash_of(identity); }
    std::size_t operator()(const Element& element) const { return hash_of(identity_of(element)); }
  };
  struct Equal {
    using is_transparent = void;
    IdentityOf identity_of;
    bool operator()(const Element& element, const IdentityHash& identity) const { return identity_of(element) == identity; }
    bool operator()(const IdentityHash& identity, const Element& element) const { return identity_of(element) == identity; }
    bool operator()(const Element& one, const Element& other) const { return one == other; }
  };
  struct Table {
    unsigned depth;     // how many bits of the directory all its elements share
    std::size_t place;  // and which
    absl::flat_hash_set<Element, Hash, Equal> elements;
  };

  // Seeded for each process: nobody outside can choose ids that meet in one place.
  static std::size_t hash_of(const IdentityHash& identity) { return absl::HashOf(identity.high, identity.low); }
  std::size_t place_of(std::size_t hash) const { return hash >> kDirectoryBits & ((std::size_t{1} << depth_) - 1); }
  Table& table_of(std::size_t hash) { return *directory_[place_of(hash)]; }
  const Table& table_of(std::size_t hash) const { return *directory_[place_of(hash)]; }
  Table& add_table(unsigned depth, std::size_t place) {
    absl::flat_hash_set<Element, Hash, Equal> elements(0, Hash{identity_of_}, Equal{identity_of_});
    return *tables_.emplace_back(std::make_unique<Table>(Table{depth, place, std::move(elements)}));
  }

  void clear() {
    tables_.clear();
    depth_ = 0;
    size_ = 0;
    directory_.assign(1, &add_table(0, 0));
  }

  // Those whose next bit is set go to a new table.
  void split(Table& table) {
    if (table.depth == depth_) {
      directory_.insert(directory_.end(), directory_.begin(), directory_.end());
      ++depth_;
    }
    const std::size_t bit = std::size_t{1} << table.depth;
    ++table.depth;
    Table& added = add_table(table.depth, table.place | bit);
    added.elements.reserve(table.elements.size() / 2);
    for (std::size_t place = added.place; place < directory_.size(); place += bit * 2) directory_[place] = &added;
    for (auto at = table.elements.begin(); at != table.elements.end();) {
      const auto element = at++;
      if ((hash_of(identity_of_(*element)) >> kDirectoryBits & bit) == 0) continue;
      added.elements.insert(*element);
      table.elements.erase(element);
    }
    table.elements.rehash(0);
  }

  IdentityOf identity_of_;
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<Table*> directory_;
  unsigned depth_ = 0;
  std::size_t size_ = 0;
};

}  // namespace ferry::engine
