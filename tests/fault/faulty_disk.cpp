// Preloaded into the server by tests: the calls that its store makes to the system, some of which fail. Everything else passes.
//
// FERRY_FAULT_FOLDER  only files below it
// FERRY_FAULT_PLAN    rules, separated by ';', each CALL:NAME:WHEN:WHAT
//   CALL  write, write-direct (past the cache), sync, sync-folder, open, open-direct, rename, remove, truncate, read
//   NAME  part of the file's name; empty: any
//   WHEN  N: the N-th such call, counted from the start; N+: it and all behind it; /N: every N-th
//   WHAT  an error (EIO, ENOSPC, EINTR, EMFILE, EINVAL); "half": half of the bytes are written, truthfully;
//         "half,EIO": half are written, and the call fails
// FERRY_FAULT_LOG     a line for each fault ("fault CALL NAME"), and for each write and sync of a file whose write or sync has
//                     failed before ("after CALL NAME"). With FERRY_FAULT_TRACE, for each write and sync ("write NAME durable",
//                     "write NAME cached", "sync NAME")
//
// A sync that is failed loses what was written to the file since the last one, as a kernel does that drops the pages.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

template <class Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

struct Rule {
  std::string call;
  std::string name;
  unsigned long when = 0;
  bool from_then_on = false;
  bool every = false;
  bool half = false;
  int error = 0;
  unsigned long calls = 0;
};

int error_of(const std::string& name) {
  static const std::map<std::string, int> kErrors = {
      {"EIO", EIO}, {"ENOSPC", ENOSPC}, {"EINTR", EINTR}, {"EMFILE", EMFILE}, {"EINVAL", EINVAL}};
  const auto found = kErrors.find(name);
  if (found == kErrors.end()) abort();
  return found->second;
}

