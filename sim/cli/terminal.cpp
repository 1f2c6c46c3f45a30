#include "sim/cli/terminal.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace trapline {
namespace {

// A signal handler has nothing but statics to work on; this is all of them. They are written before
// the handlers are installed, and by the handlers.
volatile sig_atomic_t g_signal = 0;
volatile sig_atomic_t g_raw_fd = -1;
termios g_cooked;
termios g_raw;

constexpr std::array kPoliteSignals{SIGINT, SIGTERM, SIGHUP};
constexpr std::array kFatalSignals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGQUIT};
constexpr std::size_t kHandled = kPoliteSignals.size() + kFatalSignals.size() + 2;

std::array<struct sigaction, kHandled> g_previous;

// tcsetattr is async-signal-safe (POSIX.1-2017, 2.4.3).
void restore_terminal() {
  if (g_raw_fd >= 0) tcsetattr(g_raw_fd, TCSANOW, &g_cooked);
}

// A second request to end: no more questions.
void die_of(int number) {
  restore_terminal();
  signal(number, SIG_DFL);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  sigprocmask(SIG_UNBLOCK, &set, nullptr);
  raise(number);
}

void on_polite_signal(int number) {
  if (g_signal != 0) die_of(number);
  g_signal = number;
}

void on_continue(int) {
  const int saved = errno;
  if (g_raw_fd >= 0) tcsetattr(g_raw_fd, TCSANOW, &g_raw);
  errno = saved;
}

void on_fatal_signal(int number);

// Every signal handled, with its handler, in the order of g_previous.
template <typename Visit>
void for_each_handler(Visit visit) {
  std::size_t slot = 0;
  for (const int number : kPoliteSignals) visit(number, &on_polite_signal, slot++);
  for (const int number : kFatalSignals) visit(number, &on_fatal_signal, slot++);
  visit(SIGCONT, &on_continue, slot++);
  visit(SIGPIPE, SIG_IGN, slot++);
}

// The handler found (a sanitizer's, say) or the system's default gets the signal next: a fault
// repeats when this returns, the others are raised again.
void on_fatal_signal(int number) {
  restore_terminal();
  for_each_handler([number](int candidate, void (*)(int), std::size_t slot) {
    if (candidate == number) sigaction(number, &g_previous[slot], nullptr);
  });
  if (number == SIGQUIT || number == SIGABRT) raise(number);
}

}  // namespace

RawTerminal::RawTerminal(int fd) {
  if (tcgetattr(fd, &g_cooked) != 0) {
    throw std::system_error(errno, std::generic_category(), "the terminal's mode");
  }
  g_raw = g_cooked;
  g_raw.c_iflag &=
      ~static_cast<tcflag_t>(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  g_raw.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
  g_raw.c_cflag &= ~static_cast<tcflag_t>(CSIZE | PARENB);
  g_raw.c_cflag |= CS8;
  g_raw.c_cc[VMIN] = 1;
  g_raw.c_cc[VTIME] = 0;
  g_raw_fd = fd;
  if (tcsetattr(fd, TCSANOW, &g_raw) != 0) {
    g_raw_fd = -1;
    throw std::system_error(errno, std::generic_category(), "the terminal's mode");
  }
}

RawTerminal::~RawTerminal() {
  restore_terminal();
  g_raw_fd = -1;
}

SignalWatch::SignalWatch() {
  g_signal = 0;
  for_each_handler([](int number, void (*handler)(int), std::size_t slot) {
    struct sigaction action {};
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, &g_previous[slot]);
    // A parent that had us ignore a signal (nohup, a shell's "&") is obeyed.
    if (handler == &on_polite_signal && g_previous[slot].sa_handler == SIG_IGN) {
      sigaction(number, &g_previous[slot], nullptr);
    }
  });
}

SignalWatch::~SignalWatch() {
  for_each_handler([](int number, void (*)(int), std::size_t slot) {
    sigaction(number, &g_previous[slot], nullptr);
  });
}

std::optional<int> SignalWatch::received() const {
  if (g_signal == 0) return std::nullopt;
  return static_cast<int>(g_signal);
}

}  // namespace trapline
