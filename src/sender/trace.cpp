#include "sender/trace.h"

#include <algorithm>
#include <optional>

#include "base/trace_context.h"
#include "sqs/limits.h"
#include "sqs/message_attributes.h"

namespace ferry::sender {
namespace {

const sqs::MessageAttributeValue* find(const sqs::SendMessageEntry& entry, std::string_view name) {
  const auto found = std::find_if(entry.message_attributes.begin(), entry.message_attributes.end(),
                                  [&](const auto& attribute) { return attribute.first == name; });
  return found == entry.message_attributes.end() ? nullptr : &found->second;
}

void add_text(sqs::SendMessageEntry& entry, std::string_view name, const std::string& value) {
  entry.message_attributes.emplace_back(std::string(name), sqs::MessageAttributeValue{"String", value, std::nullopt, false});
}

bool fits(const sqs::SendMessageEntry& entry) {
  return entry.message_attributes.size() <= sqs::kMessageAttributesMax && sqs::message_bytes(entry) <= sqs::kMessageBytesMax;
}
}  // namespace

Result<TraceFit> stamp_traced(const signing::Stamper& stamper, sqs::SendMessageEntry& entry, signing::Stamp stamp,
                              const Trace* trace) {
  stamp.traceparent.reset();
  TraceFit otherwise = TraceFit::Whole;
  if (const auto* own = find(entry, kTraceparentName)) {
    if (own->string_value && parse_traceparent(*own->string_value)) stamp.traceparent = own->string_value;
    otherwise = TraceFit::Own;
  } else if (trace != nullptr) {
    stamp.traceparent = trace->parent;
    const bool with_state = !trace->state.empty() && find(entry, kTracestateName) == nullptr;
    for (const bool state : {true, false}) {
      if (state && !with_state) continue;
      sqs::SendMessageEntry with = entry;
      add_text(with, kTraceparentName, trace->parent);
      if (state) add_text(with, kTracestateName, trace->state);
      if (!fits(with) || !stamper.stamp(with, stamp)) continue;
      entry = std::move(with);
      return state == with_state ? TraceFit::Whole : TraceFit::NoState;
    }
    otherwise = TraceFit::NoRoom;
  }
  if (stamp.traceparent && stamper.stamp(entry, stamp)) return otherwise;
  stamp.traceparent.reset();  // some bytes less
  FERRY_TRY_VOID(stamper.stamp(entry, stamp));
  return otherwise;
}

}  // namespace ferry::sender
