#include "models/gic/gic_register_names.h"

#include <span>
#include <string_view>

namespace trapline::gic {
namespace {

/// One register, or an array of `count` of `bytes` each, whose names have the index appended.
struct Row {
  std::uint32_t offset;
  std::string_view name;
  unsigned count = 1;
  unsigned bytes = 4;
};

constexpr Row kGicd[] = {{0x000, "GICD_CTLR"},
                         {0x004, "GICD_TYPER"},
                         {0x008, "GICD_IIDR"},
                         {0x00c, "GICD_TYPER2"},
                         {0x010, "GICD_STATUSR"},
                         {0x040, "GICD_SETSPI_NSR"},
                         {0x048, "GICD_CLRSPI_NSR"},
                         {0x050, "GICD_SETSPI_SR"},
                         {0x058, "GICD_CLRSPI_SR"},
                         {0x080, "GICD_IGROUPR", 32},
                         {0x100, "GICD_ISENABLER", 32},
                         {0x180, "GICD_ICENABLER", 32},
                         {0x200, "GICD_ISPENDR", 32},
                         {0x280, "GICD_ICPENDR", 32},
                         {0x300, "GICD_ISACTIVER", 32},
                         {0x380, "GICD_ICACTIVER", 32},
                         {0x400, "GICD_IPRIORITYR", 255},
                         {0x800, "GICD_ITARGETSR", 255},
                         {0xc00, "GICD_ICFGR", 64},
                         {0xd00, "GICD_IGRPMODR", 32},
                         {0xe00, "GICD_NSACR", 64},
                         {0xf00, "GICD_SGIR"},
                         {0xf10, "GICD_CPENDSGIR", 4},
                         {0xf20, "GICD_SPENDSGIR", 4},
                         {0x6000, "GICD_IROUTER", 1020, 8},
                         {0xffe8, "GICD_PIDR2"}};

constexpr Row kGicr[] = {{0x0000, "GICR_CTLR"},
                         {0x0004, "GICR_IIDR"},
                         {0x0008, "GICR_TYPER", 1, 8},
                         {0x0010, "GICR_STATUSR"},
                         {0x0014, "GICR_WAKER"},
                         {0x0024, "GICR_PWRR"},
                         {0x0070, "GICR_PROPBASER", 1, 8},
                         {0x0078, "GICR_PENDBASER", 1, 8},
                         {0x00c0, "GICR_SYNCR"},
                         {0xffe8, "GICR_PIDR2"},
                         {0x10080, "GICR_IGROUPR0"},
                         {0x10100, "GICR_ISENABLER0"},
                         {0x10180, "GICR_ICENABLER0"},
                         {0x10200, "GICR_ISPENDR0"},
                         {0x10280, "GICR_ICPENDR0"},
                         {0x10300, "GICR_ISACTIVER0"},
                         {0x10380, "GICR_ICACTIVER0"},
                         {0x10400, "GICR_IPRIORITYR", 8},
                         {0x10c00, "GICR_ICFGR", 2},
                         {0x10d00, "GICR_IGRPMODR0"},
                         {0x10e00, "GICR_NSACR"}};

constexpr Row kCpuInterface[] = {
    {0x00, "CTLR"},   {0x04, "PMR"},    {0x08, "BPR"},      {0x0c, "IAR"},  {0x10, "EOIR"},
    {0x14, "RPR"},    {0x18, "HPPIR"},  {0x1c, "ABPR"},     {0x20, "AIAR"}, {0x24, "AEOIR"},
    {0x28, "AHPPIR"}, {0xd0, "APR", 4}, {0xe0, "NSAPR", 4}, {0xfc, "IIDR"}, {0x1000, "DIR"}};

constexpr Row kGich[] = {{0x00, "GICH_HCR"},  {0x04, "GICH_VTR"},     {0x08, "GICH_VMCR"},
                         {0x10, "GICH_MISR"}, {0x20, "GICH_EISR", 2}, {0x30, "GICH_ELRSR", 2},
                         {0xf0, "GICH_APR"},  {0x100, "GICH_LR", 64}};

std::string find(std::span<const Row> rows, std::string_view prefix, std::uint64_t offset) {
  for (const Row& row : rows) {
    if (offset < row.offset || offset >= row.offset + std::uint64_t{row.count} * row.bytes)
      continue;
    std::string name = std::string(prefix) + std::string(row.name);
    if (row.count > 1) name += std::to_string((offset - row.offset) / row.bytes);
    return name;
  }
  return {};
}

}  // namespace

std::string register_name(Frame frame, std::uint64_t offset) {
  constexpr std::uint64_t kRedistributor = 0x20000, kAliases = 0x1000, kAlias = 0x200;
  switch (frame) {
    case Frame::gicd:
      return find(kGicd, "", offset);
    case Frame::gicr:
      return find(kGicr, "", offset % kRedistributor);
    case Frame::gicc:
      return find(kCpuInterface, "GICC_", offset);
    case Frame::gicv:
      return find(kCpuInterface, "GICV_", offset);
    case Frame::gich:
      return find(kGich, "", offset < kAliases ? offset : offset % kAlias);
  }
  return {};
}

}  // namespace trapline::gic