std::vector<std::string> split(const std::string& text, char by) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == by) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// Lives as long as the process: threads of the server call until its very end.
struct State {
  State() {
    const auto variable = [](const char* name) {
      const char* const text = getenv(name);
      return std::string(text == nullptr ? "" : text);
    };
    folder = variable("FERRY_FAULT_FOLDER");
    trace = !variable("FERRY_FAULT_TRACE").empty();
    for (const std::string& text : split(variable("FERRY_FAULT_PLAN"), ';')) {
      if (text.empty()) continue;
      const auto parts = split(text, ':');
      if (parts.size() != 4) abort();
      Rule rule{parts[0], parts[1], 0, parts[2].back() == '+', parts[2].front() == '/', false, 0, 0};
      rule.when = strtoul(parts[2].c_str() + (rule.every ? 1 : 0), nullptr, 10);
      for (const std::string& what : split(parts[3], ',')) {
        if (what == "half") {
          rule.half = true;
        } else {
          rule.error = error_of(what);
        }
      }
      rules.push_back(rule);
    }
    const std::string log_path = variable("FERRY_FAULT_LOG");
    if (!log_path.empty()) {
      log = real<int(const char*, int, ...)>("open")(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
  }

  void say(const std::string& what, const std::string& call, const std::string& name) const {
    if (log < 0) return;
    const std::string line = what.empty() ? call + " " + name + "\n" : what + " " + call + " " + name + "\n";
    if (::write(log, line.data(), line.size()) < 0) return;
  }

  // The rule that decides about this call, if one does.
  const Rule* decide(const std::string& call, const std::string& name) {
    const Rule* deciding = nullptr;
    for (Rule& rule : rules) {
      if (rule.call != call || name.find(rule.name) == std::string::npos) continue;
      ++rule.calls;
      const bool met = rule.every          ? rule.calls % rule.when == 0
                       : rule.from_then_on ? rule.calls >= rule.when
                                           : rule.calls == rule.when;
      if (met && deciding == nullptr) deciding = &rule;
    }
    if (deciding != nullptr) say("fault", call, name);
    return deciding;
  }

  std::mutex mutex;
  std::string folder;
  std::vector<Rule> rules;
  bool trace = false;
  int log = -1;
  std::map<std::string, std::vector<std::pair<off_t, size_t>>> unsynced;  // by name
  std::set<std::string> failed;
};

State& state() {
  static State* const the = new State;
  return *the;
}

// The name of a file below the folder; empty for others.
std::string name_in_folder(const std::string& path) {
  const std::string& folder = state().folder;
  if (folder.empty() || path.compare(0, folder.size(), folder) != 0) return "";
  return path.size() == folder.size() ? "." : path.substr(folder.size() + 1);
}

std::string name_of(int descriptor) {
  char link[64];
  char path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  const ssize_t size = readlink(link, path, sizeof path);
  return size <= 0 ? "" : name_in_folder(std::string(path, static_cast<size_t>(size)));
}

using Write = ssize_t(int, const void*, size_t, off_t);
using Read = ssize_t(int, void*, size_t, off_t);

ssize_t faulty_write(int descriptor, const void* bytes, size_t size, off_t offset) {
  static Write* const next = real<Write>("pwrite");
  const std::string name = name_of(descriptor);
  if (name.empty()) return next(descriptor, bytes, size, offset);
  const bool direct = (fcntl(descriptor, F_GETFL) & O_DIRECT) != 0;
  const bool durable = (fcntl(descriptor, F_GETFL) & O_DSYNC) != 0;
  bool half = false;
  int error = 0;
  {
    State& s = state();
    const std::lock_guard lock(s.mutex);
    if (s.trace) s.say("", "write", name + (durable ? " durable" : " cached"));
    if (s.failed.contains(name)) s.say("after", "write", name);
    if (const Rule* const rule = s.decide("write", name)) {
      half = rule->half;
      error = rule->error;
      if (error != 0 && error != EINTR) s.failed.insert(name);
    } else if (const Rule* const direct_rule = direct ? s.decide("write-direct", name) : nullptr) {
      error = direct_rule->error;
    }
    s.unsynced[name].emplace_back(offset, size);
  }
  if (error != 0 && !half) {
    errno = error;
    return -1;
  }
  if (!half) return next(descriptor, bytes, size, offset);
  const size_t unit = direct ? 4096 : 512;
  size = size > unit ? size / 2 / unit * unit : size;
  if (size == 0) size = unit;
  const ssize_t written = next(descriptor, bytes, size, offset);
  if (error == 0) return written;
  errno = error;
  return -1;
}

int faulty_sync(int descriptor, int (*next)(int)) {
  const std::string name = name_of(descriptor);
  if (name.empty()) return next(descriptor);
  struct stat status {};
  const bool is_folder = fstat(descriptor, &status) == 0 && S_ISDIR(status.st_mode);
  const std::string call = is_folder ? "sync-folder" : "sync";
  State& s = state();
  std::vector<std::pair<off_t, size_t>> lost;
  int error = 0;
  {
    const std::lock_guard lock(s.mutex);
    if (s.trace) s.say("", call, name);
    if (s.failed.contains(name)) s.say("after", call, name);
    if (const Rule* const rule = s.decide(call, name)) {
      error = rule->error;
      if (!is_folder) s.failed.insert(name);
      lost = std::move(s.unsynced[name]);
    }
    s.unsynced.erase(name);
  }
  if (error == 0) return next(descriptor);
  static Write* const write_really = real<Write>("pwrite");
  for (const auto& [offset, size] : lost) {
    const std::vector<char> zeros(size);
    if (write_really(descriptor, zeros.data(), size, offset) < 0) break;
  }
  errno = error;
  return -1;
}

ssize_t faulty_read(int descriptor, void* bytes, size_t size, off_t offset) {
  static Read* const next = real<Read>("pread");
  const std::string name = name_of(descriptor);
  if (name.empty()) return next(descriptor, bytes, size, offset);
  const Rule* rule = nullptr;
  {
    State& s = state();
    const std::lock_guard lock(s.mutex);
    rule = s.decide("read", name);
  }
  if (rule == nullptr) return next(descriptor, bytes, size, offset);
  if (rule->half && size > 8192) return next(descriptor, bytes, size / 2 / 4096 * 4096, offset);
  if (rule->error == 0) return next(descriptor, bytes, size, offset);
  errno = rule->error;
  return -1;
}

// Whether the call is to fail; errno is set then.
bool fails(const char* call, const std::string& name) {
  if (name.empty()) return false;
  State& s = state();
  const std::lock_guard lock(s.mutex);
  const Rule* const rule = s.decide(call, name);
  if (rule == nullptr) return false;
  errno = rule->error;
  return true;
}

int faulty_open(const char* path, int flags, mode_t mode) {
  static auto* const next = real<int(const char*, int, ...)>("open");
  const std::string name = name_in_folder(path);
  if (fails("open", name)) return -1;
  if ((flags & O_DIRECT) != 0 && fails("open-direct", name)) return -1;
  return next(path, flags, mode);
}

}  // namespace

extern "C" {

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  return faulty_write(descriptor, bytes, size, offset);
}
ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off_t offset) {
  return faulty_write(descriptor, bytes, size, offset);
}
ssize_t pread(int descriptor, void* bytes, size_t size, off_t offset) {
  return faulty_read(descriptor, bytes, size, offset);
}
ssize_t pread64(int descriptor, void* bytes, size_t size, off_t offset) {
  return faulty_read(descriptor, bytes, size, offset);
}
int fdatasync(int descriptor) {
  static auto* const next = real<int(int)>("fdatasync");
  return faulty_sync(descriptor, next);
}
int fsync(int descriptor) {
  static auto* const next = real<int(int)>("fsync");
  return faulty_sync(descriptor, next);
}
int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return faulty_open(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const mode_t mode = va_arg(arguments, mode_t);
  va_end(arguments);
  return faulty_open(path, flags, mode);
}
int rename(const char* from, const char* to) {
  static auto* const next = real<int(const char*, const char*)>("rename");
  return fails("rename", name_in_folder(from)) ? -1 : next(from, to);
}
int unlink(const char* path) {
  static auto* const next = real<int(const char*)>("unlink");
  return fails("remove", name_in_folder(path)) ? -1 : next(path);
}
int remove(const char* path) {
  static auto* const next = real<int(const char*)>("remove");
  return fails("remove", name_in_folder(path)) ? -1 : next(path);
}
int ftruncate(int descriptor, off_t bytes) {
  static auto* const next = real<int(int, off_t)>("ftruncate");
  return fails("truncate", name_of(descriptor)) ? -1 : next(descriptor, bytes);
}

}  // extern "C"
