#pragma once
// A terminal that is drawn on as a whole, and whose keys are read one by one. The only place that changes a terminal's settings.

#include <termios.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace ferry::cli {

/// Columns and rows of the terminal behind a descriptor; 80 by 24 when it does not tell.
struct TerminalSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
  bool operator==(const TerminalSize&) const = default;
};
TerminalSize terminal_size(int descriptor);

/// While it lives, the terminal shows the alternate screen, without a cursor, and keys are not echoed. Ctrl-C is still a signal;
/// Ctrl-Z is off, for nobody would put the terminal back. The destructor, and end(), put everything back as it was.
class Terminal {
 public:
  /// What is read and written are the same terminal.
  struct Descriptors {
    int in = 0;
    int out = 1;
  };
  /// Io: it is no terminal, or does not let itself be changed.
  static Result<std::unique_ptr<Terminal>> open(Descriptors descriptors);
  ~Terminal() { end(); }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  TerminalSize size() const { return terminal_size(descriptors_.out); }
  /// Lines from the top; what was there before is gone. False: nobody looks any more.
  [[nodiscard]] bool draw(const std::vector<std::string>& lines);
  /// The next key, at most `timeout` later.
  struct Key {
    enum class Kind { None, Pressed, Closed };  ///< Closed: the terminal is gone
    Kind kind = Kind::None;
    char code = 0;
  };
  Key read_key(Millis timeout);
  void end();

 private:
  Terminal(Descriptors descriptors, const termios& before) : descriptors_(descriptors), before_(before) {}

  Descriptors descriptors_;
  termios before_;
  bool open_ = true;
};

}  // namespace ferry::cli
