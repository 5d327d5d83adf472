// The fuzzer's target on the abuse table and on seeded mutations of it: short enough for every run of the tests.

#include <gtest/gtest.h>

#include "abuse_inputs.h"
#include "base/random.h"
#include "request_target.h"

namespace ferry::http::fuzz {
namespace {

std::vector<std::string> seeds() {
  std::vector<std::string> seeds;
  for (const auto& inputs : {test::abuse_inputs(), test::fair_inputs()}) {
    for (const auto& input : inputs) {
      if (input.bytes.size() <= 2000) seeds.push_back(input.bytes);
    }
  }
  return seeds;
}

std::string mutated(Random& random, const std::vector<std::string>& seeds) {
  static constexpr std::string_view kPieces[] = {"\r\n",
                                                 "\n",
                                                 "\r",
                                                 " ",
                                                 "\t",
                                                 ":",
                                                 ",",
                                                 "0",
                                                 "5",
                                                 "f",
                                                 "chunked",
                                                 ";",
                                                 "\r\n\r\n",
                                                 "/",
                                                 "Content-Length: 3\r\n",
                                                 "Transfer-Encoding: chunked\r\n",
                                                 "Host: a\r\n",
                                                 "HTTP/1.1"};
  static const std::vector<test::RawInput> fair = test::fair_inputs();
  std::string text = random.below(2) == 0 ? fair[random.below(fair.size())].bytes : seeds[random.below(seeds.size())];
  for (auto edits = 1 + random.below(4); edits > 0; --edits) {
    std::size_t at = random.below(text.size() + 1);
    switch (random.below(5)) {
      case 0:
        text.insert(at, kPieces[random.below(std::size(kPieces))]);
        break;
      case 1:
        text.erase(at, 1 + random.below(8));
        break;
      case 2:
        if (at < text.size()) text[at] = static_cast<char>(random.below(256));
        break;
      case 3:
        text.insert(at, text.substr(random.below(text.size() + 1), random.below(40)));
        break;
      default:
        text += seeds[random.below(seeds.size())];
    }
  }
  return text;
}

TEST(RequestFuzz, SeedsHold) {
  std::size_t requests = 0;
  for (const std::string& seed : seeds()) {
    requests += check_request_reader(std::string(2, '\0') + seed);
    check_request_reader("\x01\x02" + seed);
  }
  EXPECT_GE(requests, test::fair_inputs().size());
}

TEST(RequestFuzz, SeededMutationsHold) {
  auto all = seeds();
  std::size_t requests = 0;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    SeededRandom random(seed);
    std::string input = {static_cast<char>(random.below(2)), static_cast<char>(random.below(256))};
    SCOPED_TRACE(seed);
    requests += check_request_reader(input + mutated(random, all));
  }
  EXPECT_GT(requests, 2000u) << "mutations still reach past the head";
}

}  // namespace
}  // namespace ferry::http::fuzz
