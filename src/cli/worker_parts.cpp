#include "cli/worker_parts.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "cli/worker_ledger.h"
#include "ledger/open_ledger.h"
#include "signing/key_file.h"
#include "signing/trust_file.h"
#include "worker/endpoint_probe.h"

namespace ferry::cli {
namespace {

constexpr Millis kProbeTimeMax{5'000};
constexpr std::chrono::days kCertificateSoon{14};

class Parts {
 public:
  Parts(const config::Handoff& handoff, const CommandContext& context) : handoff_(handoff), context_(context) {}

  std::vector<Finding> files() {
    look_at_trust();
    look_at_trail();
    if (const auto place = ledger_place(); !place)
      add(Severity::Error, "ledger", place.error().message, "name a place with ledger.path in " + handoff_.file);
    return std::move(findings_);
  }

  std::vector<Finding> live() {
    look_at_ledger();
    for (const config::RequestType& request : handoff_.requests) {
      if (request.handler && request.handler->http) look_at_endpoint(request);
    }
    return std::move(findings_);
  }

 private:
  void add(Severity severity, std::string_view check, std::string text, std::string mend) {
    findings_.push_back({severity, std::string(check), std::move(text), std::move(mend)});
  }

  void look_at_trust() {
    const std::string& path = handoff_.trust.senders;
    if (path.empty()) return;
    const auto file = signing::TrustFile::open(path, context_.clock, [](signing::TrustFile::News, std::string_view) {});
    if (!file)
      add(Severity::Error, "trust", file.error().text(), "mend the file of allowed senders; docs/signing.md describes it");
  }

  void look_at_trail() {
    const config::AuditTable& table = handoff_.audit;
    if (table.folder.empty()) return;
    for (const std::string& folder : {table.folder, table.checkpoints}) {
      if (!folder.empty()) look_at_folder(folder);
    }
    if (table.key.empty()) return;
    const auto path = signing::key_path(table.key, context_.environment);
    const auto key = path ? signing::load_private_key(*path) : Unexpected(path.error());
    if (!key) add(Severity::Error, "audit", key.error().message, fmt::format("ferry key new {}", table.key));
  }

  // It is made when it is missing, as far as its parents are there and let us.
  void look_at_folder(const std::string& folder) {
    std::error_code ignored;
    std::filesystem::path there = folder;
    while (there.has_relative_path() && !std::filesystem::exists(there, ignored)) there = there.parent_path();
    if (!std::filesystem::is_directory(there, ignored)) {
      return add(Severity::Error, "audit", fmt::format("{} is no folder", there.string()),
                 "name another folder in " + handoff_.file);
    }
    if (::access(there.c_str(), W_OK | X_OK) == 0) return;
    add(Severity::Error, "audit", fmt::format("this user may not write to {}", there.string()),
        fmt::format("give {} to the user that the worker runs as", there.string()));
  }

  Result<std::string> ledger_place() const {
    static const std::string kNotNamed;
    return place_of_ledger({handoff_.ledger, kNotNamed}, context_.environment);
  }

  void look_at_ledger() {
    const auto place = ledger_place();
    if (!place || place->empty()) return;  // the files tell, or there is none
    ledger::OpenOptions options;
    options.create = false;
    const auto opened = ledger::open_ledger(*place, options, context_.clock);
    if (opened || opened.error().kind == ErrorKind::NotFound) return;  // the first run makes it
    add(Severity::Error, "ledger", opened.error().message,
        "no message is handled without it: mend it, or name another with ledger.path");
  }

  void look_at_endpoint(const config::RequestType& request) {
    const config::HttpEndpoint& endpoint = *request.handler->http;
    const worker::EndpointProbe probe = worker::probe_endpoint(endpoint, kProbeTimeMax);
    if (probe.untrusted) {
      return add(Severity::Error, "handler-endpoint", fmt::format("{} is not believed: {}", endpoint.url, probe.error),
                 fmt::format("name the authority's certificate with request.{}.ca_file, or call it by the name in its own",
                             request.name));
    }
    if (!probe.error.empty()) {
      return add(Severity::Error, "handler-endpoint", fmt::format("{} cannot be reached: {}", endpoint.url, probe.error),
                 "start it; until then its messages go back and the handler is paused");
    }
    if (!probe.certificate_expires || *probe.certificate_expires - context_.clock.wall() > kCertificateSoon) return;
    add(Severity::Warning, "handler-endpoint",
        fmt::format("the certificate of {} ends on {}", endpoint.url, format_utc(*probe.certificate_expires)), "renew it");
  }

  const config::Handoff& handoff_;
  const CommandContext& context_;
  std::vector<Finding> findings_;
};
}  // namespace

std::vector<Finding> examine_files(const config::Handoff& handoff, const CommandContext& context) {
  return Parts(handoff, context).files();
}

std::vector<Finding> examine_live(const config::Handoff& handoff, const CommandContext& context) {
  return Parts(handoff, context).live();
}

}  // namespace ferry::cli
