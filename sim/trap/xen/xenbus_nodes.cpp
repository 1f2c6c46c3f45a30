// What is in xenstore of a domain before it starts: as libxl writes it, but for what only libxl
// reads.
#include <cstdio>

#include "sim/trap/xen/xenbus.h"

namespace trapline::xen {
namespace {

std::string uuid_of(DomId domain) {
  char text[40];
  std::snprintf(text, sizeof text, "00000000-0000-4000-8000-%012x", static_cast<unsigned>(domain));
  return text;
}

}  // namespace

void write_domain_nodes(XenstoreServer& server, const DomainNodes& domain) {
  XenstoreClient store(server);
  const std::string path = domain_path(domain.id);
  const std::string uuid = domain.uuid.empty() ? uuid_of(domain.id) : domain.uuid;
  const std::string vm = "/vm/" + uuid;
  const XsPermissions read_only{{kBackendDomain, kXsNone}, {domain.id, kXsRead}};
  const XsPermissions its_own{{domain.id, kXsNone}};

  store.make(path, read_only);
  store.make(vm, read_only);
  store.write(path + "/vm", vm);
  store.write(path + "/name", domain.name);
  for (const char* directory : {"cpu", "memory", "device", "control"}) {
    store.make(path + "/" + directory, read_only);
  }
  for (const char* node :
       {"device/suspend/event-channel", "control/shutdown", "control/feature-poweroff",
        "control/feature-reboot", "control/feature-suspend", "control/sysrq", "data", "drivers",
        "feature", "attr", "error"}) {
    store.make(path + "/" + node, its_own);
  }
  store.write(vm + "/uuid", uuid);
  store.write(vm + "/name", domain.name);
  store.write(path + "/control/platform-feature-multiprocessor-suspend", "1");
  store.write(path + "/control/platform-feature-xs_reset_watches", "1");

  store.write(path + "/memory/static-max", domain.memory_kb);
  store.write(path + "/memory/target", domain.memory_kb);
  store.write(path + "/memory/videoram", std::uint64_t{0});
  store.write(path + "/domid", domain.id);
  store.write(path + "/store/port", domain.store_port);
  store.write(path + "/store/ring-ref", domain.store_gfn);
  for (unsigned cpu = 0; cpu < domain.vcpus; ++cpu) {
    store.write(path + "/cpu/" + std::to_string(cpu) + "/availability", "online");
  }
}

void write_console_nodes(XenstoreServer& server, DomId domain, Gfn gfn, EventPort port) {
  XenstoreClient store(server);
  const std::string front = domain_path(domain) + "/console";
  const std::string back =
      domain_path(kBackendDomain) + "/backend/console/" + std::to_string(domain) + "/0";
  const XsPermissions guests{{domain, kXsNone}, {kBackendDomain, kXsRead}};
  const XsPermissions ours{{kBackendDomain, kXsNone}, {domain, kXsRead}};
  const auto put = [&](const std::string& node, std::string_view value,
                       const XsPermissions& permissions) {
    store.write(node, value);
    store.set_permissions(node, permissions);
  };
  // The primary console knows no states; its directory is the toolstack's.
  store.make(front, ours);
  store.write(front + "/backend", back);
  put(front + "/backend-id", "0", guests);
  for (const auto& [name, value] : XenbusNodes{{"limit", "1048576"},
                                               {"type", "xenconsoled"},
                                               {"output", "pty"},
                                               {"tty", ""},
                                               {"port", std::to_string(port)},
                                               {"ring-ref", std::to_string(gfn)}}) {
    put(front + "/" + name, value, ours);
  }
  store.make(back, ours);
  for (const auto& [name, value] : XenbusNodes{{"frontend", front},
                                               {"frontend-id", std::to_string(domain)},
                                               {"online", "1"},
                                               {"state", "1"},
                                               {"protocol", "vt100"}}) {
    store.write(back + "/" + name, value);
  }
}

}  // namespace trapline::xen
