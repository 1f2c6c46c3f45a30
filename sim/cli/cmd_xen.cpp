// `trapline xen`: what the simulator answers to Xen guests.
#include <cstdio>

#include "sim/cli/commands.h"
#include "sim/trap/xen/hypercall_table.h"

namespace trapline {

int xen_abi_command() {
  std::fputs(xen::describe_hypercalls().c_str(), stdout);
  return 0;
}

}  // namespace trapline
