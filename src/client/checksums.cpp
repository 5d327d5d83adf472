#include "client/checksums.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/digest.h"
#include "base/encoding.h"
#include "sqs/message_attributes.h"

namespace ferry::client {
namespace {
bool is_digest(std::string_view claimed, const Md5Digest& actual) {
  return equals_ignore_case(claimed, hex_encode(actual));
}

std::optional<std::string> check_attributes(const sqs::MessageAttributes& attributes, const sqs::OptionalText& claimed,
                                            std::string_view what) {
  if (attributes.empty()) return std::nullopt;
  if (!claimed) return fmt::format("the answer holds no MD5 of {}", what);
  if (!is_digest(*claimed, sqs::md5_of_attributes(attributes))) return fmt::format("the MD5 of {} does not match", what);
  return std::nullopt;
}
}  // namespace

std::optional<std::string> check_sent(const sqs::SendMessageEntry& entry, const sqs::SendMessageResponse& response) {
  if (!is_digest(response.md5_of_message_body, md5(entry.message_body.value_or("")))) return "the MD5 of the body does not match";
  if (auto fault = check_attributes(entry.message_attributes, response.md5_of_message_attributes, "the attributes")) return fault;
  // Servers that do not know system attributes leave theirs out.
  if (!response.md5_of_message_system_attributes) return std::nullopt;
  return check_attributes(entry.message_system_attributes, response.md5_of_message_system_attributes, "the system attributes");
}

std::optional<std::string> check_sent(const sqs::SendMessageBatchRequest& request,
                                      const sqs::SendMessageBatchResponse& response) {
  const std::vector<sqs::SendMessageEntry> none;
  const auto& entries = request.entries ? *request.entries : none;
  std::vector<int> answers(entries.size());
  const auto entry_of = [&](const std::string& id) {
    const auto found = std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.id == id; });
    if (found != entries.end()) ++answers[static_cast<std::size_t>(found - entries.begin())];
    return found;
  };
  for (const auto& failed : response.failed) {
    if (entry_of(failed.id) == entries.end())
      return fmt::format("an entry \"{}\" was answered that was not sent", escape_control(failed.id));
  }
  for (const auto& successful : response.successful) {
    const auto entry = entry_of(successful.id);
    if (entry == entries.end())
      return fmt::format("an entry \"{}\" was answered that was not sent", escape_control(successful.id));
    if (auto fault = check_sent(*entry, successful.sent))
      return fmt::format("entry \"{}\": {}", escape_control(successful.id), *fault);
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (answers[i] != 1) {
      return fmt::format("entry \"{}\" was answered {} times", escape_control(entries[i].id.value_or("")), answers[i]);
    }
  }
  return std::nullopt;
}

std::optional<std::string> check_received(const sqs::ReceiveMessageResponse& response) {
  for (const sqs::Message& message : response.messages) {
    const std::string who = fmt::format("message {}: ", escape_control(message.message_id));
    if (!is_digest(message.md5_of_body, md5(message.body))) return who + "the MD5 of the body does not match";
    if (auto fault = check_attributes(message.message_attributes, message.md5_of_message_attributes, "the attributes"))
      return who + *fault;
  }
  return std::nullopt;
}

}  // namespace ferry::client
