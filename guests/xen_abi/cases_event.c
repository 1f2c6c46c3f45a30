// event_channel_op by the 2-level ABI, and the upcall.
#include "abi.h"

static i64 event_op(u32 number, u64 pointer) {
  return CALL2(kEventChannelOp, number, pointer);
}

struct status {
  u16 domain;
  u32 port, status, vcpu, a, b;
};

static struct status status_of(u32 port) {
  struct status status = {kDomIdSelf, port, 0xdead, 0, 0, 0};
  event_op(5, (u64)&status);
  return *(volatile struct status*)&status;
}

void close_ports(void) {
  for (u32 port = port_base; port < port_base + 40; ++port) event_op(3, (u64)&port);
}

static void print_status(u32 port) {
  static const char* const names[] = {"closed", "unbound", "interdomain", "pirq", "virq", "ipi"};
  const struct status s = status_of(port);
  print(" [");
  print_port(port);
  print(" %s vcpu %d", s.status < 6 ? names[s.status] : "?", (int)s.vcpu);
  if (s.status == 1) print(" dom %d", (int)(s.a & 0xffff));
  if (s.status == 2) {
    print(" dom %d ", (int)(s.a & 0xffff));
    print_port(s.b);
  }
  if (s.status == 4) print(" virq %d", (int)s.a);
  print("]");
}

/// A call that hands out a port.
static i64 port_case(const char* name, u32 op, void* request, const u32* port) {
  begin("event_channel_op %s", name);
  const i64 got = event_op(op, (u64)request);
  result_part(got);
  if (got == 0) print_status(*(const volatile u32*)port);
  line_end();
  return got;
}

struct unbound {
  u16 domain, remote;
  u32 port;
};
struct interdomain {
  u16 remote;
  u32 remote_port, port;
};

static u32 new_unbound(void) {
  struct unbound request = {kDomIdSelf, kDomIdSelf, 0};
  event_op(6, (u64)&request);
  return *(volatile u32*)&request.port;
}

