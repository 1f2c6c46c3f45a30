// Calls every hypercall that Xen 4.17 has on Arm, with good, boundary and hostile arguments, and
// prints a line for each: "call arguments -> result fields". Addresses and times are left out or
// made relative, so that the table is the same on every run of one hypervisor.
#include "abi.h"

volatile struct shared_info* shared;
static u64 expected_undefined;

/// From the vectors: an instruction that is not answered here ends up as an undefined one.
void synchronous(void) {
  const u64 ec = MRS(esr_el1) >> 26;
  if (expected_undefined && ec == 0) {
    ++expected_undefined;
    MSR(elr_el1, MRS(elr_el1) + 4);
    return;
  }
  print("\nunexpected exception: ESR %x ELR %x FAR %x\n", MRS(esr_el1), MRS(elr_el1), MRS(far_el1));
  power_off();
}

void firmware_cases(void) {
  static const struct {
    const char* name;
    u32 function;
    u32 a, b;
  } calls[] = {
      {"PSCI_VERSION", 0x84000000, 0, 0},
      {"PSCI CPU_ON vcpu 0", 0xc4000003, 0, 0x40080000},
      {"PSCI CPU_ON vcpu 9", 0xc4000003, 9, 0x40080000},
      {"PSCI CPU_ON bad affinity", 0xc4000003, 0x10000, 0x40080000},
      {"PSCI AFFINITY_INFO vcpu 0", 0xc4000004, 0, 0},
      {"PSCI AFFINITY_INFO vcpu 1", 0xc4000004, 1, 0},
      {"PSCI AFFINITY_INFO vcpu 9", 0xc4000004, 9, 0},
      {"PSCI AFFINITY_INFO level 3", 0xc4000004, 0, 3},
      {"PSCI MIGRATE", 0xc4000005, 0, 0},
      {"PSCI MIGRATE_INFO_TYPE", 0x84000006, 0, 0},
      {"PSCI MIGRATE_INFO_UP_CPU", 0xc4000007, 0, 0},
      {"PSCI FEATURES PSCI_VERSION", 0x8400000a, 0x84000000, 0},
      {"PSCI FEATURES CPU_SUSPEND", 0x8400000a, 0x84000001, 0},
      {"PSCI FEATURES CPU_ON", 0x8400000a, 0xc4000003, 0},
      {"PSCI FEATURES SYSTEM_OFF", 0x8400000a, 0x84000008, 0},
      {"PSCI FEATURES SYSTEM_RESET2", 0x8400000a, 0x84000012, 0},
      {"PSCI FEATURES SYSTEM_SUSPEND", 0x8400000a, 0x8400000e, 0},
      {"PSCI FEATURES MEM_PROTECT", 0x8400000a, 0x84000013, 0},
      {"PSCI FEATURES SMCCC_VERSION", 0x8400000a, 0x80000000, 0},
      {"PSCI SYSTEM_SUSPEND", 0x8400000e, 0, 0},
      {"PSCI 0.1 VERSION", 0x95c1ba5e, 0, 0},
      {"SMCCC_VERSION", 0x80000000, 0, 0},
      {"SMCCC_ARCH_FEATURES SMCCC_VERSION", 0x80000001, 0x80000000, 0},
      {"SMCCC_ARCH_FEATURES ARCH_FEATURES", 0x80000001, 0x80000001, 0},
      {"SMCCC_ARCH_FEATURES WORKAROUND_1", 0x80000001, 0x80008000, 0},
      {"SMCCC_ARCH_FEATURES WORKAROUND_2", 0x80000001, 0x80007fff, 0},
      {"SMCCC_ARCH_FEATURES WORKAROUND_3", 0x80000001, 0x80003fff, 0},
      {"SMCCC arch 0x80000002", 0x80000002, 0, 0},
      {"hypervisor call count", 0x8500ff00, 0, 0},
      {"hypervisor UID", 0x8500ff01, 0, 0},
      {"hypervisor revision", 0x8500ff03, 0, 0},
      {"hypervisor function 2", 0x8500ff02, 0, 0},
      {"vendor hypervisor UID", 0x8600ff01, 0, 0},
      {"standard call count", 0x8400ff00, 0, 0},
      {"standard UID", 0x8400ff01, 0, 0},
      {"standard revision", 0x8400ff03, 0, 0},
      {"TRNG_VERSION", 0x84000050, 0, 0},
      {"OEM call", 0x83000000, 0, 0},
      {"trusted application call", 0xb0000000, 0, 0},
      {"trusted OS call", 0xb2000000, 0, 0},
      {"yielding call", 0x00000000, 0, 0},
      {"number of ones", 0xffffffff, 0, 0},
  };
  static const char* const ways[] = {"HVC #0", "SMC #0"};
  for (unsigned way = 0; way < 2; ++way)
    for (unsigned i = 0; i < COUNT(calls); ++i) {
      u64 registers[8] = {calls[i].function, calls[i].a, calls[i].b, 0, 0, 0, 0, 0};
      begin("%s %s", ways[way], calls[i].name);
      expected_undefined = 1;
      firmware_call(registers, way);
      if (expected_undefined > 1) {
        print(" -> undefined instruction\n");
      } else {
        // X1 to X3 are told where a call has more than one result.
        print(" -> ");
        print_signed((i64)(int)registers[0]);
        if ((calls[i].function & 0xff01) == 0xff01)
          print(" 0x%x 0x%x 0x%x", registers[1] & 0xffffffff, registers[2] & 0xffffffff,
                registers[3] & 0xffffffff);
        line_end();
      }
      expected_undefined = 0;
    }
  static const char* const others[] = {"HVC #1", "HVC #0xea0", "HVC #0xffff", "SMC #0xea1"};
  for (unsigned i = 0; i < COUNT(others); ++i) {
    u64 registers[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    expected_undefined = 1;
    firmware_call(registers, i + 2);
    begin("%s", others[i]);
    if (expected_undefined > 1)
      print(" -> undefined instruction\n");
    else
      result((i64)registers[0]);
    expected_undefined = 0;
  }
}

static void tree_facts(const void* tree) {
  const u8* value;
  i64 length = fdt_find_named(tree, "hypervisor", "compatible", &value);
  print("device tree: hypervisor");
  for (i64 at = 0; at < length; ++at) {
    if (at == 0 || value[at - 1] == 0) print(" %s", (const char*)value + at);
  }
  length = fdt_find(tree, "xen,xen", "reg", &value);
  for (i64 at = 0; at + 4 <= length; at += 4) print(" %x", (u64)be32(value + at));
  length = fdt_find(tree, "xen,xen", "interrupts", &value);
  print(" interrupts");
  for (i64 at = 0; at + 4 <= length; at += 4) print(" %x", (u64)be32(value + at));
  line_end();
}

/// The first port that is free, and the domain's own number as a channel to itself shows it.
static void learn_identity(void) {
  u16 request[8] = {kDomIdSelf, kDomIdSelf};
  if (CALL2(kEventChannelOp, 6, request)) return;  // alloc_unbound
  port_base = *(volatile u32*)&request[2];
  u16 status[12] = {kDomIdSelf, 0, (u16)port_base, (u16)(port_base >> 16)};
  CALL2(kEventChannelOp, 5, status);
  own_domain = ((volatile u16*)status)[8];
  u32 port = port_base;
  CALL2(kEventChannelOp, 3, &port);
}

static void unknown_calls(void) {
  for (u64 number = 0; number < 64; ++number) {
    const u64 known = BIT(6) | BIT(7) | BIT(12) | BIT(13) | BIT(16) | BIT(17) | BIT(18) | BIT(19) |
                      BIT(20) | BIT(21) | BIT(24) | BIT(27) | BIT(29) | BIT(32) | BIT(33) |
                      BIT(34) | BIT(35) | BIT(36);
    if (known & BIT(number)) continue;
    CASE(hypercall(number, 0, 0, 0, 0, 0), "hypercall %d zeros", (int)number);
    CASE(hypercall(number, ~0ul, ~0ul, ~0ul, ~0ul, ~0ul), "hypercall %d ones", (int)number);
  }
  static const u64 numbers[] = {64,         127,         128,     0x1000, 0x7fffffff,
                                0x80000000, 0x100000011, BIT(63), ~0ul};
  for (unsigned i = 0; i < COUNT(numbers); ++i)
    CASE(hypercall(numbers[i], 0, 0, 0, 0, 0), "hypercall 0x%x", numbers[i]);
}

void guest_main(const void* tree) {
  map_memory();
  gic_init(tree);
  print("table GICv%d\n", (int)gic_version());
  tree_facts(tree);
  learn_identity();
  map_shared_info();
  map_grant_table();
  version_cases();
  firmware_cases();
  unknown_calls();
  misc_cases();
  memory_cases();
  event_cases();
  interrupt_cases();
  grant_cases();
  scheduling_cases();
  multicall_cases();
  fifo_cases();
  print("end of table: %d cases\n", (int)cases);
}
