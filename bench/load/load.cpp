// A load generator for the cycle that wrk cannot make: send, receive, delete with the handle that the receive gave.
//
//   ferry_load HOST PORT QUEUE [--batch N] [--connections N] [--seconds N] [--body BYTES] [--blind]
//
// One thread, one epoll set, closed loop: each connection has one request under way. --batch 1 uses the single actions,
// otherwise the batch ones. --blind takes any answer for a good one and deletes with a made-up handle: for a server that
// answers everything with a static page. Prints one line of JSON.

#include <cstdio>

#include "arguments.h"
#include "cycles.h"

int main(int argc, char** argv) {
  using namespace ferry::bench;
  const Arguments arguments(argc, argv, {"--batch", "--connections", "--seconds", "--body"}, {"--blind"});
  if (arguments.words().size() != 3) {
    die("usage: ferry_load HOST PORT QUEUE [--batch N] [--connections N] [--seconds N] [--body BYTES] [--blind]");
  }
  const Target target(arguments.words()[0], static_cast<std::uint16_t>(std::atoi(arguments.words()[1].c_str())),
                      arguments.words()[2]);
  const double seconds = arguments.number("--seconds", 5, {0.1, 3600});
  CycleOptions options;
  options.batch = arguments.count("--batch", 1, {1, 10});
  options.blind = arguments.has("--blind");
  options.warm_up = std::chrono::milliseconds(300);
  options.time = std::chrono::milliseconds(static_cast<int>(seconds * 1000));
  MessageSource source(arguments);
  Pool pool(target.address, arguments.count("--connections", 64, {1, 10'000}));
  Cycles cycles(target, source, options, pool.size());
  pool.run(cycles, std::chrono::seconds(static_cast<int>(seconds) + 31));
  std::printf("%s\n", cycles.report().c_str());
  return 0;
}
