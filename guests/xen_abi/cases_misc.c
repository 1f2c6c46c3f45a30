// xen_version, hvm_op, vcpu_op, sched_op, console_io, physdev_op, vm_assist, and the calls that an
// unprivileged domain is refused.
#include "abi.h"

static u64 call_number;

static i64 number_pointer(u32 number, u64 pointer) {
  return CALL2(call_number, number, pointer);
}

static i64 pointer_only(u32 number, u64 pointer) {
  (void)number;
  return CALL1(call_number, pointer);
}

/// The buffer as text, with what is no printable character left out.
static void print_text(unsigned at, unsigned bytes) {
  print(" \"");
  for (unsigned i = at; i < at + bytes && buffer_page[i]; ++i)
    if (buffer_page[i] >= ' ' && buffer_page[i] < 127) put_char((char)buffer_page[i]);
  print("\"");
}

void version_cases(void) {
  static const struct sub subs[] = {{"version", 0, kBad, 0},
                                    {"extraversion", 1, kBad | kUnwritable, 0},
                                    {"compile_info", 2, kNowhere | kUnwritable, 0},
                                    {"capabilities", 3, kBad | kUnwritable, 0},
                                    {"changeset", 4, kBad | kUnwritable, 0},
                                    {"platform_parameters", 5, kAll, 0},
                                    {"get_features", 6, kAll, 0},
                                    {"pagesize", 7, kAll, 0},
                                    {"guest_handle", 8, kAll, 0},
                                    {"commandline", 9, kBad | kUnwritable, 0},
                                    {"build_id", 10, kBad | kUnwritable, 0},
                                    {"11", 11, kAll, 0},
                                    {"-1", ~0u, kAll, 0}};
  call_number = kXenVersion;
  sweep("xen_version", subs, COUNT(subs), number_pointer, 0);
  static const struct {
    const char* name;
    u32 number;
    u32 parts[5];  ///< Sizes of the texts.
  } texts[] = {{"extraversion", 1, {16}},
               {"capabilities", 3, {1024}},
               {"changeset", 4, {64}},
               {"commandline", 9, {1024}}};
  for (unsigned i = 0; i < COUNT(texts); ++i) {
    clear_buffer(0);
    begin("xen_version %s", texts[i].name);
    result_part(CALL2(kXenVersion, texts[i].number, kBuffer));
    for (unsigned part = 0, at = 0; texts[i].parts[part]; at += texts[i].parts[part++])
      print_text(at, texts[i].parts[part]);
    line_end();
  }
  // Who built it and when is not part of the ABI; that there is a text in each field is.
  clear_buffer(0);
  begin("xen_version compile_info");
  result_part(CALL2(kXenVersion, 2, kBuffer));
  print(" texts %d %d %d %d\n", buffer_page[0] != 0, buffer_page[64] != 0, buffer_page[80] != 0,
        buffer_page[112] != 0);
  for (u32 index = 0; index < 4; ++index) {
    u32 feature[2] = {index, 0xdead};
    const i64 got = CALL2(kXenVersion, 6, feature);
    begin("xen_version get_features submap %d", (int)index);
    result_part(got);
    print(" 0x%x\n", (u64) * (volatile u32*)&feature[1]);
  }
}

static void hvm_params(void) {
  static const u16 domains[] = {kDomIdSelf, 0, 0x7fff};
  for (unsigned d = 0; d < COUNT(domains); ++d)
    for (u32 index = 0; index < 41; ++index) {
      u64 param[2] = {domains[d] | (u64)index << 32, 0xdead0000dead};
      i64 got = CALL2(kHvmOp, 1, param);
      begin("hvm_op get_param %d of domain 0x%x", (int)index, (u64)domains[d]);
      result_part(got);
      if (got == 0) print(" 0x%x", *(volatile u64*)&param[1]);
      line_end();
      if (index == 0) continue;  // It would route the upcall elsewhere.
      got = CALL2(kHvmOp, 0, param);
      CASE(got, "hvm_op set_param %d of domain 0x%x", (int)index, (u64)domains[d]);
    }
  u64 param[2] = {kDomIdSelf, 2ul << 56 | 0x800 | 31};
  CASE(CALL2(kHvmOp, 0, param), "hvm_op set_param CALLBACK_IRQ to PPI 31");
  param[0] = own_domain;
  CASE(CALL2(kHvmOp, 1, param), "hvm_op get_param 0 of its own number");
  param[0] = kDomIdSelf | 0xfffffffful << 32;
  CASE(CALL2(kHvmOp, 1, param), "hvm_op get_param -1");
}

