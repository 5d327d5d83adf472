#include "cli/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/process.h"

namespace ferry::cli {
namespace {
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?25h\x1b[?1049l";
}  // namespace

TerminalSize terminal_size(int descriptor) {
  winsize size{};
  if (::ioctl(descriptor, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return {size.ws_col, size.ws_row};
}

Result<std::unique_ptr<Terminal>> Terminal::open(Descriptors descriptors) {
  termios before{};
  if (::tcgetattr(descriptors.in, &before) != 0) return Unexpected(system_error(errno, "read the settings of", "the terminal"));
  termios raw = before;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  raw.c_cc[VSUSP] = _POSIX_VDISABLE;
  if (::tcsetattr(descriptors.in, TCSAFLUSH, &raw) != 0) return Unexpected(system_error(errno, "change", "the terminal"));
  std::unique_ptr<Terminal> terminal(new Terminal(descriptors, before));
  FERRY_TRY_VOID(write_all(descriptors.out, kEnter));
  return terminal;
}

bool Terminal::draw(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (std::size_t i = 0; i < lines.size(); ++i) text += (i == 0 ? "" : "\r\n") + lines[i] + "\x1b[K";
  return write_all(descriptors_.out, text + "\x1b[J").has_value();
}

Terminal::Key Terminal::read_key(Millis timeout) {
  pollfd waited{descriptors_.in, POLLIN, 0};
  const int ready = ::poll(&waited, 1, static_cast<int>(timeout.count()));
  if (ready <= 0) return {};
  char code = 0;
  const ssize_t got = ::read(descriptors_.in, &code, 1);
  if (got == 1) return {Key::Kind::Pressed, code};
  if (got < 0 && errno == EINTR) return {};
  return {Key::Kind::Closed, 0};
}

void Terminal::end() {
  if (!open_) return;
  open_ = false;
  const bool told = write_all(descriptors_.out, kLeave).has_value();
  const bool restored = ::tcsetattr(descriptors_.in, TCSAFLUSH, &before_) == 0;
  static_cast<void>(told && restored);  // a terminal that is gone needs neither
}

}  // namespace ferry::cli
