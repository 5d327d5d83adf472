#include "signing/admission.h"

#include <span>

namespace ferry::signing {

std::variant<Admission::Admitted, Refused> Admission::check(const sqs::Message& message, const std::string& request) const {
  const std::span<const std::string> requests = request.empty() ? std::span<const std::string>() : std::span(&request, 1);
  const Asked asked{message, options_.queue, requests};
  auto outcome = file_ != nullptr ? file_->current()->check(asked, clock_.wall()) : fixed_->check(asked, clock_.wall());
  if (auto* verified = std::get_if<Verified>(&outcome)) return Admitted(std::move(*verified));
  auto& refused = std::get<Refused>(outcome);
  const bool allowed = options_.unsigned_messages == config::UnsignedMessages::Allow;
  if (refused.code == RefusalCode::Unsigned && allowed) return Admitted();
  return refused;
}

}  // namespace ferry::signing
