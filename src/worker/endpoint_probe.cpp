#include "worker/endpoint_probe.h"

#include <curl/curl.h>

#include <memory>
#include <string_view>

#include "base/check.h"
#include "base/sigpipe_guard.h"

namespace ferry::worker {
namespace {

constexpr std::string_view kExpires = "Expire date:";

std::optional<Timestamp> expiry_of(CURL* easy) {
  curl_certinfo* chain = nullptr;
  if (curl_easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == nullptr || chain->num_of_certs < 1) return {};
  for (const curl_slist* line = chain->certinfo[0]; line != nullptr; line = line->next) {
    const std::string_view text(line->data);
    if (!text.starts_with(kExpires)) continue;
    const time_t when = curl_getdate(line->data + kExpires.size(), nullptr);
    if (when >= 0) return from_epoch_millis(std::int64_t{when} * 1'000);
  }
  return std::nullopt;
}
}  // namespace

EndpointProbe probe_endpoint(const config::HttpEndpoint& endpoint, Millis timeout) {
  const SigpipeGuard guard;
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(curl_easy_init(), &curl_easy_cleanup);
  FERRY_CHECK(easy != nullptr);
  const auto set = [&](CURLoption option, auto value) { FERRY_CHECK(curl_easy_setopt(easy.get(), option, value) == CURLE_OK); };
  set(CURLOPT_URL, endpoint.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_CONNECT_ONLY, 1L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CERTINFO, 1L);
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2});
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
  set(CURLOPT_PROXY, endpoint.proxy.c_str());
  set(CURLOPT_NOPROXY, "");
  if (!endpoint.socket.empty()) set(CURLOPT_UNIX_SOCKET_PATH, endpoint.socket.c_str());
  if (!endpoint.ca_file.empty()) set(CURLOPT_CAINFO, endpoint.ca_file.c_str());
  char why[CURL_ERROR_SIZE] = "";
  set(CURLOPT_ERRORBUFFER, static_cast<char*>(why));
  const CURLcode code = curl_easy_perform(easy.get());
  EndpointProbe probe;
  if (code == CURLE_OK) {
    probe.certificate_expires = expiry_of(easy.get());
    return probe;
  }
  probe.error = why[0] != '\0' ? why : curl_easy_strerror(code);
  probe.untrusted = code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE;
  return probe;
}

}  // namespace ferry::worker
