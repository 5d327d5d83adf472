#include "ledger/text.h"

#include "base/encoding.h"

namespace ferry::ledger {

std::string readable(std::string_view text, std::size_t bytes_max) {
  constexpr std::string_view kClipped = "…";
  // Only what can be shown is looked at: escaping never shortens.
  const bool whole = text.size() <= bytes_max;
  std::string shown = escape_control(whole ? text : text.substr(0, bytes_max));
  if (whole && shown.size() <= bytes_max) return shown;
  std::size_t end = bytes_max - kClipped.size();
  while (end > 0 && (static_cast<unsigned char>(shown[end]) & 0xC0) == 0x80) --end;
  shown.resize(end);
  return shown.append(kClipped);
}

}  // namespace ferry::ledger
