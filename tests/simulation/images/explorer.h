#pragma once
// Crashes: runs a sequence of operations on a machine, builds the disk as of every operation on it in each of the three ways, has
// a fresh machine recover each of them and compares with what the log held. Some images it serves until they are empty, and on
// some it goes on working and crashes that, too.

#include <cstdint>
#include <string>
#include <vector>

#include "simulation/images/operations.h"
#include "simulation/machine/reference_engine.h"

namespace ferry::test {

/// Where a sequence starts.
struct Beginning {
  DiskModel disk;
  Timestamp now;
  Client client;
  bool direct_access = true;
};

struct ExplorerTally {
  std::uint64_t sequences = 0;
  std::uint64_t boundaries = 0;  ///< operations on the disk
  std::uint64_t images = 0;
  std::uint64_t torn = 0;        ///< of the images, those with a part of what was not synced
  std::uint64_t behind = 0;      ///< recoveries that ended before the last record of the sequence
  std::uint64_t tails_cut = 0;   ///< recoveries that met an unfinished group
  std::uint64_t over_stale = 0;  ///< of these, in a segment with groups of its former life
  std::uint64_t served = 0;      ///< images that were served until they were empty
  std::uint64_t again = 0;       ///< of the images, those of second crashes
};

/// Whole group headers in a segment that belong to a former use of its file.
std::uint64_t stale_groups(const DiskImage& disk, std::uint32_t segment);

/// Reports with ADD_FAILURE(), and stops at the first failure.
class Explorer {
 public:
  struct Effort {
    int tearings = 3;   ///< torn images of each operation on the disk
    bool serve = true;  ///< one image of each mode
    std::vector<int> again = {
        1};  ///< one image of each mode is worked on, once for each of these numbers of operations, and crashed
    std::uint64_t seed = 0;
  };
  Explorer(ExplorerTally& tally, Effort effort) : tally_(tally), effort_(std::move(effort)) {}

  /// LastOperation: shorter sequences have crashed in those before it.
  enum class Cover { LastOperation, Everything };
  struct Seeds {
    std::uint64_t machine;  ///< sequences with a common start need the same
    std::uint64_t chance;
  };
  void explore(const Beginning& beginning, const std::vector<Operation>& operations, Cover cover, Seeds seeds);

 private:
  // A sequence that was run.
  struct Course;
  struct Image {
    DiskModel disk;  // of Everything: with what is not synced, since the machine lived on
    DiskImage files;
    CrashMode mode;
    std::size_t boundary = 0;
    std::uint64_t durable = 0;  // acknowledged before
  };
  void explore(const Beginning& beginning, const Course* parent, std::uint64_t durable, const std::vector<Operation>& operations,
               Cover cover, Seeds seeds);
  void crash_everywhere(Course& course);
  /// The last position that it kept.
  std::uint64_t check_image(Course& course, const Image& image);
  void check_bodies(const Client& client, JournalMachine& machine, const Observation& observation);
  void use(const Course& course, const Image& image);
  void use_handles(const Client& client, JournalMachine& machine);
  void serve(const Client& client, JournalMachine& machine);

  ExplorerTally& tally_;
  const Effort effort_;
  int depth_ = 0;
};

}  // namespace ferry::test
