#include "sim/trap/xen/call.h"

#include <algorithm>

namespace trapline::xen {

bool Call::read_bytes(VirtAddr va, void* to, std::size_t bytes) {
  return domain.host().read_virtual(vcpu, va, to, bytes);
}

bool Call::write_bytes(VirtAddr va, const void* from, std::size_t bytes) {
  return domain.host().write_virtual(vcpu, va, from, bytes);
}

std::int64_t Call::continue_with(std::initializer_list<std::uint64_t> arguments) {
  std::copy(arguments.begin(), arguments.end(), args.begin());
  continued = true;
  return 0;
}

}  // namespace trapline::xen