static void vcpu_cases(void) {
  static const struct {
    const char* name;
    u32 number;
  } subs[] = {{"initialise", 0},
              {"up", 1},
              {"down", 2},
              {"is_up", 3},
              {"get_runstate_info", 4},
              {"register_runstate", 5},
              {"set_periodic_timer", 6},
              {"stop_periodic_timer", 7},
              {"set_singleshot_timer", 8},
              {"stop_singleshot_timer", 9},
              {"register_vcpu_info", 10},
              {"send_nmi", 11},
              {"get_physid", 12},
              {"register_time_area", 13},
              {"14", 14},
              {"-1", ~0u}};
  static const u32 vcpus[] = {0, 1, 2, 128, ~0u};
  for (unsigned i = 0; i < COUNT(subs); ++i)
    for (unsigned v = 0; v < COUNT(vcpus); ++v) {
      CASE(CALL3(kVcpuOp, subs[i].number, vcpus[v], 0), "vcpu_op %s vcpu %d null", subs[i].name,
           (int)vcpus[v]);
      CASE(CALL3(kVcpuOp, subs[i].number, vcpus[v], kHole), "vcpu_op %s vcpu %d stage-1-hole",
           subs[i].name, (int)vcpus[v]);
    }
}

/// Layout of struct vcpu_runstate_info: state, state_entry_time, time[4].
static u64 runstate[8] __attribute__((aligned(64)));

static void registered_areas(void) {
  volatile u64* area = runstate;
  u64 pointer[1] = {(u64)runstate};
  i64 got = CALL3(kVcpuOp, 5, 0, pointer);
  for (unsigned i = 0; i < 3; ++i) CALL2(kSchedOp, 0, 0);
  begin("vcpu_op register_runstate");
  result_part(got);
  print(" state %d running time %s entry time %s\n", (int)area[0], area[2] ? "counts" : "is 0",
        area[1] ? "is set" : "is 0");
  pointer[0] = (u64)runstate;
  CASE(CALL3(kVcpuOp, 5, 1, pointer), "vcpu_op register_runstate vcpu 1");
  pointer[0] = 0;
  CASE(CALL3(kVcpuOp, 5, 0, pointer), "vcpu_op register_runstate address null");
  pointer[0] = kHole;
  CASE(CALL3(kVcpuOp, 5, 0, pointer), "vcpu_op register_runstate address stage-1-hole");
  pointer[0] = kNoRam;
  CASE(CALL3(kVcpuOp, 5, 0, pointer), "vcpu_op register_runstate address not-ram");
  pointer[0] = kHole - 8;
  CASE(CALL3(kVcpuOp, 5, 0, pointer), "vcpu_op register_runstate address end-of-page");
  pointer[0] = (u64)runstate + 4;
  CASE(CALL3(kVcpuOp, 5, 0, pointer), "vcpu_op register_runstate address unaligned");
  pointer[0] = (u64)runstate;
  CASE(CALL3(kVcpuOp, 5, 0, pointer), "vcpu_op register_runstate again");
  clear_buffer(0);
  CASE(CALL3(kVcpuOp, 4, 0, kBuffer), "vcpu_op get_runstate_info vcpu 0");

  static const struct {
    const char* name;
    u64 gfn_of;
    u32 offset, vcpu;
  } infos[] = {{"offset beyond the page", (u64)page_a, 4096 - 40, 1},
               {"offset unaligned", (u64)page_a, 4, 1},
               {"offset far", (u64)page_a, 0xfffffff8, 1},
               {"frame that is no RAM", kNoRamPa, 0, 1},
               {"frame out of range", 1ul << 50, 0, 1},
               {"vcpu 2", (u64)page_a, 0, 2},
               {"vcpu 1", (u64)page_a, 64, 1},
               {"vcpu 1 again", (u64)page_a, 64, 1},
               {"vcpu 1 elsewhere", (u64)page_b, 64, 1}};
  for (unsigned i = 0; i < COUNT(infos); ++i) {
    u64 info[2] = {GFN(infos[i].gfn_of), infos[i].offset};
    CASE(CALL3(kVcpuOp, 10, infos[i].vcpu, info), "vcpu_op register_vcpu_info %s", infos[i].name);
  }
}

