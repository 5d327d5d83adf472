// What a service manager hears of us, over a real datagram socket.

#include "base/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>

#include "base/check.h"

namespace ferry {
namespace {

// The other end: a service manager's socket.
class Manager {
 public:
  explicit Manager(const std::string& address) : descriptor_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_un own{};
    own.sun_family = AF_UNIX;
    FERRY_CHECK(address.size() < sizeof(own.sun_path));
    std::memcpy(own.sun_path, address.data(), address.size());
    if (address[0] == '@') own.sun_path[0] = '\0';
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.size());
    FERRY_CHECK(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&own), length) == 0);
  }
  ~Manager() { ::close(descriptor_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;

  /// The next datagram; empty when there is none.
  std::string next() const {
    std::array<char, 4096> buffer{};
    const ssize_t size = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
    return size > 0 ? std::string(buffer.data(), static_cast<std::size_t>(size)) : std::string();
  }

 private:
  int descriptor_;
};

ServiceNotifier::Environment with(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

class NotifyTest : public testing::Test {
 protected:
  NotifyTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ferry-notify-XXXXXX").string();
    FERRY_CHECK(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~NotifyTest() override { std::filesystem::remove_all(folder_); }
  std::string socket() const { return folder_ + "/notify"; }
  std::string folder_;
};

TEST_F(NotifyTest, SaysWhatSystemdExpects) {
  const Manager manager(socket());
  const ServiceNotifier notifier(with({{"NOTIFY_SOCKET", socket()}}));
  ASSERT_TRUE(notifier.active());
  notifier.ready("4 slots");
  EXPECT_EQ(manager.next(), "READY=1\nSTATUS=4 slots");
  notifier.status("two\nlines");
  EXPECT_EQ(manager.next(), "STATUS=two\\nlines") << "a text cannot become a field of its own";
  notifier.stopping("2 handlers run");
  EXPECT_EQ(manager.next(), "STOPPING=1\nSTATUS=2 handlers run");
  notifier.extend_timeout(Millis(1500));
  EXPECT_EQ(manager.next(), "EXTEND_TIMEOUT_USEC=1500000");
  notifier.alive();
  EXPECT_EQ(manager.next(), "WATCHDOG=1");
}

TEST_F(NotifyTest, AnAbstractSocket) {
  const std::string address = "@ferry-notify-test-" + std::to_string(::getpid());
  const Manager manager(address);
  const ServiceNotifier notifier(with({{"NOTIFY_SOCKET", address}}));
  notifier.alive();
  EXPECT_EQ(manager.next(), "WATCHDOG=1");
}

TEST_F(NotifyTest, WithoutAManagerNothingHappens) {
  for (const std::string& address : {std::string(), std::string("relative"), std::string("@"), socket(), std::string(200, '/')}) {
    const ServiceNotifier notifier(with({{"NOTIFY_SOCKET", address}, {"WATCHDOG_USEC", "1000000"}}));
    EXPECT_FALSE(notifier.active()) << address;
    EXPECT_FALSE(notifier.watchdog()) << address;
    notifier.ready("x");
  }
}

TEST_F(NotifyTest, AManagerThatIsGoneOrDoesNotReadCostsNothing) {
  auto manager = std::make_unique<Manager>(socket());
  const ServiceNotifier notifier(with({{"NOTIFY_SOCKET", socket()}}));
  for (int i = 0; i < 5'000; ++i) notifier.alive();
  manager.reset();
  notifier.alive();
}

TEST_F(NotifyTest, TheWatchdogOfThisProcessAlone) {
  const Manager manager(socket());
  const auto watchdog = [&](const std::string& micros, const std::string& pid) {
    return ServiceNotifier(with({{"NOTIFY_SOCKET", socket()}, {"WATCHDOG_USEC", micros}, {"WATCHDOG_PID", pid}})).watchdog();
  };
  EXPECT_EQ(watchdog("30000000", std::to_string(::getpid())), Millis(30'000));
  EXPECT_EQ(watchdog("30000000", std::to_string(::getpid() + 1)), std::nullopt);
  EXPECT_EQ(watchdog("1000", std::to_string(::getpid())), Millis(1));
  EXPECT_EQ(watchdog("999", std::to_string(::getpid())), std::nullopt);
  EXPECT_EQ(watchdog("soon", std::to_string(::getpid())), std::nullopt);
  const ServiceNotifier any(with({{"NOTIFY_SOCKET", socket()}, {"WATCHDOG_USEC", "2000000"}}));
  EXPECT_EQ(any.watchdog(), Millis(2'000));
}

}  // namespace
}  // namespace ferry
