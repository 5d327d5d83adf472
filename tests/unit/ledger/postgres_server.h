#pragma once
// A PostgreSQL of the tests' own: Debian's binaries, data in a temporary folder, reachable by a socket in it alone, gone with
// this process.

#include <memory>
#include <string>

namespace ferry::ledger {

class PostgresServer {
 public:
  /// One for all tests of the program, started at the first call. Null: it cannot be; why() says the reason.
  static PostgresServer* get() { return shared().server.get(); }
  static const std::string& why() { return shared().why; }

  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  /// An address whose tables are nobody else's.
  std::string make_address();
  /// Every connection but the one that says so is cut off.
  void disconnect_all();
  /// One statement, on a connection of its own. The first value of what it answers.
  std::string run(const std::string& sql);
  const std::string& folder() const { return folder_; }

 private:
  struct Shared {
    std::unique_ptr<PostgresServer> server;
    std::string why;
  };
  static Shared& shared();
  explicit PostgresServer(std::string folder) : folder_(std::move(folder)) {}
  std::string start();
  std::string address() const;

  std::string folder_;
  std::string binaries_;
  int pid_ = -1;
  int schemas_ = 0;
};

}  // namespace ferry::ledger
