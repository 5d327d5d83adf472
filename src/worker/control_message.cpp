#include "worker/control_message.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "base/encoding.h"
#include "sqs/limits.h"
#include "worker/transcript.h"

namespace ferry::worker {
namespace {

namespace json = boost::json;

constexpr int kComplaintsMax = 3;
constexpr Seconds kRunTimeMax = sqs::kVisibilityTimeoutMax - Seconds(60);  // a message is hidden no longer than that in total
constexpr std::size_t kShownBytesMax = 100;

Unexpected<Error> refuse(std::string message) {
  return fail(ErrorKind::InvalidArgument, std::move(message));
}

Result<Seconds> read_seconds(std::string_view name, const json::value& value, Seconds least, Seconds most) {
  double seconds = -1;
  if (value.is_int64()) seconds = static_cast<double>(value.get_int64());
  if (value.is_uint64()) seconds = static_cast<double>(value.get_uint64());
  if (value.is_double()) seconds = std::ceil(value.get_double());
  if (!(seconds >= static_cast<double>(least.count()) && seconds <= static_cast<double>(most.count()))) {
    return refuse(fmt::format("{} must be a number of seconds from {} to {}", name, least.count(), most.count()));
  }
  return Seconds(static_cast<std::int64_t>(seconds));
}

Result<void> read_member(std::string_view name, const json::value& value, ControlMessage& message) {
  if (name == "progress") {
    const bool number = value.is_double() || value.is_int64() || value.is_uint64();
    const double progress = number ? value.to_number<double>() : -1;
    if (!(progress >= 0 && progress <= 1)) return refuse("progress must be a number from 0 to 1");
    message.progress = progress;
  } else if (name == "extend") {
    FERRY_TRY(message.extend, read_seconds(name, value, Seconds(1), kExtendMax));
  } else if (name == "retry_after") {
    FERRY_TRY(message.retry_after, read_seconds(name, value, Seconds(0), kRetryAfterMax));
  } else if (name == "result") {
    std::string text = json::serialize(value);
    if (text.size() > kResultBytesMax)
      return refuse(fmt::format("result has {} bytes; at most {} are kept", text.size(), kResultBytesMax));
    message.result = std::move(text);
  } else if (name == "reject") {
    if (!value.is_string()) return refuse("reject must be a string: the reason");
    message.reject = clip(std::string_view(value.get_string().data(), value.get_string().size()), kRejectBytesMax);
  } else {
    return refuse(
        fmt::format("{} is unknown; there are progress, extend, result, retry_after and reject", clip(name, kShownBytesMax)));
  }
  return {};
}
}  // namespace

Result<ControlMessage> parse_control(std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) return refuse(fmt::format("\"{}\" is not JSON", clip(text, kShownBytesMax)));
  if (!value.is_object()) return refuse(fmt::format("\"{}\" is no JSON object", clip(text, kShownBytesMax)));
  ControlMessage message;
  for (const auto& [key, member] : value.get_object()) {
    FERRY_TRY_VOID(read_member(std::string_view(key.data(), key.size()), member, message));
  }
  return message;
}

SteadyTime extended_deadline(SteadyTime deadline, Seconds extend, RunTimes times) {
  return std::max(deadline, std::min(times.now + extend, times.began + kRunTimeMax));
}

void ControlState::apply(const ControlMessage& message) {
  if (message.result) result_ = *message.result;
  if (message.retry_after) retry_after_ = message.retry_after;
  if (message.reject) reject_ = message.reject;
}

void ControlState::conclude(HandlerResult& result) const {
  if (!result_.empty()) result.result = result_;
  const bool by_itself =
      result.end == HandlerEnd::Done || result.end == HandlerEnd::Retry || result.end == HandlerEnd::Unavailable;
  if (by_itself && reject_) {
    result.end = HandlerEnd::Rejected;
    result.detail = *reject_;
  } else if (by_itself && retry_after_) {
    if (result.end == HandlerEnd::Done) {
      result.end = HandlerEnd::Retry;
      result.detail = "it asks to be tried again";
    }
    result.retry_after = retry_after_;
  }
}

void ControlReader::complain(std::string_view what) {
  if (complaints_ == kComplaintsMax) return;
  ++complaints_;
  complain_(complaints_ == kComplaintsMax ? fmt::format("{}; no more is said of this", what) : std::string(what));
}

void ControlReader::take_line() {
  const std::string_view text = trim(line_);
  if (line_too_long_) {
    complain(fmt::format("a line of more than {} bytes is ignored", kControlLineBytesMax));
  } else if (!text.empty()) {
    const Result<ControlMessage> message = parse_control(text);
    if (message) {
      sink_(*message);
    } else {
      complain(fmt::format("a line is ignored: {}", message.error().message));
    }
  }
  line_.clear();
  line_too_long_ = false;
}

void ControlReader::feed(std::string_view bytes) {
  const std::size_t room = kControlBytesMax - bytes_;
  const bool over = bytes.size() > room;
  bytes = bytes.substr(0, room);
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    if (line_.size() + end > kControlLineBytesMax) {
      line_too_long_ = true;
      line_.clear();
    }
    if (!line_too_long_) line_.append(bytes.substr(0, end));
    if (end < bytes.size()) take_line();
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  if (over) {
    line_.clear();  // what was cut off is no line
    line_too_long_ = false;
    complain(fmt::format("it has written more than {} bytes; the rest is ignored", kControlBytesMax));
  }
}

void ControlReader::finish() {
  if (!line_.empty() || line_too_long_) take_line();
}

}  // namespace ferry::worker
