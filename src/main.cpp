// The program: chooses the command and gives it what it may use of the outside world.

#include <unistd.h>

#include <string>
#include <vector>

#include "cli/dispatch.h"

#ifdef FERRY_WITH_MIMALLOC
#include <mimalloc.h>
#endif

int main(int argc, char** argv) {
#ifdef FERRY_WITH_MIMALLOC
  // The index of millions of messages is walked at random: with pages of 4 KiB most steps miss the TLB (docs/adr/0006).
  mi_option_set_enabled_default(mi_option_large_os_pages, true);
#endif
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return ferry::cli::dispatch(arguments);
}
