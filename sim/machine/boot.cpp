#include "sim/machine/boot.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "sim/machine/spin_table.h"
#include "sim/machine/xen_boot.h"

namespace trapline {
namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;
constexpr std::uint64_t kPage = 4096;
constexpr unsigned kMaxCpus = 8;
constexpr std::uint64_t kDtbAlign = 2 * kMiB;  // It may be mapped by one 2 MiB block (booting.rst).
constexpr std::uint64_t kMaxDtb = 2 * kMiB;    // booting.rst; Xen: MAX_FDT_SIZE.
constexpr std::size_t kDtbSlack = 4096;

bool has_something_to_boot(const MachineConfig& config) {
  return config.xen || !config.kernel.empty() || !config.loads.empty();
}

class BootPlanner {
 public:
  explicit BootPlanner(const MachineConfig& config)
      : config_(config), type_(machine_type(config.machine)) {
    check_machine_config(config);
    plan_.entry_el = boot_el(config);
    MachineMemory memory = type_.memory(config);
    if (config.dtb.empty()) {
      tree_ = type_.tree(config);
    } else {
      tree_ = DeviceTree::parse(*read_file(config.dtb, "device tree"), config.dtb);
      memory.ram = check_dtb_memory(tree_, memory.ram, config.dtb);
    }
    places_ = type_.places(memory.ram);
    layout_ = std::make_unique<MemoryLayout>(std::move(memory.ram), std::move(memory.other));
    plan_.psci = type_.psci(config, tree_);
  }

  BootPlan plan() {
    place_loads();
    if (config_.xen) {
      adopt(place_xen(*config_.xen, cache_, *layout_, tree_));
    } else if (!config_.kernel.empty()) {
      place_kernel();
    }
    place_spin_table();
    place_initrd();
    if (!config_.xen) write_chosen(tree_, config_.append, initrd_);
    place_dtb();
    choose_entry();
    plan_.layout = layout_->describe();
    return std::move(plan_);
  }

 private:
  void adopt(PlacedImage image) {
    std::move(image.blobs.begin(), image.blobs.end(), std::back_inserter(plan_.blobs));
    entry_ = image.entry;
    linux_protocol_ = image.linux_protocol;
  }

  void place_kernel() {
    const LoadedImage image = load_image(config_.kernel, "kernel");
    const bool flat = is_flat_program(image);
    if (!flat) check_bootable(image, "kernel");
    adopt(
        place_image(image, "kernel", flat ? std::optional(places_.flat) : std::nullopt, *layout_));
    // As QEMU enters it: with the device tree in X0, which lies clear of what has no end known
    // here.
    linux_protocol_ |= flat;
  }

  /// Before all else, because their addresses are fixed. The first executable is the fallback
  /// entry.
  void place_loads() {
    for (const LoadSpec& load : config_.loads) {
      const LoadedImage image = load_image(load.path, "file to load");
      if (image.kind == ImageKind::arm64_image && !load.address &&
          (entry_ || config_.xen || !config_.kernel.empty())) {
        throw ImageError(load.path, "loaded file has no place of its own beside another image",
                         "say where it goes: --load FILE@ADDRESS");
      }
      PlacedImage placed = place_image(image, "loaded file", load.address, *layout_);
      std::move(placed.blobs.begin(), placed.blobs.end(), std::back_inserter(plan_.blobs));
      if (image.kind == ImageKind::raw || entry_) continue;
      entry_ = placed.entry;
      linux_protocol_ = placed.linux_protocol;
    }
  }

  void place_initrd() {
    if (config_.initrd.empty()) return;
    const LayoutItem item{"initrd", config_.initrd};
    const SharedBytes bytes = cache_.file(item.path, item.role);
    const PhysAddr address = layout_->place(item, bytes->size(), kPage, places_.initrd);
    initrd_ = MemoryRange{address, bytes->size()};
    plan_.blobs.push_back(whole_file(item, address, bytes));
  }

  PhysAddr dtb_from(std::uint64_t size) const {
    if (places_.dtb) return *places_.dtb;
    if (config_.xen) return xen_dtb_from(*layout_);
    // Software that is no Linux kernel may look for the tree at the start of RAM, as on QEMU.
    const PhysAddr start = layout_->ram().front().base;
    if (!linux_protocol_ && layout_->is_free({start, size})) return start;
    return initrd_ ? initrd_->end() : places_.initrd;
  }