static void binding(void) {
  static const struct {
    const char* name;
    u16 domain, remote;
  } allocations[] = {{"alloc_unbound self for self", kDomIdSelf, kDomIdSelf},
                     {"alloc_unbound self for domain 0", kDomIdSelf, 0},
                     {"alloc_unbound self for domain 0x7fff", kDomIdSelf, 0x7fff},
                     {"alloc_unbound self for DOMID_INVALID", kDomIdSelf, kDomIdInvalid},
                     {"alloc_unbound domain 0 for self", 0, kDomIdSelf},
                     {"alloc_unbound DOMID_XEN for self", kDomIdXen, kDomIdSelf},
                     {"alloc_unbound domain 0x7fff for self", 0x7fff, kDomIdSelf}};
  for (unsigned i = 0; i < COUNT(allocations); ++i) {
    struct unbound request = {allocations[i].domain, allocations[i].remote, 0};
    port_case(allocations[i].name, 6, &request, &request.port);
  }
  struct unbound own = {(u16)own_domain, (u16)own_domain, 0};
  port_case("alloc_unbound own number for own number", 6, &own, &own.port);
  static const struct {
    const char* name;
    u16 remote;
    u32 port;
    int relative;
  } binds[] = {{"bind_interdomain self to the first", kDomIdSelf, 0, 1},
               {"bind_interdomain self to the first again", kDomIdSelf, 0, 1},
               {"bind_interdomain self to the second, which is for domain 0", kDomIdSelf, 1, 1},
               {"bind_interdomain self to a free port", kDomIdSelf, 20, 1},
               {"bind_interdomain self to port 0", kDomIdSelf, 0, 0},
               {"bind_interdomain self to port 4096", kDomIdSelf, 4096, 0},
               {"bind_interdomain self to port -1", kDomIdSelf, ~0u, 0},
               {"bind_interdomain domain 0 to port 4000", 0, 4000, 0},
               {"bind_interdomain domain 0x7fff", 0x7fff, 1, 0},
               {"bind_interdomain DOMID_XEN", kDomIdXen, 1, 0}};
  for (unsigned i = 0; i < COUNT(binds); ++i) {
    struct interdomain request = {binds[i].remote,
                                  binds[i].port + (binds[i].relative ? port_base : 0), 0};
    port_case(binds[i].name, 0, &request, &request.port);
  }
  begin("the first of them now");
  print_status(port_base);
  line_end();
  close_ports();
  for (u32 virq = 0; virq < 26; ++virq) {
    u32 request[3] = {virq, 0, 0};
    begin("event_channel_op bind_virq %d", (int)virq);
    const i64 got = event_op(1, (u64)request);
    result_part(got);
    if (got == 0) print_status(*(volatile u32*)&request[2]);
    line_end();
  }
  u32 again[3] = {0, 0, 0};
  port_case("bind_virq 0 once more", 1, again, &again[2]);
  static const u32 vcpus[] = {1, 2, 128, ~0u};
  for (unsigned i = 0; i < COUNT(vcpus); ++i) {
    u32 virq[3] = {0, vcpus[i], 0}, ipi[2] = {vcpus[i], 0}, global[3] = {3, vcpus[i], 0};
    print("(vcpu %d) ", (int)vcpus[i]);
    port_case("bind_virq 0 on another vcpu", 1, virq, &virq[2]);
    print("(vcpu %d) ", (int)vcpus[i]);
    port_case("bind_virq 3 on another vcpu", 1, global, &global[2]);
    print("(vcpu %d) ", (int)vcpus[i]);
    port_case("bind_ipi on another vcpu", 7, ipi, &ipi[1]);
  }
  close_ports();
  close_ports();
  for (u32 pirq = 0; pirq < 65; pirq += 32) {
    u32 request[3] = {pirq, 0, 0};
    port_case("bind_pirq", 2, request, &request[2]);
  }
}

static void using(void) {
  const u32 unbound = new_unbound();
  u32 ipi_request[2] = {0, 0};
  event_op(7, (u64)ipi_request);
  const u32 ipi = *(volatile u32*)&ipi_request[1];
  u32 virq_request[3] = {0, 0, 0};
  event_op(1, (u64)virq_request);
  const u32 virq = *(volatile u32*)&virq_request[2];
  const struct {
    const char* name;
    u32 port;
  } ports[] = {{"an unbound port", unbound},
               {"an ipi port", ipi},
               {"a virq port", virq},
               {"a closed port", port_base + 30},
               {"port 0", 0},
               {"port 1023", 1023},
               {"port 1024", 1024},
               {"port 4095", 4095},
               {"port 4096", 4096},
               {"port 0x20000", 0x20000},
               {"port -1", ~0u}};
  for (unsigned i = 0; i < COUNT(ports); ++i) {
    const u32 port = ports[i].port;
    struct status status = {kDomIdSelf, port, 0xdead, 0, 0, 0};
    CASE(event_op(5, (u64)&status), "event_channel_op status of %s", ports[i].name);
    CASE(event_op(4, (u64)&port), "event_channel_op send to %s", ports[i].name);
    CASE(event_op(9, (u64)&port), "event_channel_op unmask %s", ports[i].name);
    for (u32 vcpu = 0; vcpu < 3; ++vcpu) {
      u32 bind[2] = {port, vcpu};
      CASE(event_op(8, (u64)bind), "event_channel_op bind_vcpu %s to vcpu %d", ports[i].name,
           (int)vcpu);
    }
    static const u32 priorities[] = {0, 7, 15, 16, ~0u};
    for (unsigned p = 0; p < COUNT(priorities); ++p) {
      u32 set[2] = {port, priorities[p]};
      CASE(event_op(13, (u64)set), "event_channel_op set_priority of %s to %d", ports[i].name,
           (int)priorities[p]);
    }
    if (port == port_base) continue;
    CASE(event_op(3, (u64)&port), "event_channel_op close %s", ports[i].name);
    CASE(event_op(3, (u64)&port), "event_channel_op close %s again", ports[i].name);
  }
  struct status other = {0, 1, 0, 0, 0, 0};
  CASE(event_op(5, (u64)&other), "event_channel_op status of a port of domain 0");
  other.domain = 0x7fff;
  CASE(event_op(5, (u64)&other), "event_channel_op status of a port of domain 0x7fff");
  for (u32 dom = 0; dom < 2; ++dom) {
    u16 reset = dom ? 0x7fff : 0;
    CASE(event_op(10, (u64)&reset), "event_channel_op reset of domain 0x%x", (u64)reset);
    CASE(event_op(14, (u64)&reset), "event_channel_op reset_cont of domain 0x%x", (u64)reset);
  }
  close_ports();
}

