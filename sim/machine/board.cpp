#include "sim/machine/board.h"

#include <stdexcept>

#include "sim/machine/xen_domain.h"

namespace trapline {

std::unique_ptr<Board> make_board(const MachineConfig& config, const BoardPorts& ports) {
  if (config.machine == "virt") return make_virt_board(config, ports);
  if (config.machine == "fvp-baser") return make_fvp_baser_board(config, ports);
  if (config.machine == kXenDomain) return make_xen_domain_board(config, ports);
  throw std::invalid_argument("machine '" + config.machine + "' has no board");
}

}  // namespace trapline