  void place_dtb() {
    plan_.dtb = tree_.bytes(kDtbSlack);
    if (plan_.dtb.size() > kMaxDtb) {
      throw ImageError(config_.dtb, "device tree of " + size_text(plan_.dtb.size()) +
                                        " is larger than the 2 MiB that a kernel accepts");
    }
    const LayoutItem item{"device tree", config_.dtb};
    const std::uint64_t size = plan_.dtb.size();
    plan_.dtb_address = layout_->place(item, size, kDtbAlign, dtb_from(size));
    plan_.x[0] = plan_.dtb_address;
    plan_.blobs.push_back(whole_file(item, plan_.dtb_address,
                                     std::make_shared<const std::vector<std::uint8_t>>(plan_.dtb)));
  }

  void choose_entry() {
    if (config_.entry) entry_ = config_.entry;
    if (!entry_) {
      throw ImageError(config_.loads.front().path, "raw files have no entry point",
                       "say where to start with --entry ADDRESS");
    }
    if (!layout_->is_memory({*entry_, 4}) || *entry_ % 4 != 0) {
      throw ImageError(
          "",
          "entry point " + to_string(MemoryRange{*entry_, 4}) + " is not an aligned address in RAM",
          "correct --entry, or the image's own entry point");
    }
    plan_.entry = *entry_;
    if (type_.secondaries() == Secondaries::together && !plan_.secondary_entry) {
      plan_.secondary_entry = plan_.entry;
    }
  }

  /// A Linux-protocol image expects to be entered by one CPU, and the others in the spin-table that
  /// the device tree describes. `--entry` means every CPU.
  void place_spin_table() {
    if (!linux_protocol_ || config_.entry || config_.cpus == 1 || !places_.spin_table) return;
    const LayoutItem item{"spin-table", {}};
    const MemoryRange page{*places_.spin_table, kSpinTableBytes};
    layout_->claim(item, page);
    plan_.blobs.push_back(whole_file(
        item, page.base, std::make_shared<const std::vector<std::uint8_t>>(spin_table_page())));
    tree_.reserve(page);
    plan_.secondary_entry = page.base;
  }

  const MachineConfig& config_;
  const MachineType& type_;
  LoadPlaces places_;
  ImageCache cache_;
  DeviceTree tree_;
  std::unique_ptr<MemoryLayout> layout_;
  std::optional<MemoryRange> initrd_;
  std::optional<PhysAddr> entry_;
  bool linux_protocol_ = false;
  BootPlan plan_;
};

void check_xen_conflicts(const MachineConfig& config) {
  if (boot_el(config) != 2) {
    throw ImageError(config.xen->image, "Xen starts at EL2", "leave out --el 1");
  }
  if (!config.kernel.empty()) {
    throw ImageError(config.kernel, "-kernel and --xen exclude each other",
                     "give the kernel to a domain: --dom0 kernel=FILE");
  }
  if (!config.initrd.empty()) {
    throw ImageError(config.initrd, "under --xen an initrd belongs to a domain",
                     "--dom0 kernel=FILE,initrd=FILE");
  }
  if (!config.append.empty()) {
    throw ImageError("", "under --xen, -append has no kernel to go to",
                     "use --xen-append, or append= of a domain");
  }
}

}  // namespace

unsigned boot_el(const MachineConfig& config) {
  return config.entry_el.value_or(2);
}

void check_machine_config(const MachineConfig& config) {
  const MachineType& type = machine_type(config.machine);
  if (config.cpus < 1 || config.cpus > kMaxCpus) {
    throw ImageError(
        "", std::to_string(config.cpus) + " CPUs are not possible on " + std::string(type.name()),
        "use -smp 1 to 8");
  }
  const unsigned el = boot_el(config);
  if (el != 1 && el != 2) {
    throw ImageError("", "images cannot start at EL" + std::to_string(el), "use --el 1 or --el 2");
  }
  type.check(config);
  mpu_of(config);
  if (config.xen) check_xen_conflicts(config);
}

BootPlan plan_boot(const MachineConfig& config) {
  if (!has_something_to_boot(config)) {
    throw ImageError("", "nothing to run", "give -kernel FILE, --xen FILE or --load FILE");
  }
  return BootPlanner(config).plan();
}

std::vector<std::uint8_t> machine_dtb(const MachineConfig& config) {
  if (has_something_to_boot(config)) return plan_boot(config).dtb;
  check_machine_config(config);
  DeviceTree tree = machine_type(config.machine).tree(config);
  write_chosen(tree, config.append, std::nullopt);
  return tree.bytes(kDtbSlack);
}

}  // namespace trapline