/// Whether the port is pending, and what else is set of its domain's selectors.
static void print_pending(u32 port) {
  DSB();
  print(" pending %d selector %d upcall %d", (int)(shared->pending[port / 64] >> (port % 64) & 1),
        (int)(shared->vcpu[0].pending_sel >> (port / 64) & 1), shared->vcpu[0].upcall_pending);
}

static void clear_pending(u32 port) {
  shared->pending[port / 64] &= ~BIT(port % 64);
  shared->vcpu[0].pending_sel = 0;
  shared->vcpu[0].upcall_pending = 0;
  DSB();
}

static void upcalls(void) {
  gic_enable(31);
  const u32 near = new_unbound();
  struct interdomain request = {kDomIdSelf, near, 0};
  event_op(0, (u64)&request);
  const u32 far = *(volatile u32*)&request.port;
  irqs_off();
  for (unsigned masked = 0; masked < 2; ++masked) {
    clear_pending(far);
    if (masked)
      shared->mask[far / 64] |= BIT(far % 64);
    else
      shared->mask[far / 64] &= ~BIT(far % 64);
    begin("send to a port that is %s", masked ? "masked" : "not masked");
    result_part(event_op(4, (u64)&near));
    print_pending(far);
    irqs_on();
    ISB();
    irqs_off();
    print_taken();
    line_end();
  }
  begin("unmask what is pending");
  result_part(event_op(9, (u64)&far));
  print_pending(far);
  irqs_on();
  ISB();
  irqs_off();
  print_taken();
  line_end();
  begin("send once more while it is pending");
  shared->vcpu[0].pending_sel = 0;
  result_part(event_op(4, (u64)&near));
  print_pending(far);
  irqs_on();
  ISB();
  irqs_off();
  print_taken();
  line_end();
  clear_pending(far);
  begin("close the near end");
  result_part(event_op(3, (u64)&near));
  print_status(far);
  line_end();
  close_ports();
  begin("vcpu time of the shared info");
  print(" version %d", (int)(shared->vcpu[0].time[0] & 0xffffffff));
  print(" wallclock %s\n", shared->wc_version ? "is set" : "is not set");
}

/// As many as there are; Xen's limit for a domain without a toolstack is 1023.
static void exhaustion(void) {
  static struct unbound request;
  u32 last = 0, count = 0;
  i64 got = 0;
  while (count < 5000) {
    request = (struct unbound){kDomIdSelf, kDomIdSelf, 0};
    got = event_op(6, (u64)&request);
    if (got) break;
    last = *(volatile u32*)&request.port;
    ++count;
  }
  begin("alloc_unbound until there are no more");
  result_part(got);
  print(" last port %d\n", (int)last);
  for (u32 port = port_base; port <= last; ++port) event_op(3, (u64)&port);
  const u32 port = new_unbound();
  begin("alloc_unbound after all were closed");
  print_status(port);
  line_end();
  close_ports();
}