void scheduling_cases(void) {
  static const struct sub subs[] = {{"yield", 0, kAll, 0},
                                    {"shutdown", 2, kNowhere, 0},
                                    {"poll", 3, kBad, 0},
                                    {"remote_shutdown", 4, kAll, 0},
                                    {"shutdown_code", 5, kBad | kOnes, 0},
                                    {"watchdog", 6, kBad | kOnes, 0},
                                    {"pin_override", 7, kAll, 0},
                                    {"8", 8, kAll, 0},
                                    {"-1", ~0u, kAll, 0}};
  call_number = kSchedOp;
  sweep("sched_op", subs, COUNT(subs), number_pointer, 0);

  // A port that is pending: block and poll come back at once.
  u16 request[4] = {kDomIdSelf, kDomIdSelf, 0, 0};
  CALL2(kEventChannelOp, 6, request);
  struct {
    u64 ports;
    u32 count;
    u64 timeout;
  } poll = {(u64)&port_base, 1, 0};
  shared->mask[port_base / 64] |= BIT(port_base % 64);
  shared->pending[port_base / 64] |= BIT(port_base % 64);
  CASE(CALL2(kSchedOp, 3, &poll), "sched_op poll a pending port");
  shared->pending[port_base / 64] &= ~BIT(port_base % 64);
  poll.timeout = 1;
  CASE(CALL2(kSchedOp, 3, &poll), "sched_op poll until a time that is past");
  poll.count = 129;
  CASE(CALL2(kSchedOp, 3, &poll), "sched_op poll 129 ports");
  poll.count = 0xffffffff;
  CASE(CALL2(kSchedOp, 3, &poll), "sched_op poll 4294967295 ports");
  poll.count = 128;
  poll.ports = kHole;
  CASE(CALL2(kSchedOp, 3, &poll), "sched_op poll 128 ports in a stage-1-hole");
  const u32 bad[2] = {0xffffffff, 4096};
  poll.ports = (u64)bad;
  poll.count = 1;
  CASE(CALL2(kSchedOp, 3, &poll), "sched_op poll port -1");
  poll.count = 0;
  CASE(CALL2(kSchedOp, 3, &poll), "sched_op poll no port");
  shared->mask[port_base / 64] &= ~BIT(port_base % 64);
  shared->pending[port_base / 64] |= BIT(port_base % 64);
  shared->vcpu[0].upcall_pending = 1;
  CASE(CALL2(kSchedOp, 1, 0), "sched_op block with an event pending");
  shared->pending[port_base / 64] = 0;
  shared->vcpu[0].upcall_pending = 0;
  close_ports();

  u32 watchdog[2] = {0, 100};
  const i64 id = CALL2(kSchedOp, 6, watchdog);
  CASE(id, "sched_op watchdog start");
  watchdog[0] = (u32)id;
  CASE(CALL2(kSchedOp, 6, watchdog), "sched_op watchdog restart");
  watchdog[0] = 0;
  CASE(CALL2(kSchedOp, 6, watchdog), "sched_op watchdog start another");
  CASE(CALL2(kSchedOp, 6, watchdog), "sched_op watchdog start a third");
  for (u32 n = 1; n < 4; ++n) {
    watchdog[0] = n;
    watchdog[1] = 0;
    CASE(CALL2(kSchedOp, 6, watchdog), "sched_op watchdog stop %d", (int)n);
  }
  u32 remote[2] = {own_domain, 0};
  CASE(CALL2(kSchedOp, 4, remote), "sched_op remote_shutdown of its own number");
  const u32 reasons[] = {6, 0xff};
  for (unsigned i = 0; i < COUNT(reasons); ++i)
    CASE(CALL2(kSchedOp, 5, &reasons[i]), "sched_op shutdown_code %d", (int)reasons[i]);
  CASE(CALL2(kSchedOpCompat, 0, 0), "sched_op_compat yield");
  CASE(CALL2(kSchedOpCompat, 3, 0), "sched_op_compat 3");
  CASE(CALL2(kSchedOpCompat, ~0u, 0), "sched_op_compat -1");
  vcpu_cases();
  registered_areas();
}

