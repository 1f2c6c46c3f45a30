#!/usr/bin/env python3
"""Watching changes nothing: observers.py [unittest arguments].

Each golden scenario is run plain and with observers, so that every two of them are once on together;
digest, instructions, cycles, exceptions and the CPUs' registers must be those of the plain run."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
TRAPLINE = os.environ.get("TRAPLINE", str(TOP / "build/release/sim/cli/trapline"))

# Every pair is in some row; each alone too.
EVENTS = ["--trace", "{}/t.ttb", "--events", "all"]
TARMAC = ["--tarmac", "{}/t.tarmac,from=150000,to=160000"]
COVERAGE = ["--coverage", "{}/c.info"]
DRCOV = ["--coverage", "{}/c.drcov"]
PROFILE = ["--profile", "{}/p.folded,every=5000"]
RECORDERS = ["--record-device", "gic={0}/gic.ttb,timer={0}/timer.ttb,pl011={0}/pl011.ttb"]
ALL = EVENTS + TARMAC + COVERAGE + PROFILE
ROWS = [ALL + RECORDERS, EVENTS, TARMAC + DRCOV, PROFILE]
# The devices of the trap layer's domains cannot be recorded.
DOMAIN_ROWS = [ALL, EVENTS, TARMAC + DRCOV, PROFILE]


class Golden(unittest.TestCase):
    def run_once(self, scenario, options, folder):
        stats = folder / "stats.json"
        command = [TRAPLINE, "run", str(TOP / "traces" / f"{scenario}.toml"), "--batch", "--uart",
                   "null", "--log", "off", "-q", "--stats", str(stats),
                   *[option.format(folder) for option in options]]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=500)
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}\n{done.stderr}")
        found = json.loads(stats.read_text())
        return {key: found[key] for key in ("digest", "instructions", "cycles", "virtual_ns",
                                            "exceptions", "cpus")}

    def check(self, scenario, rows=ROWS):
        with tempfile.TemporaryDirectory(prefix="trapline-observers-") as name:
            folder = pathlib.Path(name)
            plain = self.run_once(scenario, [], folder)
            for row in rows:
                with self.subTest(row=row):
                    self.assertEqual(self.run_once(scenario, row, folder), plain)

    def test_r82_hypervisor(self):
        self.check("r82-hypervisor")

    def test_r82_trespass(self):
        self.check("r82-trespass")

    def test_r82_arch(self):
        self.check("r82-arch")

    def test_xen_grants(self):
        self.check("xen-grants", DOMAIN_ROWS)

    def test_xen_domain(self):
        self.check("xen-domain", DOMAIN_ROWS)

    def test_linux_el1(self):
        self.check("linux-el1")

    def test_xen_gic2(self):
        self.check("xen-dom0-domu-gic2")

    def test_xen_gic3(self):
        self.check("xen-dom0-domu-gic3")


if __name__ == "__main__":
    unittest.main()