void event_cases(void) {
  static const struct sub subs[] = {{"bind_interdomain", 0, kAll, 9},
                                    {"bind_virq", 1, kAll, 9},
                                    {"bind_pirq", 2, kAll, 9},
                                    {"close", 3, kAll, 0},
                                    {"send", 4, kAll, 0},
                                    {"status", 5, kBad | kZero | kOnes, 0},
                                    {"alloc_unbound", 6, kAll, 5},
                                    {"bind_ipi", 7, kAll, 5},
                                    {"bind_vcpu", 8, kAll, 0},
                                    {"unmask", 9, kAll, 0},
                                    {"reset", 10, kAll, 0},
                                    {"init_control", 11, kBad | kOnes, 0},
                                    {"expand_array", 12, kAll, 0},
                                    {"set_priority", 13, kAll, 0},
                                    {"reset_cont", 14, kAll, 0},
                                    {"15", 15, kAll, 0},
                                    {"-1", ~0u, kAll, 0}};
  sweep("event_channel_op", subs, COUNT(subs), event_op, close_ports);
  binding();
  using();
  upcalls();
  exhaustion();
}

extern const char second_start[];

/// CPU_ON, and back off by itself.
static void second_vcpu(void) {
  static volatile u32 mark;
  u64 on[8] = {0xc4000003, 1, (u64)second_start, (u64)&mark, 0, 0, 0, 0};
  begin("PSCI CPU_ON vcpu 1");
  firmware_call(on, 0);
  print(" -> ");
  print_signed((i64)(int)on[0]);
  while (!mark) CALL2(kSchedOp, 0, 0);
  print(", it ran\n");
  u64 info[8];
  do {
    info[0] = 0xc4000004;
    info[1] = 1;
    info[2] = 0;
    CALL2(kSchedOp, 0, 0);
    firmware_call(info, 0);
  } while (info[0] != 1);
  CASE((i64)info[0], "PSCI AFFINITY_INFO after its CPU_OFF");
}

void interrupt_cases(void) {
  gic_enable(1);
  gic_enable(27);
  gic_enable(30);
  irqs_off();
  begin("SGI 1 to itself");
  gic_send_self(1);
  irqs_on();
  ISB();
  for (volatile int i = 0; i < 1000; ++i) {
  }
  irqs_off();
  print_taken();
  line_end();
  begin("virtual timer");
  MSR(cntv_tval_el0, 1000);
  MSR(cntv_ctl_el0, 1);
  __asm__ volatile("wfi");
  irqs_on();
  ISB();
  irqs_off();
  print_taken();
  line_end();
  begin("physical timer");
  MSR(cntp_tval_el0, 1000);
  MSR(cntp_ctl_el0, 1);
  __asm__ volatile("wfi");
  irqs_on();
  ISB();
  irqs_off();
  print_taken();
  line_end();
  MSR(cntp_ctl_el0, 0);
  begin("PSCI CPU_SUSPEND until the virtual timer");
  MSR(cntv_tval_el0, 1000);
  MSR(cntv_ctl_el0, 1);
  u64 registers[8] = {0xc4000001, 0, 0, 0, 0, 0, 0, 0};
  firmware_call(registers, 0);
  result_part((i64)(int)registers[0]);
  irqs_on();
  ISB();
  irqs_off();
  print_taken();
  line_end();
  // An event arrives as an interrupt while the vCPU waits.
  u32 request[2] = {0, 0};
  event_op(7, (u64)request);
  const u32 ipi = *(volatile u32*)&request[1];
  shared->mask[ipi / 64] &= ~BIT(ipi % 64);
  begin("event channel IPI to itself");
  result_part(event_op(4, (u64)&ipi));
  __asm__ volatile("wfi");
  irqs_on();
  ISB();
  irqs_off();
  print_taken();
  line_end();
  clear_pending(ipi);
  close_ports();
  second_vcpu();
}
