#include "sim/cli/console.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <libfdt.h>
#include <poll.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "sim/cli/dts_writer.h"
#include "sim/cli/terminal.h"

namespace trapline {
namespace {

using Command = EscapeDecoder::Command;

void print(CharacterPort& port, std::string_view text) {
  for (const char c : text) port.transmit(static_cast<std::uint8_t>(c));
}

TEST(HostOutput, WritesWhatTheGuestSent) {
  const std::string path = testing::TempDir() + "/console_test.log";
  HostOutput out = HostOutput::to_file(path);
  print(out, "one\r\n");
  EXPECT_TRUE(out.at_line_start());
  print(out, "two");
  EXPECT_FALSE(out.at_line_start());
  out.close();
  EXPECT_FALSE(out.error());
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "one\r\ntwo");
  std::filesystem::remove(path);
}

TEST(HostOutput, AFullDiskIsReportedByName) {
  HostOutput out = HostOutput::to_file("/dev/full");
  print(out, "lost");
  EXPECT_FALSE(out.error());
  out.flush();
  ASSERT_TRUE(out.error());
  EXPECT_EQ(*out.error(), "/dev/full: No space left on device");
}

TEST(HostOutput, AFileThatCannotBeMadeIsNamed) {
  try {
    HostOutput::to_file("/nonexistent/out.log");
    FAIL() << "it was made";
  } catch (const ScenarioError& error) {
    EXPECT_STREQ(error.what(), "/nonexistent/out.log: No such file or directory");
  }
}

class EscapeDecoderTest : public testing::Test {
 protected:
  Command type(std::string_view keys) {
    Command last = Command::none;
    for (const char c : keys) last = decoder_.feed(static_cast<std::uint8_t>(c), sent_);
    return last;
  }
  std::string sent() const { return {sent_.begin(), sent_.end()}; }

