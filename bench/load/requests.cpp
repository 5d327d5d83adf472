#include "requests.h"

#include <cstdlib>

namespace ferry::bench {
namespace {

std::string request_of(const Target& target, std::string_view action, std::string_view members) {
  const std::size_t length = members.size() + target.url.size() + 15;
  std::string text = "POST / HTTP/1.1\r\nHost: ";
  text.reserve(length + 256);
  text.append(target.address.host).append(":").append(std::to_string(target.address.port));
  text.append("\r\nContent-Type: application/x-amz-json-1.0\r\nX-Amz-Target: AmazonSQS.").append(action);
  text.append("\r\nUser-Agent: ferry-load\r\nContent-Length: ").append(std::to_string(length)).append("\r\n\r\n");
  text.append("{\"QueueUrl\":\"").append(target.url).append("\"").append(members).append("}");
  return text;
}

void add_member(std::string& text, std::string_view name, std::string_view value) {
  text.append(",\"").append(name).append("\":\"").append(value).append("\"");
}

void add_message(std::string& text, const OutgoingMessage& message) {
  add_member(text, "MessageBody", message.body);
  if (!message.group.empty()) add_member(text, "MessageGroupId", message.group);
  if (!message.deduplication.empty()) add_member(text, "MessageDeduplicationId", message.deduplication);
}

template <class Fill>
std::string entries_of(std::size_t count, Fill fill) {
  std::string text = ",\"Entries\":[";
  for (std::size_t i = 0; i < count; ++i) {
    text.append(i == 0 ? "{\"Id\":\"" : ",{\"Id\":\"").append(std::to_string(i)).append("\"");
    fill(text, i);
    text.push_back('}');
  }
  text.push_back(']');
  return text;
}

}  // namespace

Target::Target(std::string_view text) : url(text) {
  constexpr std::string_view kScheme = "http://";
  const std::size_t colon = text.find(':', kScheme.size());
  if (!text.starts_with(kScheme) || colon == std::string_view::npos)
    die("no queue URL of the form http://ADDRESS:PORT/…: " + url);
  address.host = std::string(text.substr(kScheme.size(), colon - kScheme.size()));
  address.port = static_cast<std::uint16_t>(std::atoi(url.c_str() + colon + 1));
}

std::string send_request(const Target& target, const std::vector<OutgoingMessage>& messages) {
  if (messages.size() == 1) {
    std::string text;
    add_message(text, messages.front());
    return request_of(target, "SendMessage", text);
  }
  return request_of(target, "SendMessageBatch",
                    entries_of(messages.size(), [&](std::string& text, std::size_t i) { add_message(text, messages[i]); }));
}

std::string receive_request(const Target& target, const ReceiveOptions& options) {
  std::string text = ",\"MaxNumberOfMessages\":";
  text.append(std::to_string(options.max));
  if (options.wait_seconds != 0) text.append(",\"WaitTimeSeconds\":").append(std::to_string(options.wait_seconds));
  if (options.visibility_timeout) text.append(",\"VisibilityTimeout\":").append(std::to_string(*options.visibility_timeout));
  return request_of(target, "ReceiveMessage", text);
}

std::string delete_request(const Target& target, const std::vector<std::string>& handles) {
  const auto add_handle = [&](std::string& text, std::size_t i) { add_member(text, "ReceiptHandle", handles[i]); };
  if (handles.size() > 1) return request_of(target, "DeleteMessageBatch", entries_of(handles.size(), add_handle));
  std::string text;
  add_handle(text, 0);
  return request_of(target, "DeleteMessage", text);
}

std::string change_visibility_request(const Target& target, const std::vector<std::string>& handles, int seconds) {
  const auto add_change = [&](std::string& text, std::size_t i) {
    add_member(text, "ReceiptHandle", handles[i]);
    text.append(",\"VisibilityTimeout\":").append(std::to_string(seconds));
  };
  if (handles.size() > 1) return request_of(target, "ChangeMessageVisibilityBatch", entries_of(handles.size(), add_change));
  std::string text;
  add_change(text, 0);
  return request_of(target, "ChangeMessageVisibility", text);
}

std::vector<std::string> values_in(std::string_view body, std::string_view name) {
  const std::string key = std::string(1, '"').append(name).append("\":\"");
  std::vector<std::string> values;
  std::size_t at = 0;
  while ((at = body.find(key, at)) != std::string_view::npos) {
    at += key.size();
    const std::size_t end = body.find('"', at);
    if (end == std::string_view::npos) die("a text without an end");
    values.emplace_back(body.substr(at, end - at));
    at = end;
  }
  return values;
}

void check_batch(std::string_view body) {
  if (body.find("\"Failed\":[{") != std::string_view::npos) die("entries failed: " + std::string(body.substr(0, 600)));
}

}  // namespace ferry::bench
