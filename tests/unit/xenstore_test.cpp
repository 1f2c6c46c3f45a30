#include "sim/trap/xen/xenstore.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sim/time/timeline.h"
#include "sim/trap/xen/xenbus.h"

namespace trapline::xen {
namespace {

using namespace std::string_literals;

constexpr DomId kOne = 1, kTwo = 2;

// Requests as a domain sends them, without a ring.
class XenstoreTest : public testing::Test {
 protected:
  XenstoreTest() {
    write_domain_nodes(server, {kOne, "one", "", 65536, 1, 0, 0});
    write_domain_nodes(server, {kTwo, "two", "", 65536, 1, 0, 0});
    one = &server.introduce(kOne);
    two = &server.introduce(kTwo);
  }

  // The reply's payload; an error is "!ENOENT". Events go to `events`.
  std::string ask(XenstoreConnection& from, XsType type, const std::string& payload,
                  std::uint32_t transaction = 0) {
    const XsHeader header{static_cast<std::uint32_t>(type), ++number, transaction,
                          static_cast<std::uint32_t>(payload.size())};
    server.request(from, header, payload);
    std::string answer = "nothing";
    while (!from.output.empty()) {
      const XsMessage message = from.take();
      EXPECT_EQ(message.header.len, message.payload.size());
      if (message.header.type == static_cast<std::uint32_t>(XsType::watch_event)) {
        events.push_back(message.payload);
        continue;
      }
      EXPECT_EQ(message.header.req_id, number);
      EXPECT_EQ(message.header.tx_id, transaction);
      const bool error = message.header.type == static_cast<std::uint32_t>(XsType::error);
      if (!error) {
        EXPECT_EQ(message.header.type, header.type);
      }
      answer =
          error ? "!" + message.payload.substr(0, message.payload.size() - 1) : message.payload;
    }
    return answer;
  }
  std::string read(XenstoreConnection& from, const std::string& path, std::uint32_t tx = 0) {
    return ask(from, XsType::read, path + '\0', tx);
  }
  std::string write(XenstoreConnection& from, const std::string& path, const std::string& value,
                    std::uint32_t tx = 0) {
    return ask(from, XsType::write, path + '\0' + value, tx);
  }
  std::uint32_t begin(XenstoreConnection& from) {
    return static_cast<std::uint32_t>(std::stoul(ask(from, XsType::transaction_start, "\0"s)));
  }
  std::vector<std::string> told() {
    while (!one->output.empty()) events.push_back(one->take().payload);
    return std::exchange(events, {});
  }

