// Constants and structures of Xen's public headers (4.17), as a 64-bit Arm guest lays them out.
#pragma once

#include <cstdint>

namespace trapline::xen {

// Errors (public/errno.h), negative as a hypercall returns them.
inline constexpr std::int64_t kEperm = -1;
inline constexpr std::int64_t kEnoent = -2;
inline constexpr std::int64_t kEsrch = -3;
inline constexpr std::int64_t kEio = -5;
inline constexpr std::int64_t kEnxio = -6;
inline constexpr std::int64_t kE2big = -7;
inline constexpr std::int64_t kEnomem = -12;
inline constexpr std::int64_t kEacces = -13;
inline constexpr std::int64_t kEfault = -14;
inline constexpr std::int64_t kEbusy = -16;
inline constexpr std::int64_t kEexist = -17;
inline constexpr std::int64_t kEinval = -22;
inline constexpr std::int64_t kEnospc = -28;
inline constexpr std::int64_t kEdom = -33;
inline constexpr std::int64_t kEnosys = -38;
inline constexpr std::int64_t kEoverflow = -75;
inline constexpr std::int64_t kEilseq = -84;
inline constexpr std::int64_t kEopnotsupp = -95;
inline constexpr std::int64_t kEnobufs = -105;

// xen.h
inline constexpr std::uint16_t kDomIdFirstReserved = 0x7ff0;
inline constexpr std::uint16_t kDomIdIo = 0x7ff1;
inline constexpr std::uint16_t kDomIdXen = 0x7ff2;
inline constexpr unsigned kVirqs = 24;

struct VcpuTimeInfo {
  std::uint32_t version = 0;
  std::uint32_t pad0 = 0;
  std::uint64_t tsc_timestamp = 0;
  std::uint64_t system_time = 0;
  std::uint32_t tsc_to_system_mul = 0;
  std::int8_t tsc_shift = 0;
  std::uint8_t flags = 0;
  std::uint8_t pad1[2]{};
};

/// arch_vcpu_info is empty on Arm.
struct VcpuInfo {
  std::uint8_t evtchn_upcall_pending = 0;
  std::uint8_t pad0 = 0;
  std::uint8_t pad1[6]{};
  std::uint64_t evtchn_pending_sel = 0;
  VcpuTimeInfo time{};
};
static_assert(sizeof(VcpuInfo) == 48);

/// One vcpu_info: XEN_LEGACY_MAX_VCPUS is 1 on Arm.
struct SharedInfo {
  VcpuInfo vcpu_info[1]{};
  std::uint64_t evtchn_pending[64]{};
  std::uint64_t evtchn_mask[64]{};
  std::uint32_t wc_version = 0;
  std::uint32_t wc_sec = 0;
  std::uint32_t wc_nsec = 0;
  std::uint32_t wc_sec_hi = 0;
};
static_assert(sizeof(SharedInfo) == 1088);

struct MulticallEntry {
  std::uint64_t op = 0;
  std::uint64_t result = 0;
  std::uint64_t args[6]{};
};

// event_channel.h
inline constexpr std::uint32_t kFifoPending = 1u << 31;
inline constexpr std::uint32_t kFifoMasked = 1u << 30;
inline constexpr std::uint32_t kFifoLinked = 1u << 29;
inline constexpr std::uint32_t kFifoBusy = 1u << 28;
inline constexpr std::uint32_t kFifoLinkBits = 17;
inline constexpr std::uint32_t kFifoLinkMask = (1u << kFifoLinkBits) - 1;
inline constexpr std::uint32_t kFifoPorts = 1u << kFifoLinkBits;
inline constexpr unsigned kFifoQueues = 16;
inline constexpr std::uint8_t kFifoDefaultPriority = 7;
inline constexpr std::uint32_t kTwoLevelPorts = 4096;

struct FifoControlBlock {
  std::uint32_t ready = 0;
  std::uint32_t reserved = 0;
  std::uint32_t head[kFifoQueues]{};
};

struct EvtchnAllocUnbound {
  std::uint16_t dom = 0;
  std::uint16_t remote_dom = 0;
  std::uint32_t port = 0;
};
struct EvtchnBindInterdomain {
  std::uint16_t remote_dom = 0;
  std::uint16_t pad = 0;
  std::uint32_t remote_port = 0;
  std::uint32_t local_port = 0;
};
struct EvtchnBindVirq {
  std::uint32_t virq = 0;
  std::uint32_t vcpu = 0;
  std::uint32_t port = 0;
};
struct EvtchnBindPirq {
  std::uint32_t pirq = 0;
  std::uint32_t flags = 0;
  std::uint32_t port = 0;
};
struct EvtchnBindIpi {
  std::uint32_t vcpu = 0;
  std::uint32_t port = 0;
};
struct EvtchnPort {
  std::uint32_t port = 0;
};
struct EvtchnStatus {
  std::uint16_t dom = 0;
  std::uint16_t pad = 0;
  std::uint32_t port = 0;
  std::uint32_t status = 0;
  std::uint32_t vcpu = 0;
  union {
    struct {
      std::uint16_t dom;
    } unbound;
    struct {
      std::uint16_t dom;
      std::uint16_t pad;
      std::uint32_t port;
    } interdomain;
    std::uint32_t virq;
  } u{};
};
static_assert(sizeof(EvtchnStatus) == 24);
struct EvtchnBindVcpu {
  std::uint32_t port = 0;
  std::uint32_t vcpu = 0;
};
struct EvtchnReset {
  std::uint16_t dom = 0;
};
struct EvtchnInitControl {
  std::uint64_t control_gfn = 0;
  std::uint32_t offset = 0;
  std::uint32_t vcpu = 0;
  std::uint8_t link_bits = 0;
  std::uint8_t pad[7]{};
};
struct EvtchnExpandArray {
  std::uint64_t array_gfn = 0;
};
struct EvtchnSetPriority {
  std::uint32_t port = 0;
  std::uint32_t priority = 0;
};

// grant_table.h
inline constexpr std::uint16_t kGtfTypeMask = 3;
inline constexpr std::uint16_t kGtfPermitAccess = 1;
inline constexpr std::uint16_t kGtfReadonly = 1 << 2;
inline constexpr std::uint16_t kGtfReading = 1 << 3;
inline constexpr std::uint16_t kGtfWriting = 1 << 4;
inline constexpr std::uint16_t kGtfSubPage = 1 << 8;

inline constexpr std::uint32_t kGntmapDeviceMap = 1 << 0;
inline constexpr std::uint32_t kGntmapHostMap = 1 << 1;
inline constexpr std::uint32_t kGntmapReadonly = 1 << 2;
inline constexpr std::uint32_t kGntmapApplicationMap = 1 << 3;
inline constexpr std::uint32_t kGntmapContainsPte = 1 << 4;

/// GNTST_*: status of one grant operation.
enum class GrantStatus : std::int16_t {
  okay = 0,
  general_error = -1,
  bad_domain = -2,
  bad_gntref = -3,
  bad_handle = -4,
  bad_virt_addr = -5,
  bad_dev_addr = -6,
  permission_denied = -8,
  bad_page = -9,
  bad_copy_arg = -10,
  eagain = -12,
  no_space = -13,
};

struct GrantEntryV1 {
  std::uint16_t flags = 0;
  std::uint16_t domid = 0;
  std::uint32_t frame = 0;
};
struct GnttabMapGrantRef {
  std::uint64_t host_addr = 0;
  std::uint32_t flags = 0;
  std::uint32_t ref = 0;
  std::uint16_t dom = 0;
  std::int16_t status = 0;
  std::uint32_t handle = 0;
  std::uint64_t dev_bus_addr = 0;
};
struct GnttabUnmapGrantRef {
  std::uint64_t host_addr = 0;
  std::uint64_t dev_bus_addr = 0;
  std::uint32_t handle = 0;
  std::int16_t status = 0;
  std::uint16_t pad = 0;
};
struct GnttabSetupTable {
  std::uint16_t dom = 0;
  std::uint16_t pad = 0;
  std::uint32_t nr_frames = 0;
  std::int16_t status = 0;
  std::uint16_t pad1[3]{};
  std::uint64_t frame_list = 0;
};
struct GnttabCopyPointer {
  union {
    std::uint32_t ref;
    std::uint64_t gmfn;
  } u{};
  std::uint16_t domid = 0;
  std::uint16_t offset = 0;
  std::uint32_t pad = 0;
};
struct GnttabCopy {
  GnttabCopyPointer source{};
  GnttabCopyPointer dest{};
  std::uint16_t len = 0;
  std::uint16_t flags = 0;
  std::int16_t status = 0;
  std::uint16_t pad = 0;
};
static_assert(sizeof(GnttabCopy) == 40);
inline constexpr std::uint16_t kGntcopySourceGref = 1;
inline constexpr std::uint16_t kGntcopyDestGref = 2;

struct GnttabQuerySize {
  std::uint16_t dom = 0;
  std::uint16_t pad = 0;
  std::uint32_t nr_frames = 0;
  std::uint32_t max_nr_frames = 0;
  std::int16_t status = 0;
  std::uint16_t pad1 = 0;
};
struct GnttabUnmapAndReplace {
  std::uint64_t host_addr = 0;
  std::uint64_t new_addr = 0;
  std::uint32_t handle = 0;
  std::int16_t status = 0;
  std::uint16_t pad = 0;
};
struct GnttabSetVersion {
  std::uint32_t version = 0;
};
struct GnttabGetStatusFrames {
  std::uint32_t nr_frames = 0;
  std::uint16_t dom = 0;
  std::int16_t status = 0;
  std::uint64_t frame_list = 0;
};
struct GnttabGetVersion {
  std::uint16_t dom = 0;
  std::uint16_t pad = 0;
  std::uint32_t version = 0;
};
struct GnttabSwapGrantRef {
  std::uint32_t ref_a = 0;
  std::uint32_t ref_b = 0;
  std::int16_t status = 0;
  std::uint16_t pad = 0;
};
struct GnttabCacheFlush {
  std::uint64_t dev_bus_addr = 0;
  std::uint16_t offset = 0;
  std::uint16_t length = 0;
  std::uint32_t op = 0;
};

// memory.h
inline constexpr unsigned kMemopExtentShift = 6;
inline constexpr std::uint32_t kMemfPopulateOnDemand = 1 << 16;
inline constexpr std::uint32_t kMemfExactNodeRequest = 1 << 17;
inline constexpr std::uint32_t kMemfVnode = 1 << 18;
enum class MapSpace : std::uint32_t {
  shared_info = 0,
  grant_table = 1,
  gmfn = 2,
  gmfn_range = 3,
  gmfn_foreign = 4,
  dev_mmio = 5,
};

struct MemoryReservation {
  std::uint64_t extent_start = 0;
  std::uint64_t nr_extents = 0;
  std::uint32_t extent_order = 0;
  std::uint32_t mem_flags = 0;
  std::uint16_t domid = 0;
  std::uint16_t pad[3]{};
};
static_assert(sizeof(MemoryReservation) == 32);
struct MemoryExchange {
  MemoryReservation in{};
  MemoryReservation out{};
  std::uint64_t nr_exchanged = 0;
};
struct MemoryDomain {
  std::uint16_t domid = 0;
};
struct AddToPhysmap {
  std::uint16_t domid = 0;
  std::uint16_t size = 0;
  std::uint32_t space = 0;
  std::uint64_t idx = 0;
  std::uint64_t gpfn = 0;
};
struct AddToPhysmapBatch {
  std::uint16_t domid = 0;
  std::uint16_t space = 0;
  std::uint16_t size = 0;
  std::uint16_t foreign_domid = 0;
  std::uint64_t idxs = 0;
  std::uint64_t gpfns = 0;
  std::uint64_t errs = 0;
};
struct RemoveFromPhysmap {
  std::uint16_t domid = 0;
  std::uint16_t pad[3]{};
  std::uint64_t gpfn = 0;
};
struct VnumaTopologyInfo {
  std::uint16_t domid = 0;
  std::uint16_t pad = 0;
  std::uint32_t nr_vnodes = 0;
  std::uint32_t nr_vcpus = 0;
  std::uint32_t nr_vmemranges = 0;
  std::uint64_t pointers[3]{};
};
struct ReservedDeviceMemoryMap {
  std::uint32_t flags = 0;
  std::uint32_t nr_entries = 0;
  std::uint64_t buffer = 0;
  std::uint32_t device = 0;
  std::uint32_t pad = 0;
};
struct MemAcquireResource {
  std::uint16_t domid = 0;
  std::uint16_t type = 0;
  std::uint32_t id = 0;
  std::uint32_t nr_frames = 0;
  std::uint32_t pad = 0;
  std::uint64_t frame = 0;
  std::uint64_t frame_list = 0;
};

// version.h
struct CompileInfo {
  char compiler[64]{};
  char compile_by[16]{};
  char compile_domain[32]{};
  char compile_date[32]{};
};
struct FeatureInfo {
  std::uint32_t submap_idx = 0;
  std::uint32_t submap = 0;
};

// sched.h
struct SchedShutdown {
  std::uint32_t reason = 0;
};
struct SchedPoll {
  std::uint64_t ports = 0;
  std::uint32_t nr_ports = 0;
  std::uint32_t pad = 0;
  std::uint64_t timeout = 0;
};
struct SchedRemoteShutdown {
  std::uint16_t domain_id = 0;
  std::uint16_t pad = 0;
  std::uint32_t reason = 0;
};
struct SchedWatchdog {
  std::uint32_t id = 0;
  std::uint32_t timeout = 0;
};

// vcpu.h
inline constexpr std::uint64_t kRunstateUpdate = std::uint64_t{1} << 63;
struct VcpuRunstateInfo {
  std::uint32_t state = 0;
  std::uint32_t pad = 0;
  std::uint64_t state_entry_time = 0;
  std::uint64_t time[4]{};
};
struct VcpuRegisterRunstate {
  std::uint64_t address = 0;
};
struct VcpuRegisterVcpuInfo {
  std::uint64_t mfn = 0;
  std::uint32_t offset = 0;
  std::uint32_t reserved = 0;
};

// hvm/hvm_op.h
struct HvmParamOp {
  std::uint16_t domid = 0;
  std::uint16_t pad = 0;
  std::uint32_t index = 0;
  std::uint64_t value = 0;
};

}  // namespace trapline::xen
