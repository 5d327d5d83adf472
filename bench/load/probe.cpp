// A client that nobody should disturb: cycles one by one at a constant rate on a queue of its own. Cycles that fall due while an
// earlier one is still under way are left out: a stall counts once, with all its length.

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "cycles.h"
#include "percentiles.h"
#include "programs.h"

namespace ferry::bench {
namespace {

class Probe final : public Job {
 public:
  Probe(const Target& target, const Arguments& arguments)
      : target_(target),
        source_(arguments),
        receive_(receive_request(target, {1, 0, {}})),
        period_(static_cast<std::int64_t>(1e9 / arguments.number("--rate", 200, {0.1, 10'000}))),
        due_(SteadyClock::now()),
        stop_at_(due_ + std::chrono::milliseconds(static_cast<int>(arguments.number("--seconds", 5, {0.1, 3600}) * 1000))) {}

  Turn next(std::size_t) override {
    if (step_ == Cycles::Receive) return {receive_};
    if (step_ == Cycles::Delete) return {delete_request(target_, handles_)};
    if (SteadyClock::now() >= stop_at_) return {};
    due_ = std::max(due_ + period_, SteadyClock::now());
    return {send_request(target_, source_.take(1)), due_};
  }

  void answered(std::size_t, std::string_view body, SteadyTime asked, SteadyTime now) override {
    samples_.push_back(
        {asked, static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - asked).count())});
    if (step_ == Cycles::Receive) {
      handles_ = handles_in(body);
      if (handles_.empty()) die("the probe's message was not there");
    }
    step_ = step_ == Cycles::Send ? Cycles::Receive : step_ == Cycles::Receive ? Cycles::Delete : Cycles::Send;
  }

  /// Lines of "SECONDS MICROSECONDS": when it was asked, on the monotonic clock, and how long it took.
  void write(const std::string& path) const {
    std::FILE* const file = std::fopen(path.c_str(), "w");
    if (file == nullptr) die("cannot write " + path);
    for (const Sample& sample : samples_) {
      std::fprintf(file, "%.6f %u\n", std::chrono::duration<double>(sample.asked.time_since_epoch()).count(), sample.micros);
    }
    std::fclose(file);
  }
  std::string report() const {
    std::vector<std::uint32_t> micros;
    for (const Sample& sample : samples_) micros.push_back(sample.micros);
    return percentiles(micros);
  }

 private:
  struct Sample {
    SteadyTime asked;
    std::uint32_t micros;
  };

  const Target& target_;
  MessageSource source_;
  const std::string receive_;
  const std::chrono::nanoseconds period_;
  SteadyTime due_;
  const SteadyTime stop_at_;
  Cycles::Step step_ = Cycles::Send;
  std::vector<std::string> handles_;
  std::vector<Sample> samples_;
};

}  // namespace

int probe(const Arguments& arguments) {
  const Target target(arguments.words()[1]);
  Pool pool(target.address, 1);
  Probe probe(target, arguments);
  pool.run(probe, std::chrono::seconds(3600));
  if (arguments.has("--log")) probe.write(arguments.text("--log", ""));
  std::printf("%s\n", probe.report().c_str());
  return 0;
}

}  // namespace ferry::bench
