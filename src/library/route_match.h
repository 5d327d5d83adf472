#pragma once
// How a C++ handler's messages are recognised, in the form that the configuration file has.

#include "base/result.h"
#include "config/match.h"
#include "ferry/handler.h"

namespace ferry::library {

/// InvalidArgument, a sentence part: it can never match, or its expression, pointer or attribute is none.
Result<config::Match> to_config(const Match& match);

}  // namespace ferry::library
