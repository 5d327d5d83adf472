#pragma once
// MD5 of several texts side by side. MD5 is a chain of dependent steps, so one text cannot use wide instructions; up to
// kMd5Lanes texts can: each vector element runs the algorithm (RFC 1321) for a text of its own. Ten bodies of 1 KiB cost
// about as much as two hashed one after another.

#include <cstddef>
#include <span>
#include <string_view>

#include "base/digest.h"

namespace ferry {

inline constexpr std::size_t kMd5Lanes = 16;

/// digests[i] = md5(inputs[i]); at most kMd5Lanes inputs. Lanes run until the longest input ends.
void md5_lanes(std::span<const std::string_view> inputs, std::span<Md5Digest> digests);

}  // namespace ferry
