#include "sim/scenario/command_line.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sim/scenario/key_value_list.h"

namespace trapline {
namespace {

std::optional<std::string> no_environment(std::string_view) {
  return std::nullopt;
}

Scenario parse(std::vector<std::string> arguments) {
  return scenario_from_command_line(arguments, no_environment);
}

std::string error_of(std::vector<std::string> arguments) {
  try {
    parse(std::move(arguments));
  } catch (const ScenarioError& error) {
    return error.what();
  }
  return "no error";
}

TEST(CommandLine, TakesQemusSpelling) {
  const Scenario s = parse({"-M",         "virt,gic-version=2,virtualization=on",
                            "-cpu",       "cortex-a57",
                            "-smp",       "4",
                            "-m",         "1024",
                            "-kernel",    "Image",
                            "-initrd",    "rd.gz",
                            "-append",    "console=ttyAMA0",
                            "-dtb",       "a.dtb",
                            "-nographic", "-no-reboot",
                            "-device",    "loader,file=blob.bin,addr=0x48000000"});
  EXPECT_EQ(s.machine.machine, "virt");
  EXPECT_EQ(s.machine.gic, 2u);
  EXPECT_EQ(s.machine.entry_el, 2u);
  EXPECT_EQ(s.machine.cpu, "cortex-a57");
  EXPECT_EQ(s.machine.cpus, 4u);
  EXPECT_EQ(s.machine.ram_bytes, 1ull << 30);
  EXPECT_EQ(s.machine.kernel, "Image");
  EXPECT_EQ(s.machine.initrd, "rd.gz");
  EXPECT_EQ(s.machine.append, "console=ttyAMA0");
  EXPECT_EQ(s.machine.dtb, "a.dtb");
  ASSERT_EQ(s.machine.loads.size(), 1u);
  EXPECT_EQ(s.machine.loads[0].path, "blob.bin");
  EXPECT_EQ(s.machine.loads[0].address, 0x48000000u);
}

TEST(CommandLine, DescribesAnArmv8RBoard) {
  const Scenario s = parse({"-M", "fvp-baser", "--mpu-regions", "24,16", "--counter", "hardware",
                            "--vmsa", "off",
                            "--reset-vector", "0x88000000", "--load", "fw.bin@0x88000000"});
  EXPECT_EQ(s.machine.machine, "fvp-baser");
  EXPECT_EQ(s.machine.mpu_el1_regions, 24u);
  EXPECT_EQ(s.machine.mpu_el2_regions, 16u);
  EXPECT_TRUE(s.machine.hardware_counter);
  EXPECT_FALSE(s.machine.vmsa_at_el1);
  EXPECT_EQ(s.machine.entry, 0x88000000u);
  EXPECT_FALSE(s.machine.ram_bytes) << "the board's own";

  const Scenario both = parse({"--mpu-regions", "8", "--counter", "firmware", "-kernel", "k"});
  EXPECT_EQ(both.machine.mpu_el1_regions, 8u);
  EXPECT_EQ(both.machine.mpu_el2_regions, 8u);
  EXPECT_FALSE(both.machine.hardware_counter);
}

TEST(CommandLine, OneAndTwoDashesAreTheSame) {
  for (const char* smp : {"-smp", "--smp"}) {
    EXPECT_EQ(parse({smp, "3", "-kernel", "k"}).machine.cpus, 3u);
  }
  EXPECT_EQ(parse({"-smp=3", "--kernel=k"}).machine.cpus, 3u);
  EXPECT_EQ(parse({"-m", "size=2G", "-kernel", "k"}).machine.ram_bytes, 2ull << 30);
  EXPECT_EQ(parse({"--memory", "64M"}).machine.ram_bytes, 64ull << 20);
}

TEST(CommandLine, ValuesThatLookLikeOptionsAreValues) {
  EXPECT_EQ(parse({"-append", "-kernel", "-kernel", "k"}).machine.append, "-kernel");
  EXPECT_EQ(parse({"-append", "--smp=9", "-kernel", "k"}).machine.append, "--smp=9");
  EXPECT_EQ(parse({"-append", "root=/dev/vda rw", "-kernel", "k"}).machine.append,
            "root=/dev/vda rw");
  EXPECT_EQ(parse({"-append=[a,b]", "-kernel", "k"}).machine.append, "[a,b]");
}

TEST(CommandLine, AnEmptyAppendIsEmpty) {
  const Scenario s = parse({"-append", "", "-kernel", "k"});
  EXPECT_EQ(s.machine.append, "");
  EXPECT_EQ(s.machine.kernel, "k");
}

TEST(CommandLine, DescribesXenAndItsDomains) {
  const Scenario s = parse({"--xen", "xen", "--xen-append", "dom0_mem=512M", "--dom0",
                            "kernel=Image,initrd=rd,append=console=hvc0 a,,b,memory=512M", "--domu",
                            "name=guest,kernel=Image,memory=128,vcpus=2,vpl011=off", "--domu",
                            "kernel=Image2,memory=64M"});
  ASSERT_TRUE(s.machine.xen);
  const XenSpec& xen = *s.machine.xen;
  EXPECT_EQ(xen.image, "xen");
  EXPECT_EQ(xen.append, "dom0_mem=512M");
  ASSERT_TRUE(xen.dom0);
  EXPECT_EQ(xen.dom0->name, "dom0");
  EXPECT_EQ(xen.dom0->append, "console=hvc0 a,b");
  EXPECT_EQ(xen.dom0->memory, 512ull << 20);
  ASSERT_EQ(xen.domus.size(), 2u);
  EXPECT_EQ(xen.domus[0].name, "guest");
  EXPECT_EQ(xen.domus[0].memory, 128ull << 20);
  EXPECT_EQ(xen.domus[0].vcpus, 2u);
  EXPECT_FALSE(xen.domus[0].vpl011);
  EXPECT_EQ(xen.domus[1].name, "domU2");
}

TEST(CommandLine, SendsUartsToTheirPlaces) {
  using Kind = UartBackendSpec::Kind;
  const Scenario s = parse({"-kernel", "k", "--uart", "0=null", "--uart", "2=file:out.log"});
  ASSERT_EQ(s.uarts.size(), 3u);
  EXPECT_EQ(s.uarts[0].backend.kind, Kind::null);
  EXPECT_EQ(s.uarts[2].backend.kind, Kind::file);
  EXPECT_EQ(s.uarts[2].backend.path, "out.log");
  const Scenario serial = parse({"-kernel", "k", "-serial", "mon:stdio", "-serial", "pty"});
  EXPECT_EQ(serial.uarts[0].backend.kind, Kind::stdio);
  EXPECT_EQ(serial.uarts[1].backend.kind, Kind::pty);
  EXPECT_EQ(parse({"-kernel", "k"}).uarts[0].backend.kind, Kind::stdio);
}

TEST(CommandLine, SetsLimits) {
  const Scenario s = parse({"-kernel", "k", "--limit-insns", "5G", "--limit-time", "1.5s",
                            "--timeout", "90", "--quantum", "100", "--cpu-hz", "1.2G"});
  EXPECT_EQ(s.forced_limits.instructions, 5'000'000'000u);
  EXPECT_EQ(s.forced_limits.virtual_time, 1'500'000'000'000u);
  EXPECT_EQ(s.forced_limits.host_seconds, 90.0);
  EXPECT_EQ(s.machine.quantum, 100u);
  EXPECT_EQ(s.machine.cpu_hz, 1'200'000'000u);
}

TEST(CommandLine, ErrorsNameTheOptionAndTheRemedy) {
  EXPECT_EQ(error_of({"-smp", "9"}), "--smp: '9' is not a number of CPUs from 1 to 8");
  EXPECT_EQ(error_of({"-m", "lots"}), "--memory: 'lots' is not a size such as 512M or 1G");
  EXPECT_EQ(error_of({"--uart", "0=tcp:1"}),
            "--uart: 'tcp:1' is not stdio, lines, null, pty or file:PATH");
  EXPECT_EQ(error_of({"--dom0", "append=a,b"}),
            "--dom0: 'b' in 'append=a,b' is not key=value (a comma inside a value is written "
            "',,')");
  EXPECT_NE(error_of({"--dom0", "kernl=a"}).find("--dom0: 'kernl' is not one of"),
            std::string::npos);
  EXPECT_NE(error_of({"--kernl", "a"}).find("--kernl"), std::string::npos);
  EXPECT_NE(error_of({"-M", "virt,iommu=smmuv3"}).find("'iommu=smmuv3' is not known"),
            std::string::npos);
  EXPECT_NE(error_of({"--entry", "top"}).find("--entry: 'top' is not an address"),
            std::string::npos);
  EXPECT_NE(error_of({"--log", "loud"}).find("--log: 'loud' is not one of"), std::string::npos);
}

TEST(CommandLine, RefusesWhatCannotGoTogether) {
  EXPECT_NE(error_of({"--dom0", "kernel=k"}).find("no hypervisor"), std::string::npos);
  EXPECT_NE(error_of({"--xen", "x", "-kernel", "k"}).find("do not go with --xen"),
            std::string::npos);
  EXPECT_NE(error_of({"--xen", "x", "-append", "k"}).find("--xen-append"), std::string::npos);
  EXPECT_NE(error_of({"--xen", "x", "--el", "1"}).find("EL2"), std::string::npos);
  EXPECT_NE(error_of({"--xen", "x", "--domu", "kernel=k"}).find("domU1 has no memory"),
            std::string::npos);
  EXPECT_NE(error_of({"-initrd", "rd"}).find("-initrd needs -kernel"), std::string::npos);
  EXPECT_NE(error_of({"-kernel", "k", "--uart", "1=stdio"}).find("two UARTs"), std::string::npos);
  EXPECT_THROW(check_has_image(parse({"-smp", "2"})), ScenarioError);
}

TEST(CommandLine, OptionsOverrideTheScenarioFile) {
  const std::filesystem::path path =
      std::filesystem::path(testing::TempDir()) / "command_line_test.toml";
  std::ofstream(path) << "[machine]\ncpus = 2\ngic = 2\n[xen]\nimage = \"/x/xen\"\n"
                         "[[xen.domu]]\nname = \"a\"\nkernel = \"/x/k\"\nmemory = \"64M\"\n";
  const Scenario s = parse({path.string(), "-smp", "4", "--domu", "name=a,memory=96M", "--domu",
                            "name=b,kernel=k2,memory=32M"});
  std::filesystem::remove(path);
  EXPECT_EQ(s.machine.cpus, 4u);
  EXPECT_EQ(s.machine.gic, 2u);
  ASSERT_EQ(s.machine.xen->domus.size(), 2u);
  EXPECT_EQ(s.machine.xen->domus[0].kernel, "/x/k");
  EXPECT_EQ(s.machine.xen->domus[0].memory, 96ull << 20);
  EXPECT_EQ(s.machine.xen->domus[1].name, "b");
}

TEST(CommandLine, SymbolsSayWhoseTheyAre) {
  const Scenario s = parse({"-kernel", "k", "--symbols", "xen-syms,el=2,offset=-0x1000", "--symbols",
                            "System.map,vmid=3"});
  ASSERT_EQ(s.symbols.size(), 2u);
  EXPECT_EQ(s.symbols[0], (SymbolSpec{"xen-syms", El::el2, {}, 0ull - 0x1000}));
  EXPECT_EQ(s.symbols[1], (SymbolSpec{"System.map", {}, 3, 0}));
  EXPECT_NE(error_of({"-kernel", "k", "--symbols", "f,el=4"}).find("exception level"),
            std::string::npos);
  EXPECT_NE(error_of({"-kernel", "k", "--symbols", "f,at=4"}).find("'at'"), std::string::npos);
}

TEST(CommandLine, RowsAreReadyForTheHelp) {
  for (const OptionRow& row : run_options()) {
    EXPECT_NE(row.names.find("--"), std::string_view::npos) << row.names;
    EXPECT_FALSE(row.help.empty()) << row.names;
  }
}

TEST(CommandLine, DomainsSpeakWithOneAnotherIfToldSo) {
  EXPECT_TRUE(parse({"--domain", "kernel=a"}).machine.silo);
  EXPECT_FALSE(parse({"--domain", "kernel=a", "--xsm", "dummy"}).machine.silo);
  EXPECT_TRUE(parse({"--domain", "kernel=a", "--xsm", "silo"}).machine.silo);
  EXPECT_EQ(error_of({"--domain", "kernel=a", "--xsm", "flask"}),
            "--xsm: 'flask' is not one of silo, dummy");
}

TEST(KeyValueList, SplitsAndUnescapes) {
  const auto list = parse_key_value_list("a=1,b=x=y,,z,c=");
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[1].key, "b");
  EXPECT_EQ(list[1].value, "x=y,z");
  EXPECT_EQ(list[2].value, "");
  EXPECT_EQ(parse_key_value_list("virt,gic-version=3", "type")[0].key, "type");
  EXPECT_THROW(parse_key_value_list("a=1,b"), std::invalid_argument);
  EXPECT_THROW(parse_key_value_list("=1"), std::invalid_argument);
}

}  // namespace
}  // namespace trapline
