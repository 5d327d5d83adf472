// The ports of a worker: completions and metrics, apart and on one listener.

#include "cli/worker_ports.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/clock.h"
#include "base/encoding.h"
#include "cli/worker_setup.h"
#include "client/client.h"

namespace ferry::cli {
namespace {

class WorkerPortsTest : public testing::Test {
 protected:
  static config::LoopbackAddress any() { return {"127.0.0.1", 0}; }
  std::unique_ptr<WorkerPorts> open(const WorkerPorts::Wanted& wanted) {
    auto ports = WorkerPorts::open(wanted, random_, log_);
    EXPECT_TRUE(ports.has_value()) << (ports ? "" : ports.error().message);
    return ports ? std::move(*ports) : nullptr;
  }
  client::Transport::Response ask(const std::string& method, const std::string& url) {
    auto answer = transport_->perform({method, url, {}, "", Millis(10'000)}, nullptr);
    EXPECT_TRUE(answer.has_value()) << url;
    return answer ? *answer : client::Transport::Response{};
  }
  static std::uint16_t port_of(const std::string& url) {
    return static_cast<std::uint16_t>(parse_integer(url.substr(url.rfind(':') + 1)).value());
  }

  SystemClock clock_;
  SystemRandom random_;
  Logger log_{clock_, LogLevel::Off, LogFormat::Text};
  std::unique_ptr<client::Transport> transport_ = client::make_curl_transport({});
};

TEST_F(WorkerPortsTest, NothingIsOpenedThatNobodyWants) {
  const auto ports = open({});
  EXPECT_EQ(ports->completions(), nullptr);
  EXPECT_TRUE(ports->completion_url().empty());
  EXPECT_TRUE(ports->metrics_url().empty());
}

TEST_F(WorkerPortsTest, MetricsAreShownWhileThereIsAWorker) {
  const auto ports = open({std::nullopt, any()});
  const std::string url = ports->metrics_url();
  EXPECT_EQ(ask("GET", url + "/metrics").status, 503);
  EXPECT_EQ(ask("GET", url + "/health").status, 503);
  std::string trouble;
  ports->show([&] { return WorkerPorts::Shown{"a 1\n", trouble}; });
  EXPECT_EQ(ask("GET", url + "/metrics").body, "a 1\n");
  EXPECT_EQ(ask("GET", url + "/metrics").status, 200);
  EXPECT_EQ(ask("GET", url + "/health").body, "{\"status\":\"working\"}\n");
  trouble = "the ledger does not answer";
  EXPECT_EQ(ask("GET", url + "/health").status, 503);
  EXPECT_NE(ask("GET", url + "/health").body.find(trouble), std::string::npos);
  EXPECT_EQ(ask("POST", url + "/metrics").status, 405);
  EXPECT_EQ(ask("GET", url + "/complete/x").status, 404);
  EXPECT_EQ(ask("GET", url + "/healthy").status, 404);
  ports->show({});
  EXPECT_EQ(ask("GET", url + "/metrics").status, 503);
}

TEST_F(WorkerPortsTest, CompletionsAndMetricsMayShareAPort) {
  std::uint16_t port = 0;
  {
    const auto apart = open({any(), any()});
    EXPECT_NE(apart->metrics_url(), apart->completion_url());
    EXPECT_EQ(ask("GET", apart->completion_url() + "/metrics").body.find("starts or ends"), std::string::npos);
    port = port_of(apart->metrics_url());
  }
  const config::LoopbackAddress address{"127.0.0.1", port};
  const auto ports = open({address, address});
  ASSERT_NE(ports, nullptr);
  EXPECT_EQ(ports->metrics_url(), ports->completion_url());
  ports->show([] { return WorkerPorts::Shown{"a 1\n", ""}; });
  EXPECT_EQ(ask("GET", ports->metrics_url() + "/metrics").body, "a 1\n");
  bool told = false;
  const auto offer = ports->completions()->open([&told](const worker::ControlMessage&) { told = true; });
  EXPECT_EQ(ask("POST", ports->completion_url() + "/complete/" + offer.token).status, 200);
  EXPECT_TRUE(told);
}

TEST_F(WorkerPortsTest, APortThatIsTakenIsNamed) {
  const auto first = open({std::nullopt, any()});
  const config::LoopbackAddress taken{"127.0.0.1", port_of(first->metrics_url())};
  const auto metrics = WorkerPorts::open({std::nullopt, taken}, random_, log_);
  ASSERT_FALSE(metrics.has_value());
  EXPECT_TRUE(metrics.error().message.starts_with("worker.metrics: ")) << metrics.error().message;
  const auto completion = WorkerPorts::open({taken, std::nullopt}, random_, log_);
  ASSERT_FALSE(completion.has_value());
  EXPECT_TRUE(completion.error().message.starts_with("worker.completion: ")) << completion.error().message;
}

TEST_F(WorkerPortsTest, TroubleIsStoppingOrTheLedger) {
  worker::WorkerStatus status;
  EXPECT_EQ(trouble_of(status), "");
  status.ledger = worker::LedgerStanding::Working;
  EXPECT_EQ(trouble_of(status), "");
  status.ledger = worker::LedgerStanding::Failing;
  EXPECT_EQ(trouble_of(status), "the ledger does not answer");
  status.stopping = true;
  EXPECT_EQ(trouble_of(status), "the worker is stopping");
}

TEST(ReplaceTextFile, TheOldFileStaysWhenTheNewOneCannotBeWritten) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("ferry-replace-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "full.prom");
  EXPECT_TRUE(replace_text_file((folder / "a.prom").string(), "one").has_value());
  EXPECT_TRUE(replace_text_file((folder / "a.prom").string(), "two").has_value());
  std::ostringstream text;
  text << std::ifstream(folder / "a.prom").rdbuf();
  EXPECT_EQ(text.str(), "two");
  EXPECT_FALSE(replace_text_file((folder / "absent/a.prom").string(), "x").has_value());
  EXPECT_FALSE(replace_text_file((folder / "full.prom").string(), "x").has_value());  // a folder is there
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder), {}), 2);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace ferry::cli
