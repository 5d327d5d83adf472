// The chain: order, keeping, refreshing. Credentials are refreshed from five minutes before they expire, a little earlier by
// chance so that a fleet does not ask at once. As long as the old ones are valid, a refresh that fails costs nothing but a
// warning.

#include "client/credentials.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>

namespace ferry::client {
namespace {
constexpr std::chrono::minutes kRefreshAhead{5};
constexpr std::chrono::seconds kRefreshJitter{60};
constexpr std::chrono::seconds kRefreshPause{30};  // after a refresh that failed; jitter on top

class FixedSource final : public CredentialSource {
 public:
  explicit FixedSource(std::optional<access::Credentials> credentials) : credentials_(std::move(credentials)) {}
  Result<std::optional<access::Credentials>> get() override { return credentials_; }

 private:
  const std::optional<access::Credentials> credentials_;
};

class RefreshingSource final : public CredentialSource {
 public:
  RefreshingSource(std::vector<std::unique_ptr<CredentialProvider>> chain, WhenNone when_none, const Clock& clock, Random& random,
                   const Logger& log)
      : chain_(std::move(chain)), when_none_(when_none), clock_(clock), random_(random), log_(log) {}

  Result<std::optional<access::Credentials>> get() override {
    std::unique_lock lock(mutex_);
    const std::uint64_t round = round_;
    for (;;) {
      if (anonymous_) return std::optional<access::Credentials>();
      const Timestamp now = clock_.wall();
      const bool valid = kept_ && (!kept_->expires || now < *kept_->expires);
      if (valid && (now < refresh_at_ || fetching_)) return std::optional(kept_->credentials);
      if (!fetching_ && round_ != round && failure_) return Unexpected(*failure_);  // somebody tried while we waited
      if (!fetching_) break;
      done_.wait(lock);
    }
    fetching_ = true;
    lock.unlock();
    auto fetched = fetch();
    lock.lock();
    fetching_ = false;
    ++round_;
    auto result = conclude(std::move(fetched));
    lock.unlock();
    done_.notify_all();
    return result;
  }

 private:
  Result<std::optional<FetchedCredentials>> fetch() {
    if (chosen_ != nullptr) return fetch_from(*chosen_, FetchMode::Fetch);
    std::string looked_at;
    for (const auto& provider : chain_) {
      FERRY_TRY(auto fetched, fetch_from(*provider, FetchMode::Probe));
      if (fetched) {
        chosen_ = provider.get();
        log_.debug("credentials found", {{"source", provider->name()}});
        return fetched;
      }
      looked_at += (looked_at.empty() ? "" : ", ") + provider->name();
    }
    if (when_none_ == WhenNone::Anonymous) return std::optional<FetchedCredentials>();
    return fail(ErrorKind::NotFound, fmt::format("there are no AWS credentials; looked at: {}", looked_at));
  }

  Result<std::optional<FetchedCredentials>> fetch_from(CredentialProvider& provider, FetchMode mode) {
    auto fetched = provider.fetch(mode);
    if (!fetched) {
      return fail(fetched.error().kind, fmt::format("credentials from {}: {}", provider.name(), fetched.error().message));
    }
    if (!*fetched && mode == FetchMode::Fetch) {
      return fail(ErrorKind::NotFound, fmt::format("credentials from {}: there are none any more", provider.name()));
    }
    if (*fetched && (*fetched)->expires && *(*fetched)->expires <= clock_.wall()) {
      return fail(ErrorKind::Unavailable, fmt::format("credentials from {}: they have expired already", provider.name()));
    }
    return fetched;
  }

  // With the mutex held.
  Result<std::optional<access::Credentials>> conclude(Result<std::optional<FetchedCredentials>>&& fetched) {
    const Timestamp now = clock_.wall();
    failure_.reset();
    if (fetched && *fetched) {
      kept_ = **std::move(fetched);
      refresh_at_ = Timestamp::max();
      if (kept_->expires) {
        // Short-lived ones are used for at least half of their time.
        const Millis ahead = std::min<Millis>(kRefreshAhead + jitter(), (*kept_->expires - now) / 2);
        refresh_at_ = *kept_->expires - ahead;
      }
      return std::optional(kept_->credentials);
    }
    if (fetched) {
      anonymous_ = true;
      return std::optional<access::Credentials>();
    }
    if (kept_ && (!kept_->expires || now < *kept_->expires)) {
      refresh_at_ = now + kRefreshPause + jitter();
      log_.warn("credentials could not be refreshed; the old ones are still valid", {{"error", fetched.error().message}});
      return std::optional(kept_->credentials);
    }
    failure_ = fetched.error();
    return Unexpected(std::move(fetched).error());
  }

