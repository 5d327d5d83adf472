#include <cstddef>
#include <cstdint>

#include "request_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ferry::http::fuzz::check_request_reader({reinterpret_cast<const char*>(data), size});
  return 0;
}
