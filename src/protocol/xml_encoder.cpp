#include "protocol/xml_encoder.h"

#include <array>

namespace ferry::protocol {
namespace {

constexpr std::array<bool, 256> make_special() {
  std::array<bool, 256> special{};
  for (const char c : {'&', '<', '>', '"', '\r'}) special[static_cast<unsigned char>(c)] = true;
  return special;
}
constexpr auto kSpecial = make_special();

std::string_view escape_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    default:
      return "&#xD;";
  }
}

}  // namespace

void append_xml_escaped(std::string& out, std::string_view text) {
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!kSpecial[static_cast<unsigned char>(text[i])]) continue;
    out.append(text, start, i - start).append(escape_of(text[i]));
    start = i + 1;
  }
  out.append(text, start);
}

}  // namespace ferry::protocol
