#include "targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ferry::protocol::fuzz_json_decode({reinterpret_cast<const char*>(data), size});
  return 0;
}