static void refused(void) {
  static const struct {
    const char* name;
    u64 number;
  } calls[] = {{"platform_op", kPlatformOp},
               {"sysctl", kSysctl},
               {"domctl", kDomctl},
               {"xsm_op", kXsmOp},
               {"physdev_op_compat", kPhysdevOpCompat},
               {"event_channel_op_compat", kEventChannelOpCompat}};
  for (unsigned i = 0; i < COUNT(calls); ++i) {
    const struct sub sub = {0, 0, kAll, 0};
    call_number = calls[i].number;
    sweep(calls[i].name, &sub, 1, pointer_only, 0);
  }
  // The versions of the interfaces are right, so that the refusal is one of the operation.
  struct {
    u32 command, version, domain_and_pad, fields[125];
  } request;
  for (u32 command = 0; command < 92; ++command) {
    request.command = command;
    request.version = 0x15;
    request.domain_and_pad = kDomIdSelf;
    for (unsigned i = 0; i < COUNT(request.fields); ++i) request.fields[i] = 0;
    CASE(CALL1(kDomctl, &request), "domctl %d", (int)command);
  }
  for (u32 command = 0; command < 31; ++command) {
    request.command = command;
    request.version = 0x15;
    request.domain_and_pad = 0;
    CASE(CALL1(kSysctl, &request), "sysctl %d", (int)command);
  }
  request.version = 0x03000000;
  for (u32 command = 0; command < 66; command += 1) {
    request.command = command;
    CASE(CALL1(kPlatformOp, &request), "platform_op %d", (int)command);
  }
}

void misc_cases(void) {
  static const struct sub hvm[] = {{"set_param", 0, kBad | kOnes, 0},
                                   {"get_param", 1, kAll, 0},
                                   {"set_pci_intx_level", 2, kAll, 0},
                                   {"set_isa_irq_level", 3, kAll, 0},
                                   {"set_pci_link_route", 4, kAll, 0},
                                   {"flush_tlbs", 5, kAll, 0},
                                   {"track_dirty_vram", 6, kAll, 0},
                                   {"modified_memory", 7, kAll, 0},
                                   {"set_mem_type", 8, kAll, 0},
                                   {"pagetable_dying", 9, kAll, 0},
                                   {"get_time", 10, kAll, 0},
                                   {"xentrace", 11, kAll, 0},
                                   {"set_mem_access", 12, kAll, 0},
                                   {"get_mem_access", 13, kAll, 0},
                                   {"inject_trap", 14, kAll, 0},
                                   {"get_mem_type", 15, kAll, 0},
                                   {"inject_msi", 16, kAll, 0},
                                   {"create_ioreq_server", 17, kAll, 0},
                                   {"set_evtchn_upcall_vector", 23, kAll, 0},
                                   {"guest_request_vm_event", 24, kAll, 0},
                                   {"altp2m", 25, kAll, 0},
                                   {"26", 26, kAll, 0},
                                   {"-1", ~0u, kAll, 0}};
  call_number = kHvmOp;
  sweep("hvm_op", hvm, COUNT(hvm), number_pointer, 0);
  CASE(CALL2(kHvmOp, 1ul << 32 | 1, 0), "hvm_op 0x100000001");
  hvm_params();
  call_number = kPhysdevOp;
  for (u32 number = 0; number < 34; ++number) {
    const struct sub sub = {0, number, number ? kZero | kOnes : kAll, 0};
    sweep("physdev_op", &sub, 1, number_pointer, 0);
  }
  for (u32 command = 0; command < 4; ++command)
    for (u64 bytes = 0; bytes < 3; ++bytes)
      CASE(CALL3(kConsoleIo, command, bytes, kBuffer), "console_io %d, %d bytes", (int)command,
           (int)bytes);
  CASE(CALL3(kConsoleIo, 0, 0xffffffff, kBuffer), "console_io 0, 4294967295 bytes");
  CASE(CALL3(kConsoleIo, 0, 8, kHole), "console_io 0, 8 bytes of a stage-1-hole");
  for (u32 command = 0; command < 3; ++command)
    for (u32 type = 0; type < 7; ++type)
      CASE(CALL2(kVmAssist, command, type), "vm_assist %d type %d", (int)command, (int)type);
  CASE(CALL2(kVmAssist, 0, 32), "vm_assist 0 type 32");
  CASE(CALL2(kVmAssist, 0, 63), "vm_assist 0 type 63");
  CASE(CALL2(kVmAssist, 0, ~0u), "vm_assist 0 type -1");
  refused();
}
