#!/usr/bin/env python3
"""A plan for guests/r82, built as it says and run. mpu_plan.py [unittest arguments].

TRAPLINE_GUESTS names the folder of the built guests, TRAPLINE_GUEST_COMPILE the command that they are
compiled with, its words divided by ';'."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

from runs import TOP, TRAPLINE

GUESTS = pathlib.Path(os.environ["TRAPLINE_GUESTS"])
COMPILE = os.environ["TRAPLINE_GUEST_COMPILE"].split(";")
SOURCES = TOP / "guests"
HYPERVISOR = ["common/start.S", "common/console.c"] + [
    f"r82/hypervisor/{name}.c"
    for name in ("main", "regions", "context", "interrupts", "devices", "options")]
GUEST = ["r82/guest/start.S", "r82/guest/guest.c"]

CONFIG = """
target = "r82"
reserved = ["0x1000000 0x800000"]

[hypervisor]
image = "r82_hypervisor.elf"
relink = true

[[domain]]
name = "alpha"
kernel = "r82_alpha.elf"
memory = "16M"
pmsa = true
relink = true

[[domain]]
name = "beta"
kernel = "r82_beta.elf"
memory = "16M"
pmsa = true
relink = true
devices = ["serial1"]

[[domain]]
name = "gamma"
kernel = "r82_gamma.elf"
memory = "16M"
align = "2M"
relink = true
"""


class OwnHypervisor(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="trapline-plan-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        for name in ("hypervisor", "alpha", "beta", "gamma"):
            shutil.copy(GUESTS / f"r82_{name}.elf", self.folder)
        (self.folder / "plan.toml").write_text(CONFIG)

    def plan(self, *options):
        return subprocess.run([TRAPLINE, "mpu", "plan", str(self.folder / "plan.toml"), *options],
                              capture_output=True, text=True, timeout=60, check=False)

    def link(self, name, address, sources, *options):
        subprocess.run([*COMPILE, f"-Wl,--defsym=__base={address}", *options, "-T",
                        "r82/image.ld", "-o", str(self.folder / f"r82_{name}.elf"), *sources],
                       cwd=SOURCES, check=True, timeout=60)

    def run_with(self, regions):
        return subprocess.run([TRAPLINE, "run", str(self.folder / "out/planned.toml"), "--batch",
                               "--mpu-regions", f"16,{regions}", "--limit-time", "30s"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=300, check=False)

    def build_as_planned(self):
        """Returns the plan."""
        done = self.plan("--output-dir", str(self.folder / "out"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        plan = json.loads((self.folder / "out/plan.json").read_text())
        header = (self.folder / "out/plan.h").read_text()
        values = dict(re.findall(r"#define (\w+) (0x[0-9a-f]+)", header))
        self.link("hypervisor", values["PLAN_START_ADDRESS"], HYPERVISOR, "-DBOARD_BASER",
                  f'-DLAYOUT_HEADER="{self.folder}/out/plan.h"')
        for name, more in (("alpha", []), ("beta", []), ("gamma", ["common/tables.c"])):
            self.link(name, values[f"PLAN_{name.upper()}S_MEMORY_START"],
                      GUEST + [f"r82/guest/{name}.c"] + more)
        self.assertEqual(plan["bound"]["peak"], plan["score"]["peak"])
        return plan

    def test_runs_with_as_many_regions_as_planned(self):
        need = self.build_as_planned()["score"]["peak"]
        enough = self.run_with(need)
        self.assertEqual(enough.returncode, 0, enough.stdout[-2000:] + enough.stderr)
        for name in ("alpha", "beta", "gamma"):
            self.assertIn(f"hypervisor: {name} stopped", enough.stdout)
        too_few = self.run_with(need - 1)
        self.assertEqual(too_few.returncode, 2)
        self.assertIn(f"{need - 1} EL2 regions are not enough, {need} are needed", too_few.stdout)

    def test_a_sweep_finds_what_was_planned(self):
        need = self.build_as_planned()["score"]["peak"]
        done = subprocess.run([TRAPLINE, "mpu", "sweep", str(self.folder / "out/planned.toml"),
                               "--regions", "4..32", "--el1", "16", "--format", "json", "--",
                               "-append", "seconds=1"],
                              capture_output=True, text=True, timeout=500, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        swept = json.loads(done.stdout)
        self.assertEqual(swept["first_that_boots"], need)
        self.assertTrue(swept["larger_ones_boot_too"])
        for part in swept["parts"]:
            self.assertEqual(part["boots"], part["regions"] >= need, part)
            if not part["boots"]:
                self.assertIn(f"{part['regions']} EL2 regions are not enough", part["says"])
                self.assertEqual(part["code"], 2)  # The guest's, and no complaint about the usage.

    def test_says_what_one_region_less_costs(self):
        done = self.plan("--regions", "5")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("the part has 5 regions, this needs 6 (beta)", done.stdout)
        self.assertIn("beta has /uart@9c0a0000: fits, 5 regions are needed", done.stdout)

    def test_bad_arguments(self):
        for options, message in (
                (["--regions", "300"], "--regions"),
                (["--target", "bao"], "unknown target 'bao'"),
                (["--machine", "nowhere"], "nowhere"),
                (["--output-dir", "/dev/null/x"], "/dev/null/x")):
            with self.subTest(message):
                done = self.plan(*options)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(message, done.stderr)
                self.assertEqual(done.stderr.count("\n"), 1, done.stderr)


if __name__ == "__main__":
    unittest.main()
