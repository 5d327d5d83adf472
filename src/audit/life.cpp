#include "audit/life.h"

#include "base/log.h"

namespace ferry::audit {
namespace {

class Builder {
 public:
  Builder(std::string_view event, const Ids& ids)
      : entry_{std::string(event), ids.message_id, ids.request_id, ids.queue, ids.request, {}}, trace_(ids.trace) {}

  Builder& text(std::string_view name, std::string_view value) {
    if (!value.empty()) entry_.fields.push_back({std::string(name), std::string(value)});
    return *this;
  }
  Builder& number(std::string_view name, std::int64_t value) {
    entry_.fields.push_back({std::string(name), value});
    return *this;
  }
  Entry entry() {
    text("trace_id", trace_.trace_id).text("span_id", trace_.span_id).text("parent_span_id", trace_.parent_span_id);
    return std::move(entry_);
  }

 private:
  Entry entry_;
  const Ids::Trace& trace_;
};
}  // namespace

Entry received(const Ids& ids, const Received& what) {
  return Builder(kReceived, ids)
      .number("receive_count", what.receive_count)
      .text("sent_at", what.sent_at)
      .text("sender_id", what.sender_id)
      .entry();
}

Entry verified(const Ids& ids, const Verified& what) {
  return Builder(kVerified, ids)
      .text("sender", what.sender)
      .text("key", what.key_id)
      .text("signed_at", format_utc(what.signed_at))
      .entry();
}

Entry refused(const Ids& ids, const Refused& what) {
  return Builder(kRefused, ids).text("code", what.code).text("reason", what.reason).text("key", what.key_id).entry();
}

Entry claimed(const Ids& ids, const Claimed& what) {
  return Builder(kClaimed, ids).text("answer", what.answer).number("fence", what.fence).number("attempt", what.attempt).entry();
}

Entry attempt_started(const Ids& ids, const AttemptStarted& what) {
  return Builder(kAttemptStarted, ids)
      .number("attempt", what.attempt)
      .text("handler", what.handler)
      .text("deadline", what.deadline ? format_utc(*what.deadline) : std::string())
      .entry();
}

Entry attempt_ended(const Ids& ids, const AttemptEnded& what) {
  return Builder(kAttemptEnded, ids)
      .number("attempt", what.attempt)
      .text("outcome", what.outcome)
      .text("detail", what.detail)
      .number("took_ms", what.took.count())
      .text("output", what.output)
      .entry();
}

Entry settled(const Ids& ids, const Settled& what) {
  Builder builder(kSettled, ids);
  builder.text("how", what.how);
  if (what.visible_in) builder.number("visible_in_s", what.visible_in->count());
  return builder.text("reason", what.reason).entry();
}

void OutputTail::add(std::string_view line) {
  if (count_ > 0) lines_.push_back('\n');
  lines_ += line.substr(line.size() > kOutputTailBytes ? line.size() - kOutputTailBytes : 0);
  ++count_;
  while (count_ > kOutputTailLines || (count_ > 1 && lines_.size() > kOutputTailBytes)) {
    lines_.erase(0, lines_.find('\n') + 1);
    --count_;
    more_ = true;
  }
}

std::string OutputTail::text() const {
  return more_ ? "…\n" + lines_ : lines_;
}

}  // namespace ferry::audit