  Millis jitter() { return Millis(static_cast<std::int64_t>(random_.below(Millis(kRefreshJitter).count() + 1))); }

  const std::vector<std::unique_ptr<CredentialProvider>> chain_;
  const WhenNone when_none_;
  const Clock& clock_;
  Random& random_;
  const Logger& log_;
  CredentialProvider* chosen_ = nullptr;  // used by the thread that fetches, of which there is one

  std::mutex mutex_;  // guards the rest; not held while fetching
  std::condition_variable done_;
  bool fetching_ = false;
  bool anonymous_ = false;
  std::uint64_t round_ = 0;  // fetches so far
  std::optional<FetchedCredentials> kept_;
  Timestamp refresh_at_ = Timestamp::max();
  std::optional<Error> failure_;  // of the last fetch
};

class EnvironmentProvider final : public CredentialProvider {
 public:
  explicit EnvironmentProvider(const Environment& environment) : environment_(environment) {}
  std::string name() const override { return "environment"; }
  Result<std::optional<FetchedCredentials>> fetch(FetchMode) override {
    FetchedCredentials out;
    out.credentials.access_key = value_of(environment_, "AWS_ACCESS_KEY_ID");
    out.credentials.secret_key = value_of(environment_, "AWS_SECRET_ACCESS_KEY");
    out.credentials.session_token = value_of(environment_, "AWS_SESSION_TOKEN");
    if (out.credentials.access_key.empty() && out.credentials.secret_key.empty()) return std::optional<FetchedCredentials>();
    if (out.credentials.access_key.empty()) {
      return fail(ErrorKind::InvalidArgument, "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not");
    }
    if (out.credentials.secret_key.empty()) {
      return fail(ErrorKind::InvalidArgument, "AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
    }
    return std::optional(std::move(out));
  }

 private:
  const Environment environment_;
};

// A web identity is an origin that is not supported. To pass it over in silence on Amazon would mean to act in another name.
class WebIdentityProvider final : public CredentialProvider {
 public:
  explicit WebIdentityProvider(const Environment& environment)
      : configured_(!value_of(environment, "AWS_WEB_IDENTITY_TOKEN_FILE").empty()) {}
  std::string name() const override { return "web identity"; }
  Result<std::optional<FetchedCredentials>> fetch(FetchMode) override {
    if (!configured_) return std::optional<FetchedCredentials>();
    return fail(
        ErrorKind::InvalidArgument,
        "AWS_WEB_IDENTITY_TOKEN_FILE is set, but web identities are not supported; use EKS Pod Identity, or a profile with "
        "credential_process");
  }

 private:
  const bool configured_;
};
}  // namespace

std::unique_ptr<CredentialSource> make_anonymous_source() {
  return std::make_unique<FixedSource>(std::nullopt);
}
std::unique_ptr<CredentialSource> make_static_source(access::Credentials credentials) {
  return std::make_unique<FixedSource>(std::move(credentials));
}

std::unique_ptr<CredentialSource> make_refreshing_source(std::vector<std::unique_ptr<CredentialProvider>> chain,
                                                         WhenNone when_none, const Clock& clock, Random& random,
                                                         const Logger& log) {
  return std::make_unique<RefreshingSource>(std::move(chain), when_none, clock, random, log);
}

std::unique_ptr<CredentialProvider> make_environment_provider(const Environment& environment) {
  return std::make_unique<EnvironmentProvider>(environment);
}

TransportOptions metadata_transport_options() {
  TransportOptions options;
  options.connect_timeout = std::chrono::seconds(1);
  options.proxies = ProxyUse::Never;
  return options;
}

std::unique_ptr<CredentialSource> make_credential_source(EndpointKind endpoint, const Profile& profile,
                                                         const Environment& environment, CredentialSeams seams) {
  std::vector<std::unique_ptr<CredentialProvider>> chain;
  if (profile.origin != ProfileOrigin::Flag) {
    chain.push_back(make_environment_provider(environment));
    if (endpoint == EndpointKind::Amazon) chain.push_back(std::make_unique<WebIdentityProvider>(environment));
  }
  chain.push_back(make_profile_provider(profile, environment, endpoint, seams.run_command));
  chain.push_back(make_container_provider(environment, seams));
  if (endpoint != EndpointKind::Loopback || !value_of(environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT").empty()) {
    chain.push_back(make_metadata_provider(environment, seams));
  }
  const WhenNone when_none = endpoint == EndpointKind::Amazon ? WhenNone::Error : WhenNone::Anonymous;
  return make_refreshing_source(std::move(chain), when_none, seams.clock, seams.random, seams.log);
}

}  // namespace ferry::client
