// The program: chooses the command and gives it what it may use of the outside world.

#include <unistd.h>

#include <string>
#include <vector>

#include "cli/dispatch.h"

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return ferry::cli::dispatch(arguments);
}
