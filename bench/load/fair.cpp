// Consumers that hold each message for a while, and tenants that send one now and then; the queue was filled by a noisy one
// before. What is measured is how long the tenants' messages waited, from their send to the answer that brought them.

#include <cstdio>
#include <string>
#include <vector>

#include "percentiles.h"
#include "programs.h"
#include "requests.h"

namespace ferry::bench {
namespace {

constexpr std::string_view kQuiet = "quiet ";
constexpr int kWaitSeconds = 1;

class Fair final : public Job {
 public:
  Fair(const Target& target, const Arguments& arguments)
      : target_(target),
        consumers_(arguments.count("--connections", 100, {1, 10'000})),
        tenants_(arguments.count("--tenants", 10, {1, 10'000})),
        tagged_(arguments.has("--tagged")),
        hold_(static_cast<std::int64_t>(arguments.count("--hold-ms", 20, {0, 60'000}))),
        every_(static_cast<std::int64_t>(arguments.count("--every-ms", 200, {1, 60'000}))),
        receive_(receive_request(target, {1, kWaitSeconds, {}})),
        begun_(SteadyClock::now()),
        sends_until_(begun_ + std::chrono::milliseconds(static_cast<int>(arguments.number("--seconds", 5, {0.1, 600}) * 1000))),
        gives_up_at_(begun_ + std::chrono::seconds(arguments.count("--at-most-s", 60, {1, 900}))),
        held_(consumers_),
        sent_by_(tenants_) {}

  std::size_t connections() const { return consumers_ + tenants_; }

  Turn next(std::size_t connection) override {
    return connection < consumers_ ? consume(connection) : send(connection - consumers_);
  }

  void answered(std::size_t connection, std::string_view body, SteadyTime, SteadyTime now) override {
    if (connection >= consumers_) return;
    Held& held = held_[connection];
    if (!held.handles.empty()) {  // that was the delete
      held.handles.clear();
      return;
    }
    held.handles = handles_in(body);
    if (held.handles.empty()) return;
    held.until = now + hold_;
    ++received_;
    for (const std::string& text : values_in(body, "Body")) {
      if (!text.starts_with(kQuiet)) continue;
      const SteadyTime sent{std::chrono::nanoseconds(std::stoll(text.substr(kQuiet.size())))};
      dwell_micros_.push_back(
          static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - sent).count()));
    }
  }

  std::string report() {
    const double seconds = std::chrono::duration<double>(SteadyClock::now() - begun_).count();
    return "{\"sent\":" + std::to_string(sent_) + ",\"received\":" + std::to_string(received_) +
           ",\"seconds\":" + std::to_string(seconds) + ",\"dwell_us\":" + percentiles(dwell_micros_) + "}";
  }

 private:
  struct Held {
    std::vector<std::string> handles;
    SteadyTime until;
  };

  Turn consume(std::size_t consumer) {
    const Held& held = held_[consumer];
    if (!held.handles.empty()) return {delete_request(target_, held.handles), held.until};
    const SteadyTime now = SteadyClock::now();
    const bool all_there = now > sends_until_ && dwell_micros_.size() >= sent_;
    if (all_there || now > gives_up_at_) return {};
    return {receive_};
  }

  Turn send(std::size_t tenant) {
    const SteadyTime due = begun_ + every_ * static_cast<std::int64_t>(sent_by_[tenant]) +
                           every_ * static_cast<std::int64_t>(tenant) / static_cast<std::int64_t>(tenants_);
    if (due >= sends_until_) return {};
    ++sent_by_[tenant];
    ++sent_;
    OutgoingMessage message{std::string(kQuiet) + std::to_string(due.time_since_epoch().count()), {}, {}};
    if (tagged_) message.group = "quiet-" + std::to_string(tenant);
    return {send_request(target_, {message}), due};
  }

  const Target& target_;
  const std::size_t consumers_, tenants_;
  const bool tagged_;
  const std::chrono::milliseconds hold_, every_;
  const std::string receive_;
  const SteadyTime begun_, sends_until_, gives_up_at_;
  std::vector<Held> held_;
  std::vector<std::uint64_t> sent_by_;
  std::uint64_t sent_ = 0, received_ = 0;
  std::vector<std::uint32_t> dwell_micros_;
};

}  // namespace

int fair(const Arguments& arguments) {
  const Target target(arguments.words()[1]);
  Fair fair(target, arguments);
  Pool pool(target.address, fair.connections());
  pool.run(fair);
  std::printf("%s\n", fair.report().c_str());
  return 0;
}

}  // namespace ferry::bench
