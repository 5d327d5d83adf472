#include "http/request_reader.h"

#include <algorithm>

namespace ferry::http {

void RequestReader::reset() {
  head_parser_.reset();
  decoder_.reset();
  refusal_ = {};
  phase_ = Phase::Head;
  body_end_ = next_ = 0;
  continue_told_ = false;
}

std::size_t RequestReader::bytes_expected() const {
  return phase_ == Phase::Length ? head().bytes + static_cast<std::size_t>(head().content_length) : 0;
}

RequestReader::State RequestReader::need_more() {
  if (!head().expect_continue || continue_told_) return State::NeedMore;
  continue_told_ = true;
  return State::Continue;
}

RequestReader::State RequestReader::advance(char* data, std::size_t& size, const Limits& limits) {
  if (phase_ == Phase::Head) {
    ParseState state = head_parser_.parse({data, size}, limits);
    if (state == ParseState::NeedMore) return State::NeedMore;
    if (state == ParseState::Refused) {
      refusal_ = head_parser_.refusal();
      return State::Refused;
    }
    phase_ = head().chunked ? Phase::Chunks : Phase::Length;
    body_end_ = next_ = head().bytes;
  }
  if (phase_ == Phase::Chunks) return chunks(data, size, limits);
  std::size_t end = bytes_expected();
  body_end_ = next_ = std::min(size, end);
  return size < end ? need_more() : State::Done;
}

RequestReader::State RequestReader::chunks(char* data, std::size_t& size, const Limits& limits) {
  // Raw bytes not yet decoded begin at body_end_: the call before has eaten all that it was given.
  auto progress = decoder_.decode(data + body_end_, size - body_end_, data + body_end_, limits);
  next_ = body_end_ + progress.consumed;
  body_end_ += progress.produced;
  if (progress.state == ParseState::Refused) {
    refusal_ = decoder_.refusal();
    return State::Refused;
  }
  if (progress.state == ParseState::Done) return State::Done;
  size = body_end_;
  return need_more();
}

}  // namespace ferry::http
