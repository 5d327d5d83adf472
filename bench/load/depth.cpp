// The load generators behind bench/depth.py, disturbance.py, fair.py and moves.py.
//
//   ferry_depth LOAD WORDS... [OPTIONS]        see programs.h

#include <map>
#include <string>

#include "messages.h"
#include "programs.h"

int main(int argc, char** argv) {
  using namespace ferry::bench;
  std::vector<std::string_view> options = {"--messages", "--connections", "--batch",    "--rounds",    "--milliseconds",
                                           "--rate",     "--seconds",     "--log",      "--bytes",     "--threads",
                                           "--hold-ms",  "--tenants",     "--every-ms", "--at-most-s", "--visibility"};
  std::vector<std::string_view> flags = {"--no-send", "--no-delete", "--tagged"};
  options.insert(options.end(), MessageSource::kOptions.begin(), MessageSource::kOptions.end());
  flags.insert(flags.end(), MessageSource::kFlags.begin(), MessageSource::kFlags.end());
  const Arguments arguments(argc, argv, options, flags);
  const std::map<std::string, int (*)(const Arguments&)> loads = {{"fill", fill},       {"touch", touch}, {"rounds", rounds},
                                                                  {"windows", windows}, {"probe", probe}, {"fair", fair},
                                                                  {"reads", reads}};
  if (arguments.words().size() < 2 || !loads.contains(arguments.words()[0])) {
    die("usage: ferry_depth fill|touch|rounds|windows|probe|fair|reads WORDS... [OPTIONS]");
  }
  return loads.at(arguments.words()[0])(arguments);
}
