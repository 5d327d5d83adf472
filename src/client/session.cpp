#include "client/session.h"

namespace ferry::client {

Result<std::unique_ptr<Session>> Session::open(const SessionRequest& request, Environment environment, const Clock& clock,
                                               Random& random, const Logger& log) {
  std::unique_ptr<Session> session(new Session(std::move(environment)));
  FERRY_TRY(const SharedConfig shared, load_shared_config(session->environment_));
  FERRY_TRY(session->profile_, select_profile(shared, session->environment_, request.profile));
  FERRY_TRY(session->endpoint_, resolve_endpoint(request.endpoint, session->environment_, session->profile_));
  ClientOptions options;
  options.endpoint_url = session->endpoint_.url;
  options.region = session->endpoint_.region;
  options.connect_timeout = request.connect_timeout;
  options.read_timeout = request.read_timeout;
  if (request.attempts_max) {
    options.attempts_max = *request.attempts_max;
  } else {
    FERRY_TRY(options.attempts_max, resolve_attempts(session->environment_, session->profile_, options.attempts_max));
  }
  TransportOptions transport;
  transport.connect_timeout = options.connect_timeout;
  transport.ca_bundle = value_of(session->environment_, "AWS_CA_BUNDLE");
  session->transport_ = make_curl_transport(transport);
  if (request.credentials) {
    session->credentials_ = make_static_source(*request.credentials);
  } else {
    session->metadata_ = make_curl_transport(metadata_transport_options());
    session->credentials_ = make_credential_source(session->endpoint_.kind, session->profile_, session->environment_,
                                                   {*session->metadata_, make_command_runner(clock), clock, random, log});
  }
  session->client_ =
      std::make_unique<Client>(std::move(options), *session->transport_, *session->credentials_, clock, random, log);
  return session;
}

}  // namespace ferry::client
