#include "postgres_server.h"

#include <fmt/format.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/check.h"
#include "base/clock.h"

namespace ferry::ledger {
namespace {

namespace fs = std::filesystem;
constexpr int kStartAttempts = 1'000;  // 20 ms apart: a loaded machine takes its time

std::string find_binaries() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const fs::path folder = entry.path() / "bin";
    if (fs::exists(folder / "initdb", ignored) && fs::exists(folder / "postgres", ignored)) return folder.string();
  }
  return {};
}

// The server refuses to run as root.
std::vector<std::string> as_another_user() {
  std::vector<std::string> argv = {"setpriv", "--pdeathsig", "QUIT"};
  if (::geteuid() == 0) argv.insert(argv.end(), {"--reuid", "postgres", "--regid", "postgres", "--clear-groups"});
  return argv;
}

int start_process(std::vector<std::string> argv, const std::string& folder) {
  std::vector<char*> pointers;
  for (std::string& one : argv) pointers.push_back(one.data());
  pointers.push_back(nullptr);
  const std::string log = folder + "/log";
  const int pid = ::fork();
  if (pid != 0) return pid;
  if (::chdir(folder.c_str()) != 0) ::_exit(126);
  if (std::freopen(log.c_str(), "a", stdout) == nullptr || ::dup2(1, 2) < 0) ::_exit(126);
  ::execvp(pointers[0], pointers.data());
  ::_exit(127);
}

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
}  // namespace

PostgresServer::Shared& PostgresServer::shared() {
  static Shared made = [] {
    std::string pattern = (fs::temp_directory_path() / "ferry-postgres-XXXXXX").string();
    FERRY_CHECK(mkdtemp(pattern.data()) != nullptr);
    Shared one;
    one.server.reset(new PostgresServer(pattern));
    one.why = one.server->start();
    if (!one.why.empty()) one.server.reset();
    return one;
  }();
  return made;
}

std::string PostgresServer::start() {
  binaries_ = find_binaries();
  if (binaries_.empty()) return "no PostgreSQL server is installed (package postgresql)";
  if (::geteuid() == 0) {
    const passwd* user = ::getpwnam("postgres");
    if (user == nullptr) return "no user postgres, and the server refuses to run as root";
    if (::chown(folder_.c_str(), user->pw_uid, user->pw_gid) != 0) return "cannot give the server its folder";
  }
  std::vector<std::string> make = as_another_user();
  make.insert(make.end(),
              {binaries_ + "/initdb", "-D", folder_ + "/data", "-U", "ferry", "-A", "trust", "-N", "-E", "UTF8", "--locale=C"});
  int status = 0;
  if (::waitpid(start_process(make, folder_), &status, 0) < 0 || status != 0) return "initdb failed: see " + folder_ + "/log";
  std::vector<std::string> serve = as_another_user();
  serve.insert(serve.end(), {binaries_ + "/postgres", "-D", folder_ + "/data", "-k", folder_, "-h", "", "-F"});
  for (const char* setting : {"max_connections=60", "shared_buffers=16MB", "deadlock_timeout=100ms"}) {
    serve.insert(serve.end(), {"-c", setting});
  }
  pid_ = start_process(serve, folder_);
  for (int attempt = 0; attempt < kStartAttempts; ++attempt) {
    if (PQping(address().c_str()) == PQPING_OK) return {};
    if (::waitpid(pid_, &status, WNOHANG) != 0) break;
    sleep_for(Millis(20));
  }
  return "the server did not start: see " + folder_ + "/log";
}

PostgresServer::~PostgresServer() {
  if (pid_ > 0) {
    ::kill(pid_, SIGQUIT);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string PostgresServer::address() const {
  return fmt::format("postgresql:///postgres?host={}&user=ferry", folder_);
}

std::string PostgresServer::make_address() {
  const std::string schema = fmt::format("test_{}", ++schemas_);
  run("CREATE SCHEMA " + schema);
  return fmt::format("{}&options=-csearch_path%3D{}", address(), schema);
}

void PostgresServer::disconnect_all() {
  run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'ferry'");
}

std::string PostgresServer::run(const std::string& sql) {
  const std::unique_ptr<PGconn, Finish> connection(PQconnectdb(address().c_str()));
  PGresult* const result = PQexec(connection.get(), sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) std::fprintf(stderr, "%s\n", PQerrorMessage(connection.get()));
  FERRY_CHECK(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
  std::string first = PQntuples(result) > 0 && PQnfields(result) > 0 ? PQgetvalue(result, 0, 0) : "";
  PQclear(result);
  return first;
}

}  // namespace ferry::ledger
