// Xenstore: requests of two domains, and the ring with any bytes in it.
//
// The first byte says which. Requests are lines: what is to be done, then the payload, in which a
// bar stands for a NUL. The ring takes pieces: how many bytes, and the bytes.
#include <algorithm>
#include <string>
#include <vector>

#include "sim/trap/xen/xenbus.h"
#include "sim/trap/xen/xenstore_ring.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/xen_fake_guest.h"

namespace {

using namespace trapline;
using namespace trapline::xen;
using fuzz::check;

// Every node is in its parent's list, once, and every name in a list is a node.
void check_tree(const XenstoreTree& tree) {
  std::map<DomId, unsigned> owned;
  for (const auto& [path, node] : tree.nodes()) {
    check(!node.permissions.empty(), "a node has an owner");
    ++owned[node.owner()];
    for (const std::string& child : node.children) {
      check(tree.find(xs_join(path, child)) != nullptr, "a child is a node");
      check(std::count(node.children.begin(), node.children.end(), child) == 1,
            "a child is listed once");
    }
    if (path == "/" || path[0] == '@') continue;
    const XsNode* parent = tree.find(xs_parent(path));
    check(parent != nullptr, "a node has a parent");
    const std::string name = path.substr(path.rfind('/') + 1);
    check(std::count(parent->children.begin(), parent->children.end(), name) == 1,
          "a parent lists its child");
  }
  for (const auto& [domain, count] : owned) {
    check(tree.owned(domain) == count, "owned nodes are counted");
    check(domain == kBackendDomain || count < 1000 + 20, "quotas hold");
  }
}

struct Store {
  Store() {
    write_domain_nodes(server, {1, "one", "", 65536, 1, 0, 0});
    write_domain_nodes(server, {2, "two", "", 65536, 1, 0, 0});
    client.watch("/local/domain/1/data", [this](const std::string& path) {
      seen += path;
      client.write("/seen" + path, "1");
    });
  }
  Timeline timeline;
  XenstoreServer server{timeline};
  XenstoreClient client{server};
  std::string seen;
};

std::string play_requests(fuzz::Input input) {
  Store store;
  XenstoreConnection* domains[] = {&store.server.introduce(1), &store.server.introduce(2)};
  for (unsigned n = 0; n < 300 && !input.empty(); ++n) {
    const std::uint8_t what = input.byte();
    XenstoreConnection& from = *domains[what >> 6 & 1];
    XsHeader header{what & 0x3fu, n, 0, 0};
    if (what & 0x80) header.tx_id = input.byte() & 15;
    std::string payload(input.text_until('\n').substr(0, kXsPayloadMax));
    std::replace(payload.begin(), payload.end(), '|', '\0');
    header.len = static_cast<std::uint32_t>(payload.size());
    if (store.server.accepts(from)) store.server.request(from, header, payload);
    // Now and then somebody reads what he is told.
    for (XenstoreConnection* to : domains) {
      check(to->memory <= 2560 * 1024 + 2 * kXsPayloadMax, "memory is bounded");
      while (n % 4 == 3 && !to->output.empty()) {
        const XsMessage message = to->take();
        check(message.payload.size() <= kXsPayloadMax, "a message fits");
        check(message.header.len == message.payload.size(), "a message's length is its own");
        store.seen += message.payload;
      }
    }
    if (n % 16 == 15) store.timeline.advance_to(store.timeline.now() + 20'000'000);
  }
  check_tree(store.server.tree());
  store.server.release(2);
  store.server.reset(*domains[0]);
  check(domains[0]->memory == 0, "what was held is given back");
  check_tree(store.server.tree());
  for (const auto& [path, node] : store.server.tree().nodes()) {
    store.seen += path + '=' + node.value + ';';
  }
  return store.seen;
}

std::string play_ring(fuzz::Input input) {
  Store store;
  FakeGuest guest;
  XenstoreRing ring(store.server, 1, guest, 3, guest);
  std::uint8_t* page = guest.frame(3);
  for (unsigned n = 0; n < 200 && !input.empty(); ++n) {
    const std::uint8_t what = input.byte();
    if (what & 0x80) {
      // Any word of the interface.
      put_le(page + 2048 + (what & 7) * 4, static_cast<std::uint32_t>(input.number(4)));
    } else {
      std::uint32_t producer = get_le<std::uint32_t>(page + kXsReqProd);
      for (const std::uint8_t byte : input.take(what)) page[producer++ % kXsRingBytes] = byte;
      put_le(page + kXsReqProd, producer);
    }
    guest.send(ring.port());
    store.timeline.advance_to(store.timeline.now() + 10'000'000);
    if (!(what & 1)) put_le(page + kXsRspCons, get_le<std::uint32_t>(page + kXsRspProd));
  }
  check(!guest.out_of_bounds, "changes lie within a page");
  check_tree(store.server.tree());
  return store.seen + std::string(page, page + kPageBytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto play = data[0] & 1 ? play_ring : play_requests;
  const fuzz::Input input(data + 1, size - 1);
  check(play(input) == play(input), "what is answered follows from what was asked");
  return 0;
}
