// One hypercall on its way: arguments, the caller's memory, and how it ends.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

#include "sim/trap/xen/abi.h"
#include "sim/trap/xen/domain.h"
#include "sim/trap/xen/hypervisor.h"

namespace trapline::xen {

/// Handlers return what X0 is to hold. Everything they read of the guest they read once, into a
/// copy: another of its vCPUs cannot change what was checked.
class Call {
 public:
  /// Work that a hypercall may do before it is preempted: about as many copies of a structure.
  static constexpr unsigned kWork = 2048;

  Call(Hypervisor& hypervisor, Domain& domain, unsigned vcpu,
       const std::array<std::uint64_t, 5>& arguments)
      : hypervisor(hypervisor), domain(domain), vcpu(vcpu), args(arguments) {}

  /// False if the guest's memory at `va` cannot be read: the caller returns kEfault.
  bool read_bytes(VirtAddr va, void* to, std::size_t bytes);
  bool write_bytes(VirtAddr va, const void* from, std::size_t bytes);

  template <class T>
  bool read(VirtAddr va, T& to) {
    static_assert(std::is_trivially_copyable_v<T>);
    return read_bytes(va, &to, sizeof to);
  }
  template <class T>
  bool write(VirtAddr va, const T& from) {
    static_assert(std::is_trivially_copyable_v<T>);
    return write_bytes(va, &from, sizeof from);
  }
  /// Writes the part of a structure at `va` that `field` is.
  template <class T, class Field>
  bool write_field(VirtAddr va, const T& whole, const Field& field) {
    const auto offset =
        reinterpret_cast<const char*>(&field) - reinterpret_cast<const char*>(&whole);
    return write_bytes(va + static_cast<std::uint64_t>(offset), &field, sizeof field);
  }

  /// More work is about to be done. True: the call has done enough for now and must return
  /// continue_with().
  bool preempted(unsigned pieces = 1) {
    work_ += pieces;
    return work_ > kWork;
  }
  /// The call goes on later with these arguments.
  std::int64_t continue_with(std::initializer_list<std::uint64_t> arguments);

  /// The domain that a guest means: DOMID_SELF is itself. nullptr: there is none.
  Domain* any_domain(DomId id) { return id == kDomIdSelf ? &domain : hypervisor.find(id); }

  Hypervisor& hypervisor;
  Domain& domain;
  unsigned vcpu;
  std::array<std::uint64_t, 5> args;
  Outcome outcome = Outcome::done;
  bool continued = false;  ///< continue_with() was called: args are those to go on with.
  bool in_multicall = false;

 private:
  unsigned work_ = 0;
};

}  // namespace trapline::xen