  EscapeDecoder decoder_;
  std::deque<std::uint8_t> sent_;
};

TEST_F(EscapeDecoderTest, PassesKeysOn) {
  EXPECT_EQ(type("ls\r\x03\x04"), Command::none);
  EXPECT_EQ(sent(), "ls\r\x03\x04") << "Ctrl-C and Ctrl-D are the guest's";
}

TEST_F(EscapeDecoderTest, CommandsFollowControlA) {
  EXPECT_EQ(type("\x01x"), Command::quit);
  EXPECT_EQ(type("\x01h"), Command::help);
  EXPECT_EQ(sent(), "");
  EXPECT_EQ(type("xh"), Command::none);
  EXPECT_EQ(sent(), "xh");
}

TEST_F(EscapeDecoderTest, ControlACanBeSent) {
  type("\x01\x01|\x01");
  type("a|\x01");
  type("d|");
  EXPECT_EQ(sent(), "\x01|\x01|\x01\x01\x01|");
}

TEST(UartHost, LinesOfOtherUartsAreNamedAndKeptApart) {
  const std::string path = ::testing::TempDir() + "lines-" + std::to_string(getpid()) + ".log";
  {
    auto terminal = std::make_shared<HostOutput>(HostOutput::to_file(path));
    UartHost first(0, "uart0", {UartBackendSpec::Kind::stdio, {}}, false, terminal);
    UartHost second(1, "uart1", {UartBackendSpec::Kind::lines, {}}, false, terminal);
    UartHost third(2, "uart2", {UartBackendSpec::Kind::lines, {}}, false, terminal);
    const auto say = [](UartHost& host, std::string_view text) {
      for (const char c : text) host.output().transmit(static_cast<std::uint8_t>(c));
    };
    say(first, "log");
    say(second, "one\r\ntw");
    say(first, "in: ");
    say(third, "hello\n\n");
    say(second, "o");
    for (UartHost* host : {&first, &second, &third}) host->end_line();
    terminal->close();
  }
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(text, "log\nuart1: one\nin: \nuart2: hello\nuart2: \nuart1: two\n");
  std::remove(path.c_str());
}

TEST(UartHost, APseudoTerminalCarriesBytesBothWays) {
  UartHost host(2, "uart2", {UartBackendSpec::Kind::pty, {}}, false, nullptr);
  const std::string start = "UART 2 is ";
  ASSERT_TRUE(host.announcement().starts_with(start));
  const FileDescriptor user(
      ::open(host.announcement().substr(start.size()).c_str(), O_RDWR | O_NOCTTY));
  ASSERT_GE(user.get(), 0);

  print(host.output(), "a\nb\x01");
  host.host_output()->flush();
  std::array<char, 16> got{};
  ASSERT_EQ(::read(user.get(), got.data(), got.size()), 4);
  EXPECT_EQ(std::string(got.data(), 4), "a\nb\x01") << "raw: nothing is translated";

  ASSERT_EQ(::write(user.get(), "q\r", 2), 2);
  pollfd wait{host.input_fd(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait, 1, 5000), 1);
  host.read_input(nullptr);
  EXPECT_EQ(std::string(host.pending().begin(), host.pending().end()), "q\r");
}

TEST(UartHost, APseudoTerminalThatNobodyReadsDoesNotBlock) {
  UartHost host(0, "uart0", {UartBackendSpec::Kind::pty, {}}, false, nullptr);
  for (int n = 0; n < 64; ++n) {
    print(host.output(), std::string(4096, 'x'));
    host.host_output()->flush();
  }
  EXPECT_FALSE(host.host_output()->error());
}

TEST(Pacer, SleepsOnlyWhileVirtualTimeIsAhead) {
  Pacer pacer;
  EXPECT_EQ(pacer.ahead(0, 100.0), 0.0);
  EXPECT_EQ(pacer.ahead(kPicosecondsPerSecond, 102.0), 0.0) << "behind: time lost is lost";
  EXPECT_DOUBLE_EQ(pacer.ahead(3 * kPicosecondsPerSecond, 102.5), 1.5);
  EXPECT_DOUBLE_EQ(pacer.ahead(3 * kPicosecondsPerSecond, 104.0), 0.0);
}

TEST(RawTerminal, RestoresTheModeItFound) {
  const FileDescriptor near(::posix_openpt(O_RDWR | O_NOCTTY));
  ASSERT_EQ(::grantpt(near.get()), 0);
  ASSERT_EQ(::unlockpt(near.get()), 0);
  std::array<char, 128> name{};
  ASSERT_EQ(::ptsname_r(near.get(), name.data(), name.size()), 0);
  const FileDescriptor far(::open(name.data(), O_RDWR | O_NOCTTY));
  termios before{};
  termios during{};
  termios after{};
  ASSERT_EQ(::tcgetattr(far.get(), &before), 0);
  {
    const RawTerminal raw(far.get());
    ASSERT_EQ(::tcgetattr(far.get(), &during), 0);
  }
  ASSERT_EQ(::tcgetattr(far.get(), &after), 0);
  EXPECT_NE(before.c_lflag & (ECHO | ICANON | ISIG), 0u);
  EXPECT_EQ(during.c_lflag & (ECHO | ICANON | ISIG), 0u);
  EXPECT_NE(during.c_oflag & OPOST, 0u);
  EXPECT_EQ(after.c_lflag, before.c_lflag);
  EXPECT_EQ(after.c_iflag, before.c_iflag);
}

TEST(SignalWatch, TurnsASignalIntoAQuestion) {
  const SignalWatch watch;
  EXPECT_FALSE(watch.received());
  ASSERT_EQ(std::raise(SIGTERM), 0);
  EXPECT_EQ(watch.received(), SIGTERM);
}

TEST(DtsWriter, WritesStringsCellsAndBytes) {
  std::array<std::uint8_t, 1024> blob{};
  void* fdt = blob.data();
  ASSERT_EQ(fdt_create_empty_tree(fdt, blob.size()), 0);
  fdt_setprop_string(fdt, 0, "model", "a \"b\"");
  fdt_setprop(fdt, 0, "compatible", "x,y\0z", 6);
  const int child = fdt_add_subnode(fdt, 0, "uart@9000000");
  fdt_setprop_u64(fdt, child, "reg", 0x9000000);
  fdt_setprop(fdt, child, "mac", "\x01\x02\xff", 3);
  fdt_setprop_empty(fdt, child, "always-on");
  fdt_add_subnode(fdt, child, "deep");
  const std::string text = device_tree_source(blob);
  // Later additions come first in the blob.
  for (const char* line :
       {"/dts-v1/;\n", "\n/ {\n", "\tmodel = \"a \\\"b\\\"\";\n",
        "\tcompatible = \"x,y\", \"z\";\n", "\tuart@9000000 {\n", "\t\treg = <0x0 0x9000000>;\n",
        "\t\tmac = [01 02 ff];\n", "\t\talways-on;\n", "\t\tdeep {\n\t\t};\n\t};\n};\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "is not in\n" << text;
  }
  EXPECT_THROW(device_tree_source(std::span(blob).first(20)), std::invalid_argument);
}

}  // namespace
}  // namespace trapline
