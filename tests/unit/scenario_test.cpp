#include "sim/scenario/scenario.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sim/scenario/toml_reader.h"
#include "sim/scenario/units.h"

namespace trapline {
namespace {

std::optional<std::string> environment(std::string_view name) {
  if (name == "TRAPLINE_IMAGES") return "/cache/images";
  if (name == "EMPTY") return "";
  return std::nullopt;
}

Scenario read(std::string_view text, const std::string& path = "dir/a.toml") {
  return read_scenario_text(text, path, environment);
}

std::string error_of(std::string_view text) {
  try {
    read(text);
  } catch (const ScenarioError& error) {
    return error.what();
  }
  return "no error";
}

constexpr std::string_view kWhole = R"(
title = "Xen, dom0 and one domU"

[machine]
type = "virt"
cpu = "cortex-a57"
gic = 2
cpus = 4
memory = "1536M"
el = 2
quantum = 500
cpu-hz = 1_200_000_000
skip-delay-loops = true

[xen]
image = "${TRAPLINE_IMAGES}/xen"
append = "console=dtuart"

[xen.dom0]
kernel = "vmlinuz"
initrd = "${TRAPLINE_IMAGES}/initramfs.cpio.gz"
append = "console=hvc0 PS1=${NOT_A_VARIABLE}"
memory = 512
vcpus = 2

[[xen.domu]]
name = "guest"
kernel = "/abs/vmlinuz"
memory = "128M"
vpl011 = false

[[xen.domu]]
kernel = "${MISSING:-fallback}/k"
memory = "64M"

[[uart]]
to = "stdio"
[[uart.script]]
expect = "login: "
send = "root\n"
timeout = "10s"
[[uart.script]]
expect-regex = "^# $"
delay = "1ms"
always = true

[[uart]]
to = "file:second.log"

[limits]
instructions = "8G"
time = "60s"
host-time = "2min"

[expect]
exit = "power-off"
digest = "abcd"
output = ["Xen version", {regex = "Linux version [0-9]"}, {text = "x", uart = 1}]

[output]
stats = "out.json"
log = "info"
)";

TEST(ScenarioFile, ReadsAnArmv8RBoard) {
  const Scenario s = read(R"(
[machine]
type = "fvp-baser"
mpu-regions = "32,24"
counter = "hardware"
vmsa = false
[boot]
reset-vector = 0x80000000
[[uart]]
index = 2
to = "null"
)");
  EXPECT_EQ(s.machine.machine, "fvp-baser");
  EXPECT_EQ(s.machine.mpu_el1_regions, 32u);
  EXPECT_EQ(s.machine.mpu_el2_regions, 24u);
  EXPECT_TRUE(s.machine.hardware_counter);
  EXPECT_FALSE(s.machine.vmsa_at_el1);
  EXPECT_EQ(s.machine.entry, 0x80000000u);
  ASSERT_EQ(s.uarts.size(), 3u);
  EXPECT_EQ(s.uarts[0].backend.kind, UartBackendSpec::Kind::stdio);
  EXPECT_EQ(s.uarts[1].backend.kind, UartBackendSpec::Kind::lines);
  EXPECT_EQ(s.uarts[2].backend.kind, UartBackendSpec::Kind::null);
  EXPECT_EQ(read("[machine]\nmpu-regions = 8\n").machine.mpu_el1_regions, 8u);
  EXPECT_EQ(error_of("[machine]\nmpu-regions = \"8,300\"\n"),
            "dir/a.toml:2:15: mpu-regions of [machine]: '300' is not a number of MPU regions "
            "from 0 to 255");
  EXPECT_EQ(error_of("[machine]\ncounter = \"off\"\n"),
            "dir/a.toml:2:11: counter of [machine]: 'off' is not firmware or hardware");
}

TEST(ScenarioFile, ReadsTheMachine) {
  const Scenario s = read(kWhole);
  EXPECT_EQ(s.title, "Xen, dom0 and one domU");
  EXPECT_EQ(s.file, "dir/a.toml");
  EXPECT_EQ(s.machine.machine, "virt");
  EXPECT_EQ(s.machine.cpu, "cortex-a57");
  EXPECT_EQ(s.machine.gic, 2u);
  EXPECT_EQ(s.machine.cpus, 4u);
  EXPECT_EQ(s.machine.ram_bytes, 1536ull << 20);
  EXPECT_EQ(s.machine.entry_el, 2u);
  EXPECT_EQ(s.machine.quantum, 500u);
  EXPECT_EQ(s.machine.cpu_hz, 1'200'000'000u);
  EXPECT_TRUE(s.machine.skip_delay_loops);
  EXPECT_EQ(s.stats_path, "out.json");
  EXPECT_EQ(s.log_level, "info");
}

TEST(ScenarioFile, ReadsXenWithPathsFromItsOwnFolder) {
  const Scenario s = read(kWhole);
  ASSERT_TRUE(s.machine.xen);
  const XenSpec& xen = *s.machine.xen;
  EXPECT_EQ(xen.image, "/cache/images/xen");
  EXPECT_EQ(xen.dom0->kernel, "dir/vmlinuz");
  EXPECT_EQ(xen.dom0->initrd, "/cache/images/initramfs.cpio.gz");
  EXPECT_EQ(xen.dom0->append, "console=hvc0 PS1=${NOT_A_VARIABLE}") << "only paths are expanded";
  EXPECT_EQ(xen.dom0->memory, 512ull << 20);
  EXPECT_EQ(xen.dom0->vcpus, 2u);
  ASSERT_EQ(xen.domus.size(), 2u);
  EXPECT_EQ(xen.domus[0].name, "guest");
  EXPECT_EQ(xen.domus[0].kernel, "/abs/vmlinuz");
  EXPECT_FALSE(xen.domus[0].vpl011);
  EXPECT_EQ(xen.domus[1].name, "domU2");
  EXPECT_EQ(xen.domus[1].kernel, "dir/fallback/k");
  EXPECT_EQ(read("[boot]\nkernel = \"k\"\n", "a.toml").machine.kernel, "k");
}

TEST(ScenarioFile, ReadsUartsScriptsAndExpectations) {
  const Scenario s = read(kWhole);
  ASSERT_EQ(s.uarts.size(), 2u);
  const UartSpec& uart = s.uarts[0];
  ASSERT_EQ(uart.script.size(), 2u);
  EXPECT_EQ(uart.script[0].expect, std::vector<std::string>{"login: "});
  EXPECT_EQ(uart.script[0].send, "root\n");
  EXPECT_EQ(uart.script[0].timeout, 10 * kPicosecondsPerSecond);
  EXPECT_FALSE(uart.script[0].always);
  EXPECT_EQ(uart.script[0].where, "dir/a.toml:38");
  EXPECT_TRUE(uart.script[1].regex);
  EXPECT_TRUE(uart.script[1].always);
  EXPECT_EQ(uart.script[1].timeout, kNever);
  EXPECT_EQ(uart.script[1].delay, 1'000'000'000u);
  ASSERT_EQ(uart.patterns.size(), 2u);
  EXPECT_EQ(uart.patterns[0].expect, std::vector<std::string>{"Xen version"});
  EXPECT_TRUE(uart.patterns[1].regex);
  ASSERT_EQ(s.uarts[1].patterns.size(), 1u);
  EXPECT_EQ(s.uarts[1].backend.path, "second.log") << "outputs go where the user stands";
  EXPECT_EQ(s.expect.exit, ExitReason::power_off);
  EXPECT_EQ(s.expect.digest, "abcd");
  EXPECT_EQ(s.limits.instructions, 8'000'000'000u);
  EXPECT_EQ(s.limits.virtual_time, 60 * kPicosecondsPerSecond);
  EXPECT_EQ(s.limits.host_seconds, 120.0);
  EXPECT_EQ(s.forced_limits.instructions, ~0ull);
}

class BasedScenario : public testing::Test {
 protected:
  BasedScenario() : folder(testing::TempDir() + "based-scenario/") {
    std::filesystem::create_directories(folder);
    std::ofstream(folder + "base.toml") << kWhole;
  }
  ~BasedScenario() override { std::filesystem::remove_all(folder); }
  Scenario read_based(std::string_view text) {
    return read("base = \"base.toml\"\n" + std::string(text), folder + "a.toml");
  }

  std::string folder;
};

TEST(ScenarioFile, ADomainMayHideXen) {
  const Scenario s = read(R"(
[[domain]]
kernel = "k"
enhanced = false
[[domain]]
kernel = "k"
enhanced = true
[[domain]]
kernel = "k"
)");
  ASSERT_EQ(s.machine.domains.size(), 3u);
  EXPECT_TRUE(s.machine.domains[0].hide_xen);
  EXPECT_FALSE(s.machine.domains[1].hide_xen);
  EXPECT_TRUE(s.machine.domains[1].enhanced);
  EXPECT_FALSE(s.machine.domains[2].hide_xen);
}

TEST_F(BasedScenario, BeginsWithAllOfItsBase) {
  const Scenario s = read_based("");
  EXPECT_EQ(s.file, folder + "a.toml");
  EXPECT_EQ(s.title, "Xen, dom0 and one domU");
  EXPECT_EQ(s.machine.cpus, 4u);
  EXPECT_EQ(s.machine.xen->domus.size(), 2u);
  EXPECT_EQ(s.uarts[0].script.size(), 2u);
  EXPECT_EQ(s.uarts[0].patterns.size(), 2u);
}

TEST_F(BasedScenario, ReplacesKeysAloneAndListsAsAWhole) {
  const Scenario s = read_based(R"(
[machine]
gic = 3
[xen]
append = "other"
[xen.dom0]
vcpus = 1
[[xen.domu]]
name = "only"
kernel = "k"
[expect]
output = ["one"]
counters = ["instructions <= 5"]
)");
  EXPECT_EQ(s.machine.gic, 3u);
  EXPECT_EQ(s.machine.cpus, 4u);
  EXPECT_EQ(s.machine.xen->image, "/cache/images/xen");
  EXPECT_EQ(s.machine.xen->append, "other");
  EXPECT_EQ(s.machine.xen->dom0->vcpus, 1u);
  EXPECT_EQ(s.machine.xen->dom0->memory, 512ull << 20);
  ASSERT_EQ(s.machine.xen->domus.size(), 1u);
  EXPECT_EQ(s.machine.xen->domus[0].name, "only");
  EXPECT_EQ(s.uarts[0].patterns.size(), 1u);
  EXPECT_EQ(s.expect.digest, "abcd");
  ASSERT_EQ(s.expect.counters.size(), 1u);
  EXPECT_EQ(s.expect.counters[0].name, "instructions");
}

TEST_F(BasedScenario, RefusesFilesThatAreBasedOnEachOther) {
  std::ofstream(folder + "base.toml") << "base = \"base.toml\"\n";
  EXPECT_THROW(read_based(""), ScenarioError);
}

TEST(ScenarioFile, AStepMayWaitForSeveralTexts) {
  const Scenario s = read("[[uart]]\n[[uart.script]]\nexpect = [\"a\", \"b\"]\n");
  EXPECT_EQ(s.uarts[0].script[0].expect, (std::vector<std::string>{"a", "b"}));
  EXPECT_NE(error_of("[[uart]]\n[[uart.script]]\nexpect = [\"a\", 1]\n").find("3:16: expect of"),
            std::string::npos);
}

TEST(ScenarioFile, ReadsLoads) {
  const Scenario s = read(
      "[boot]\nentry = 0x40080000\n[[boot.load]]\nfile = \"a.elf\"\n"
      "[[boot.load]]\nfile = \"b\"\naddress = \"0x48000000\"\n");
  EXPECT_EQ(s.machine.entry, 0x40080000u);
  ASSERT_EQ(s.machine.loads.size(), 2u);
  EXPECT_FALSE(s.machine.loads[0].address);
  EXPECT_EQ(s.machine.loads[1].path, "dir/b");
  EXPECT_EQ(s.machine.loads[1].address, 0x48000000u);
}

TEST(ScenarioFile, UnknownKeysAreErrorsWithTheirPlace) {
  EXPECT_EQ(error_of("[machine]\ncpu = \"max\"\n  cores = 2\n"),
            "dir/a.toml:3:3: unknown key 'cores' in [machine]; known are counter, cpu, cpu-hz, "
            "cpus, el, gic, memory, mpu-regions, quantum, semihosting, skip-delay-loops, type, "
            "vmsa");
  EXPECT_EQ(error_of("[macine]\n").substr(0, 32), "dir/a.toml:1:2: unknown key 'mac");
  EXPECT_NE(error_of("[xen]\n[xen.dom1]\n").find("unknown key 'dom1' in [xen]"), std::string::npos);
  EXPECT_NE(error_of("[[uart]]\n[[uart.script]]\nexpct = \"a\"\n").find(":3:1: unknown key"),
            std::string::npos);
}

TEST(ScenarioFile, WrongTypesAreErrorsWithTheirPlace) {
  EXPECT_EQ(error_of("[machine]\ncpus = \"two\"\n"),
            "dir/a.toml:2:8: cpus of [machine] is a string; it must be an integer");
  EXPECT_EQ(error_of("[machine]\ncpus = 9\n"),
            "dir/a.toml:2:8: cpus of [machine]: 9 is not from 1 to 8");
  EXPECT_EQ(error_of("machine = 3\n"),
            "dir/a.toml:1:11: machine of the file is an integer; it must be a table");
  EXPECT_EQ(error_of("[uart]\nto = \"stdio\"\n").substr(0, 61),
            "dir/a.toml:1:1: uart of the file is a table; it must be an ar");
  EXPECT_NE(error_of("[boot]\nkernel = [\"a\"]\n").find("it must be a string"), std::string::npos);
  EXPECT_NE(error_of("[expect]\noutput = [1]\n").find("must be a string or a table"),
            std::string::npos);
}

TEST(ScenarioFile, BadValuesAreErrorsWithTheirPlace) {
  EXPECT_EQ(error_of("[machine]\nmemory = \"much\"\n"),
            "dir/a.toml:2:10: memory of [machine]: 'much' is not a size such as 512M or 1G");
  EXPECT_NE(error_of("[boot]\nkernel = \"${NOWHERE}/k\"\n").find("2:10: kernel of [boot]"),
            std::string::npos);
  EXPECT_NE(error_of("[expect]\nexit = \"halt\"\n").find("'halt' is not one of power-off"),
            std::string::npos);
  EXPECT_NE(error_of("[[uart]]\n[[uart.script]]\nexpect-regex = \"(\"\n").find("3:16"),
            std::string::npos);
  EXPECT_NE(error_of("[[uart]]\n[[uart.script]]\ntimeout = \"1s\"\n").find("needs expect or send"),
            std::string::npos);
  EXPECT_NE(error_of("[limits]\ntime = \"soon\"\n").find("2:8"), std::string::npos);
}

TEST(ScenarioFile, SyntaxErrorsHaveTheirPlace) {
  EXPECT_EQ(error_of("[machine\ncpus = 2\n").substr(0, 15), "dir/a.toml:1:9:");
  EXPECT_THROW(read_scenario_file("/nonexistent/x.toml", environment), ScenarioError);
  EXPECT_THROW(read_scenario_file("/", environment), ScenarioError);
}

TEST(ScenarioCheck, TheCodeGoesWithAGuestExit) {
  Scenario s = read("[boot]\nkernel = \"k\"\n[expect]\nexit = \"stuck\"\ncode = 3\n");
  EXPECT_THROW(check_scenario(s), ScenarioError);
  s.expect.exit = ExitReason::guest_exit;
  EXPECT_NO_THROW(check_scenario(s));
}

TEST(ExitReasons, NamesGoBothWays) {
  for (int n = 0; n <= static_cast<int>(ExitReason::user_quit); ++n) {
    const auto reason = static_cast<ExitReason>(n);
    EXPECT_EQ(parse_exit_reason(exit_reason_name(reason)), reason);
  }
}

TEST(Units, ParsesSizes) {
  EXPECT_EQ(parse_size("4096"), 4096u);
  EXPECT_EQ(parse_size("512", 1 << 20), 512ull << 20);
  EXPECT_EQ(parse_size("1G"), 1ull << 30);
  EXPECT_EQ(parse_size("1.5 GiB"), 3ull << 29);
  EXPECT_EQ(parse_size("64k"), 65536u);
  for (const char* bad :
       {"", "G", "1X", "-1", "1G ", "1..5", "99999999999999999999", "99999999T"}) {
    EXPECT_THROW(parse_size(bad), std::invalid_argument) << bad;
  }
}

TEST(Units, ParsesDurationsExactly) {
  EXPECT_EQ(parse_duration("0.1s"), 100'000'000'000u);
  EXPECT_EQ(parse_duration("10"), 10 * kPicosecondsPerSecond);
  EXPECT_EQ(parse_duration("3ns"), 3000u);
  EXPECT_EQ(parse_duration("1.000000000001s"), kPicosecondsPerSecond + 1);
  EXPECT_EQ(parse_duration("2min"), 120 * kPicosecondsPerSecond);
  EXPECT_THROW(parse_duration("1m"), std::invalid_argument) << "minutes or milliseconds?";
  EXPECT_THROW(parse_duration("999999999h"), std::invalid_argument);
}

TEST(Units, ParsesCountsAndAddresses) {
  EXPECT_EQ(parse_count("5G"), 5'000'000'000u);
  EXPECT_EQ(parse_count("1_000_000"), 1'000'000u);
  EXPECT_EQ(parse_count("1.5k"), 1500u);
  EXPECT_EQ(parse_address("0xFF"), 255u);
  EXPECT_EQ(parse_address("255"), 255u);
  for (const char* bad : {"", "0x", "ff", "0x1 ", "0x11111111111111111"}) {
    EXPECT_THROW(parse_address(bad), std::invalid_argument) << bad;
  }
}

TEST(ScenarioFile, XsmIsAPolicyOfXen) {
  EXPECT_TRUE(read("").machine.silo);
  EXPECT_FALSE(read("xsm = \"dummy\"").machine.silo);
  EXPECT_NE(error_of("xsm = \"flask\"").find("'flask' is not one of silo, dummy"),
            std::string::npos);
}

TEST(Units, FormatsDurations) {
  EXPECT_EQ(format_duration(0), "0 ps");
  EXPECT_EQ(format_duration(1'500), "1.500 ns");
  EXPECT_EQ(format_duration(12'345'678'000'000), "12.345 s");
  EXPECT_EQ(format_duration(kNever), "18446744.073 s");
}

TEST(Units, SubstitutesVariables) {
  EXPECT_EQ(substitute("${TRAPLINE_IMAGES}/a", environment), "/cache/images/a");
  EXPECT_EQ(substitute("${EMPTY:-b}${EMPTY}c", environment), "bc");
  EXPECT_EQ(substitute("$$x $y a$", environment), "$x $y a$");
  EXPECT_THROW(substitute("${NOWHERE}", environment), std::invalid_argument);
  EXPECT_THROW(substitute("${EMPTY", environment), std::invalid_argument);
}

}  // namespace
}  // namespace trapline