  Timeline timeline;
  XenstoreServer server{timeline};
  XenstoreConnection* one = nullptr;
  XenstoreConnection* two = nullptr;
  std::vector<std::string> events;
  std::uint32_t number = 0;
  const std::string ok = "OK\0"s;
};

TEST_F(XenstoreTest, ValuesAreBinaryAndParentsAreMade) {
  EXPECT_EQ(write(*one, "data/a/b", "x\0y"s), ok);
  EXPECT_EQ(read(*one, "data/a/b"), "x\0y"s);
  EXPECT_EQ(read(*one, "/local/domain/1/data/a"), "");
  EXPECT_EQ(ask(*one, XsType::directory, "data\0"s), "a\0"s);
  EXPECT_EQ(write(*one, "data/a/c", ""), ok);
  EXPECT_EQ(ask(*one, XsType::directory, "data/a\0"s), "b\0c\0"s);
  EXPECT_EQ(ask(*one, XsType::mkdir, "data/a/b\0"s), ok);
  EXPECT_EQ(read(*one, "data/a/b"), "x\0y"s);
}

TEST_F(XenstoreTest, PathsThatAreNone) {
  for (const std::string path :
       {"", "data/", "//data", "data//a", "@releaseDomain", "da ta", "data/\xc3\xa4", "data.x"}) {
    EXPECT_EQ(read(*one, path), "!EINVAL") << path;
  }
  EXPECT_EQ(read(*one, "data/" + std::string(3000, 'a')), "!EINVAL");
  EXPECT_EQ(ask(*one, XsType::read, "data"), "!EINVAL");
  EXPECT_EQ(ask(*one, XsType::read, "data\0x"s), "!EINVAL");
  EXPECT_EQ(ask(*one, XsType::read, ""), "!EINVAL");
  EXPECT_EQ(read(*one, "data/absent"), "!ENOENT");
  EXPECT_EQ(ask(*one, XsType::directory, "/\0"s), "!EACCES");
}

TEST_F(XenstoreTest, DomainsSeeWhatTheyMaySee) {
  EXPECT_EQ(read(*one, "name"), "one");
  EXPECT_EQ(write(*one, "name", "another"), "!EACCES");
  EXPECT_EQ(write(*one, "/local/domain/2/data/x", "1"), "!EACCES");
  EXPECT_EQ(read(*one, "/local/domain/2/name"), "!EACCES");
  // That there is no such node is no more to be known.
  EXPECT_EQ(read(*one, "/local/domain/2/absent"), "!EACCES");
  EXPECT_EQ(read(*one, "/local/domain/7/name"), "!EACCES");

  EXPECT_EQ(write(*two, "data/shared", "v"), ok);
  EXPECT_EQ(read(*one, "/local/domain/2/data/shared"), "!EACCES");
  EXPECT_EQ(ask(*two, XsType::set_perms, "data/shared\0n2\0r1\0"s), ok);
  EXPECT_EQ(read(*one, "/local/domain/2/data/shared"), "v");
  EXPECT_EQ(write(*one, "/local/domain/2/data/shared", "w"), "!EACCES");
  EXPECT_EQ(ask(*two, XsType::set_perms, "data/shared\0n2\0b1\0"s), ok);
  EXPECT_EQ(write(*one, "/local/domain/2/data/shared", "w"), ok);
  EXPECT_EQ(ask(*one, XsType::get_perms, "/local/domain/2/data/shared\0"s), "n2\0b1\0"s);
  EXPECT_EQ(ask(*two, XsType::set_perms, "data/shared\0r2\0n1\0"s), ok);
  EXPECT_EQ(read(*one, "/local/domain/2/data/shared"), "!EACCES");
  EXPECT_EQ(ask(*two, XsType::set_perms, "data/shared\0w2\0"s), ok);
  EXPECT_EQ(read(*one, "/local/domain/2/data/shared"), "!EACCES");
  EXPECT_EQ(write(*one, "/local/domain/2/data/shared", "x"), ok);
}

TEST_F(XenstoreTest, OnlyTheOwnerChangesPermissionsAndNobodyGivesNodesAway) {
  EXPECT_EQ(write(*two, "data/n", ""), ok);
  EXPECT_EQ(ask(*two, XsType::set_perms, "data/n\0n2\0b1\0"s), ok);
  EXPECT_EQ(ask(*one, XsType::set_perms, "/local/domain/2/data/n\0n2\0"s), "!EACCES");
  EXPECT_EQ(ask(*two, XsType::set_perms, "data/n\0n1\0"s), "!EPERM");
  EXPECT_EQ(ask(*two, XsType::set_perms, "data/n\0n77\0"s), "!ENOENT");
  for (const std::string bad : {"x2", "r", "", "r1x", "r-1", "r65536"}) {
    EXPECT_EQ(ask(*two, XsType::set_perms, "data/n\0"s + bad + '\0'), "!EINVAL") << bad;
  }
  EXPECT_EQ(ask(*two, XsType::set_perms, "data/n\0"s), "!EINVAL");
  EXPECT_EQ(ask(*two, XsType::set_perms, "data/n\0n2\0r3\0r4\0r5\0r6\0"s), "!ENOSPC");
}

TEST_F(XenstoreTest, RemovingTakesWhatIsBelow) {
  write(*one, "data/a/b/c", "1");
  EXPECT_EQ(ask(*one, XsType::rm, "data/a\0"s), ok);
  EXPECT_EQ(read(*one, "data/a/b/c"), "!ENOENT");
  EXPECT_EQ(ask(*one, XsType::directory, "data\0"s), "");
  EXPECT_EQ(ask(*one, XsType::rm, "data/a\0"s), ok);
  EXPECT_EQ(ask(*one, XsType::rm, "data/a/b\0"s), "!ENOENT");
  EXPECT_EQ(ask(*one, XsType::rm, "/\0"s), "!EACCES");
}

TEST_F(XenstoreTest, WatchesTellOfChangesBelow) {
  EXPECT_EQ(ask(*one, XsType::watch, "data\0token\0"s), ok);
  EXPECT_EQ(told(), std::vector{"data\0token\0"s});
  write(*one, "data/a/b", "1");
  EXPECT_EQ(told(), std::vector{"data/a/b\0token\0"s});
  write(*one, "feature/x", "1");
  EXPECT_TRUE(told().empty());
  XenstoreClient(server).write("/local/domain/1/data/a", "2");
  EXPECT_EQ(told(), std::vector{"data/a\0token\0"s});
  EXPECT_EQ(ask(*one, XsType::watch, "data\0token\0"s), "!EEXIST");
  EXPECT_EQ(ask(*one, XsType::unwatch, "/local/domain/1/data\0token\0"s), ok);
  EXPECT_EQ(ask(*one, XsType::unwatch, "data\0token\0"s), "!ENOENT");
  write(*one, "data/a", "3");
  EXPECT_TRUE(told().empty());
}

TEST_F(XenstoreTest, AbsoluteWatchesAreToldAbsolutePaths) {
  ask(*one, XsType::watch, "/local/domain/1/data\0t\0"s);
  EXPECT_EQ(told(), std::vector{"/local/domain/1/data\0t\0"s});
  ask(*one, XsType::watch, "/\0all\0"s);
  told();
  write(*one, "data/n", "");
  EXPECT_EQ(told(),
            (std::vector{"/local/domain/1/data/n\0t\0"s, "/local/domain/1/data/n\0all\0"s}));
}

TEST_F(XenstoreTest, WatchersOfRemovedNodesAreToldTheirOwnPath) {
  write(*one, "data/a/b", "1");
  ask(*one, XsType::watch, "data/a/b\0t\0"s);
  told();
  ask(*one, XsType::rm, "data/a\0"s);
  EXPECT_EQ(told(), std::vector{"data/a/b\0t\0"s});
}

TEST_F(XenstoreTest, WatchesWithADepth) {
  ask(*one, XsType::watch,
      "data\0zero\0"
      "0\0"s);
  ask(*one, XsType::watch,
      "data\0one\0"
      "1\0"s);
  told();
  write(*one, "data", "");
  EXPECT_EQ(told().size(), 2u);
  write(*one, "data/a", "");
  EXPECT_EQ(told(), std::vector{"data/a\0one\0"s});
  write(*one, "data/a/b", "");
  EXPECT_TRUE(told().empty());
  EXPECT_EQ(ask(*one, XsType::watch, "data\0x\0-1\0"s), "!EINVAL");
}

TEST_F(XenstoreTest, NobodyIsToldOfWhatHeMayNotSee) {
  ask(*one, XsType::watch, "/local/domain/2\0t\0"s);
  told();
  write(*two, "data/n", "1");
  EXPECT_TRUE(told().empty());
  ask(*two, XsType::set_perms, "data/n\0n2\0r1\0"s);
  EXPECT_EQ(told().size(), 1u);
  // Whoever loses sight of it is told so.
  ask(*two, XsType::set_perms, "data/n\0n2\0"s);
  EXPECT_EQ(told().size(), 1u);
  write(*two, "data/n", "2");
  EXPECT_TRUE(told().empty());
}

TEST_F(XenstoreTest, NobodyIsToldThatWhatHeCouldNotSeeIsGone) {
  write(*two, "data/n", "1");
  ask(*one, XsType::watch, "/local/domain/2\0t\0"s);
  told();
  const std::uint32_t tx = begin(*two);
  EXPECT_EQ(ask(*two, XsType::rm, "data/n\0"s, tx), ok);
  EXPECT_EQ(ask(*two, XsType::transaction_end, "T\0"s, tx), ok);
  EXPECT_TRUE(told().empty());
}

TEST_F(XenstoreTest, TheSameEventDoesNotWaitTwice) {
  ask(*two, XsType::set_perms, "data\0n2\0r1\0"s);
  ask(*one, XsType::watch, "/local/domain/2/data\0t\0"s);
  told();
  for (int n = 0; n < 10; ++n) write(*two, "data", std::to_string(n));
  EXPECT_EQ(told().size(), 1u);
}

TEST_F(XenstoreTest, SpecialWatches) {
  EXPECT_EQ(ask(*one, XsType::watch, "@releaseDomain\0t\0"s), ok);
  EXPECT_EQ(ask(*one, XsType::watch, "@introduceDomain\0t\0"s), ok);
  EXPECT_EQ(ask(*one, XsType::watch, "@releaseDomain/2\0only2\0"s), ok);
  told();
  server.shut_down(kTwo);
  EXPECT_EQ(told(), (std::vector{"@releaseDomain\0t\0"s, "@releaseDomain/2\0only2\0"s}));
  server.shut_down(kTwo);
  EXPECT_TRUE(told().empty());
  server.introduce(3);
  EXPECT_TRUE(told().empty()) << "@introduceDomain is domain 0's";
  server.release(3);
  EXPECT_EQ(told(), std::vector{"@releaseDomain\0t\0"s});
}

TEST_F(XenstoreTest, TheNodesOfADomainGoWithIt) {
  write(*two, "data/n", "1");
  ask(*two, XsType::set_perms, "data\0r2\0"s);
  write(*one, "data/m", "1");
  ask(*one, XsType::set_perms, "data/m\0n1\0r2\0"s);
  ask(*one, XsType::watch, "/local/domain/2/data\0t\0"s);
  told();
  server.release(kTwo);
  EXPECT_EQ(server.tree().find("/local/domain/2/data"), nullptr);
  EXPECT_NE(server.tree().find("/local/domain/2/name"), nullptr);
  EXPECT_EQ(server.tree().owned(kTwo), 0u);
  EXPECT_EQ(ask(*one, XsType::get_perms, "data/m\0"s), "n1\0"s);
  EXPECT_EQ(told(), std::vector{"/local/domain/2/data\0t\0"s});
}

TEST_F(XenstoreTest, TransactionsAreSeenWhenTheyEnd) {
  ask(*one, XsType::watch, "data\0t\0"s);
  told();
  const std::uint32_t tx = begin(*one);
  EXPECT_EQ(write(*one, "data/a", "1", tx), ok);
  EXPECT_EQ(read(*one, "data/a", tx), "1");
  EXPECT_EQ(read(*one, "data/a"), "!ENOENT");
  EXPECT_TRUE(told().empty());
  EXPECT_EQ(ask(*one, XsType::transaction_end, "T\0"s, tx), ok);
  EXPECT_EQ(read(*one, "data/a"), "1");
  EXPECT_EQ(told(), std::vector{"data/a\0t\0"s});
  EXPECT_EQ(read(*one, "data/a", tx), "!ENOENT") << "the transaction is over";
}

TEST_F(XenstoreTest, DiscardedTransactionsLeaveNothing) {
  const std::uint32_t tx = begin(*one);
  write(*one, "data/a", "1", tx);
  EXPECT_EQ(ask(*one, XsType::transaction_end, "F\0"s, tx), ok);
  EXPECT_EQ(read(*one, "data/a"), "!ENOENT");
  EXPECT_EQ(one->memory, 0u);
}

TEST_F(XenstoreTest, ConflictsAreFoundByWhatWasRead) {
  write(*one, "data/a", "1");
  write(*one, "data/b", "1");
  std::uint32_t tx = begin(*one);
  read(*one, "data/a", tx);
  write(*one, "data/b", "2", tx);
  write(*one, "data/a", "2");
  EXPECT_EQ(ask(*one, XsType::transaction_end, "T\0"s, tx), "!EAGAIN");
  EXPECT_EQ(read(*one, "data/b"), "1");
  // What others change elsewhere is no conflict.
  tx = begin(*one);
  write(*one, "data/b", "2", tx);
  write(*one, "data/a", "3");
  EXPECT_EQ(ask(*one, XsType::transaction_end, "T\0"s, tx), ok);
  // Nor is it one that both removed and made a node: it was not there, and is.
  tx = begin(*one);
  EXPECT_EQ(read(*one, "data/new", tx), "!ENOENT");
  write(*one, "data/new", "");
  EXPECT_EQ(ask(*one, XsType::transaction_end, "T\0"s, tx), "!EAGAIN");
}

TEST_F(XenstoreTest, TransactionsRemove) {
  write(*one, "data/a/b", "1");
  ask(*one, XsType::watch, "data/a/b\0t\0"s);
  told();
  const std::uint32_t tx = begin(*one);
  EXPECT_EQ(ask(*one, XsType::rm, "data/a\0"s, tx), ok);
  EXPECT_EQ(read(*one, "data/a/b", tx), "!ENOENT");
  EXPECT_EQ(read(*one, "data/a/b"), "1");
  EXPECT_EQ(ask(*one, XsType::transaction_end, "T\0"s, tx), ok);
  EXPECT_EQ(read(*one, "data/a"), "!ENOENT");
  EXPECT_EQ(told(), std::vector{"data/a/b\0t\0"s});
}

TEST_F(XenstoreTest, TransactionsThatAreNone) {
  EXPECT_EQ(read(*one, "name", 9), "!ENOENT");
  EXPECT_EQ(ask(*one, XsType::transaction_end, "T\0"s), "!ENOENT");
  const std::uint32_t tx = begin(*one);
  EXPECT_EQ(ask(*one, XsType::transaction_start, "\0"s, tx), "!EBUSY");
  EXPECT_EQ(ask(*one, XsType::transaction_end, "X\0"s, tx), "!EINVAL");
  EXPECT_EQ(read(*two, "name", tx), "!ENOENT") << "another domain's";
}

TEST_F(XenstoreTest, QuotasOfNodes) {
  unsigned made = server.tree().owned(kOne);
  std::string answer;
  for (unsigned n = 0; n < 1100 && answer != "!ENOSPC"; ++n) {
    // Below several parents, as the list of children counts against a node's size.
    answer = write(*one, "data/" + std::to_string(n / 100) + "/" + std::to_string(n), "");
  }
  EXPECT_EQ(answer, "!ENOSPC");
  made = server.tree().owned(kOne);
  EXPECT_EQ(made, 999u);
  EXPECT_EQ(write(*two, "data/a", ""), ok) << "another domain is not affected";
  // Nor in a transaction.
  const std::uint32_t tx = begin(*one);
  EXPECT_EQ(write(*one, "data/more", "", tx), "!ENOSPC");
}

TEST_F(XenstoreTest, QuotasOfNodesHoldWhenTransactionsEnd) {
  // Neither alone is too much.
  const auto fill = [&](const std::string& below, std::uint32_t tx) {
    for (unsigned n = 0; n < 600; ++n) {
      ASSERT_EQ(write(*one, below + std::to_string(n / 100) + "/" + std::to_string(n), "", tx), ok);
    }
  };
  const std::uint32_t first = begin(*one), second = begin(*one);
  fill("data/", first);
  fill("attr/", second);
  EXPECT_EQ(ask(*one, XsType::transaction_end, "T\0"s, first), ok);
  EXPECT_EQ(ask(*one, XsType::transaction_end, "T\0"s, second), "!ENOSPC");
  EXPECT_EQ(ask(*one, XsType::directory, "attr\0"s), "");
}

TEST_F(XenstoreTest, QuotasOfSizesWatchesAndTransactions) {
  EXPECT_EQ(write(*one, "data/a", std::string(2100, 'x')), "!ENOSPC");
  EXPECT_EQ(write(*one, "data/a", std::string(1900, 'x')), ok);
  std::string answer;
  unsigned count = 0;
  for (; answer != "!ENOSPC"; ++count) {
    answer = ask(*one, XsType::watch, "data\0"s + std::to_string(count) + '\0');
  }
  EXPECT_EQ(count, 128u);
  count = 0;
  for (answer = ""; answer != "!ENOSPC"; ++count) {
    answer = ask(*one, XsType::transaction_start, "\0"s);
  }
  EXPECT_EQ(count, 10u);
  EXPECT_EQ(ask(*one, XsType::reset_watches, "\0"s), ok);
  EXPECT_TRUE(one->watches.empty());
  EXPECT_TRUE(one->transactions.empty());
  EXPECT_EQ(one->memory, 0u);
}

TEST_F(XenstoreTest, WhatATransactionHoldsIsBounded) {
  const std::uint32_t tx = begin(*one);
  std::string answer;
  unsigned count = 0;
  while (answer != "!ENOSPC" && count < 3000) {
    answer = read(*one, "data/" + std::to_string(count++), tx);
  }
  EXPECT_LT(count, 1024u);
  EXPECT_EQ(ask(*one, XsType::transaction_end, "T\0"s, tx), "!ENOMEM");
  XenstoreQuota small;
  small.memory = 4096;
  XenstoreServer other(timeline, small);
  XenstoreConnection& from = other.introduce(kOne);
  for (int n = 0; n < 100; ++n) {
    const std::string path = "@releaseDomain\0"s + std::string(200, 'x') + std::to_string(n) + '\0';
    other.request(from, {4, 1, 0, static_cast<std::uint32_t>(path.size())}, path);
  }
  EXPECT_LT(from.memory, 16384u);
  EXPECT_LT(from.watches.size(), 20u);
}

TEST_F(XenstoreTest, LongListsComeInParts) {
  // Domain 0 knows no quota.
  XenstoreClient store(server);
  for (int n = 0; n < 1500; ++n) store.write("/list/" + std::to_string(1000 + n), "");
  store.set_permissions("/list", {{kBackendDomain, kXsRead}});
  EXPECT_EQ(ask(*one, XsType::directory, "/list\0"s), "!E2BIG");
  std::string list, generation;
  for (bool last = false; !last;) {
    const std::string part =
        ask(*one, XsType::directory_part, "/list\0"s + std::to_string(list.size()) + '\0');
    ASSERT_LE(part.size(), kXsPayloadMax);
    const std::size_t nul = part.find('\0');
    if (!generation.empty()) {
      EXPECT_EQ(part.substr(0, nul), generation);
    }
    generation = part.substr(0, nul);
    last = part.ends_with("\0\0"s) || part.size() == nul + 2;
    list += part.substr(nul + 1, part.size() - nul - 1 - (last ? 1 : 0));
  }
  EXPECT_EQ(std::count(list.begin(), list.end(), '\0'), 1500);
  EXPECT_TRUE(list.ends_with("2499\0"s));
}

TEST_F(XenstoreTest, WhatOnlyDomain0MayIsRefused) {
  for (const XsType type : {XsType::control, XsType::introduce, XsType::release,
                            XsType::is_domain_introduced, XsType::resume, XsType::set_target,
                            XsType::set_feature, XsType::get_quota, XsType::set_quota}) {
    EXPECT_EQ(ask(*one, type, "1\0"s), "!EACCES") << static_cast<unsigned>(type);
  }
  for (const unsigned type : {15u, 16u, 20u, 27u, 0xffffu, 0xffff'ffffu}) {
    EXPECT_EQ(ask(*one, static_cast<XsType>(type), ""), "!ENOSYS") << type;
  }
  EXPECT_EQ(ask(*one, XsType::get_domain_path, "7\0"s), "/local/domain/7\0"s);
  EXPECT_EQ(ask(*one, XsType::get_domain_path, "x\0"s), "!EINVAL");
  EXPECT_EQ(ask(*one, XsType::get_feature, ""), "15\0"s);
}

TEST_F(XenstoreTest, BackendsAreToldInOrderAndLater) {
  XenstoreClient client(server);
  std::vector<std::string> seen;
  client.watch("/local/domain/1/data",
               [&](const std::string& path) { seen.push_back("1" + path); });
  client.watch("/local/domain/1", [&](const std::string& path) { seen.push_back("2" + path); });
  timeline.advance_to(timeline.now() + server.timing().watch);
  EXPECT_EQ(seen, (std::vector<std::string>{"1/local/domain/1/data", "2/local/domain/1"}));
  seen.clear();
  write(*one, "data/b", "1");
  write(*one, "data/a", "1");
  write(*one, "data/b", "2");
  EXPECT_TRUE(seen.empty());
  timeline.advance_to(timeline.now() + server.timing().watch - 1);
  EXPECT_TRUE(seen.empty());
  timeline.advance_to(timeline.now() + 1);
  EXPECT_EQ(seen, (std::vector<std::string>{"1/local/domain/1/data/b", "2/local/domain/1/data/b",
                                            "1/local/domain/1/data/a", "2/local/domain/1/data/a"}));
}

TEST_F(XenstoreTest, AWatchThatChangesWhatItWatchesDoesNotStopTime) {
  XenstoreClient client(server);
  unsigned count = 0;
  client.watch("/x", [&](const std::string&) { client.write("/x", std::uint64_t{++count}); });
  timeline.advance_to(timeline.now() + 5 * server.timing().watch);
  EXPECT_EQ(count, 5u);
}

}  // namespace
}  // namespace trapline::xen
