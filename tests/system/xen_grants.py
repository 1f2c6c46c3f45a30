#!/usr/bin/env python3
"""Pages that one domain grants to another, with the trap layer and with Debian's Xen as hypervisor.
xen_grants.py [unittest arguments]; TRAPLINE_GUESTS is the guests' folder."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from runs import TOP, TRAPLINE

GUESTS = pathlib.Path(os.environ.get("TRAPLINE_GUESTS", TOP / "build/release/guests"))
IMAGES = pathlib.Path(os.environ.get("TRAPLINE_IMAGES",
                                     pathlib.Path.home() / ".cache/trapline/images"))
IMAGE = GUESTS / "grants/grant_domain.bin"

# What guests/grants/domain.c says under Xen 4.17. Lines in {braces} are of what Xen lets a domain
# try for ever (an execution of a mapped page, a store to a read-only one) and of a toolstack.
GRANTER = """grant table mapped 0
own code gives 1
the mapper wrote b3
code that the mapper wrote gives 2
written again, it gives 4
the constant is c0de, its entry d
unmapped, its entry is 0
entries in use 19 19
{the mapper is gone, entries 1 1, and what it wrote is b3}
end"""
MAPPER = """the granter's page has 600d
the granter wrote a4
own code gives 7
map over it 0
the granter's code begins with d2800020
{a call aborts}
writable map of a read-only grant -1
read-only map 0
constant c0de
{a store aborts, and the constant is c0de}
a hypercall that writes there -e
revoked, the constant is beef
unmap 0
unmap again -4
map again -1
at the end the granter's page has 600d
end"""

# And with "try=replaced", which only the trap layer is asked.
REPLACING_GRANTER = """the constant is c0de, its indexes 500000000
given away 1, populated 1
the new page has 5ec
a frame of the grant table there 0
an entry in it is 0
end"""
REPLACING_MAPPER = """map of its own 0
read-only map over it 0
copy to what was there -9
and over a ring 0
map 0
what was given away has 1d
map again -9
unmap 0
map of the new page 0
it has 5ec
end"""


def expected(text, beyond):
    lines = text.split("\n")
    return [line.strip("{}") for line in lines if beyond or not line.startswith("{")]


class Grants(unittest.TestCase):
    def trapline(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            stats = pathlib.Path(folder) / "stats.json"
            done = subprocess.run([TRAPLINE, "run", "--batch", "--stats", str(stats), *options],
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True,
                                  timeout=300, check=False)
            self.said = f"{' '.join(done.args)}\n{done.stderr}\n{done.stdout[-4000:]}"
            return done, json.loads(stats.read_text())

    def layer(self, *options, granter="", mapper=""):
        domain = f"kernel={IMAGE},console=vpl011,memory=64M"
        return self.trapline(
            "--domain", f"name=granter,{domain},append=role=granter peer=2 {granter}",
            "--domain", f"name=mapper,{domain},append=role=mapper peer=1 {mapper}",
            "--limit-time", "1s", *options)

    def check_layer(self, *options, beyond=False, granter_says=GRANTER, mapper_says=MAPPER,
                    **words):
        done, stats = self.layer("--xsm", "dummy", *options, **words)
        self.assertEqual(done.returncode, 0, self.said)
        lines = done.stdout.split("\n")
        mine = [line for line in lines if line and not line.startswith("mapper: ")]
        theirs = [line.removeprefix("mapper: ") for line in lines if line.startswith("mapper: ")]
        self.assertEqual(mine, expected(granter_says, beyond), self.said)
        self.assertEqual(theirs, expected(mapper_says, beyond), self.said)
        return stats["digest"]

    def test_layer(self):
        self.check_layer()

    def test_faults_and_the_end_of_a_domain(self):
        words = {"granter": "until=gone", "mapper": "try=all"}
        digests = {self.check_layer(beyond=True, **words),
                   self.check_layer("--trace", os.devnull, beyond=True, **words)}
        self.assertEqual(len(digests), 1, digests)
        # However the domains take turns.
        self.check_layer("--quantum", "37", beyond=True, **words)
        self.check_layer("--sched", "rr,slice=1ms", beyond=True, **words)

    def test_pages_that_are_replaced(self):
        self.check_layer(granter="try=replaced", mapper="try=replaced",
                         granter_says=REPLACING_GRANTER, mapper_says=REPLACING_MAPPER)

    def test_silo_refuses(self):
        done, _ = self.layer("--limit-time", "5ms")
        self.assertEqual(done.returncode, 124, self.said)
        self.assertIn("mapper: the first page is refused -8\n", done.stdout)
        self.assertNotIn("has 600d", done.stdout)

    def test_real_xen(self):
        domu = f"kernel={IMAGE},memory=64M,enhanced=on"
        done, _ = self.trapline(
            "-M", "virt", "-cpu", "cortex-a57", "-m", "1G", "--xen", str(IMAGES / "xen"),
            "--xen-append", "console=dtuart xsm=dummy",
            "--dom0", f"kernel={GUESTS}/xen_abi/xen_dom0.bin,memory=64M",
            "--domu", f"name=granter,{domu},append=role=granter peer=2",
            "--domu", f"name=mapper,{domu},append=role=mapper peer=1", "--limit-time", "20s")
        for number, text in ((1, GRANTER), (2, MAPPER)):
            found = re.findall(rf"^\(XEN\) DOM{number}: (.*?)\r?$", done.stdout, re.M)
            self.assertEqual(found, expected(text, False), self.said)


if __name__ == "__main__":
    unittest.main()
