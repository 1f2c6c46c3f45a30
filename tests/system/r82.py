#!/usr/bin/env python3
"""The software of guests/r82 on the machine fvp-baser, and its architecture test on virt as well.
r82.py [unittest arguments].

TRAPLINE_GUESTS names the folder of the built guests, TRAPLINE_QEMU qemu-system-aarch64 where there is
one. Golden traces (traces/r82-*) fix the digests."""
import os
import re
import subprocess
import unittest

from runs import TRAPLINE, SystemTest, run

GUESTS = os.environ["TRAPLINE_GUESTS"]


class Tap(SystemTest):
    def assert_all_ok(self, lines, least, explanation):
        """Every point is ok, none is missing, and there are at least `least`."""
        points = [line for line in lines if re.match(r"(not )?ok \d", line)]
        failed = [line for line in points if line.startswith("not")]
        self.assertEqual(failed, [], explanation)
        plans = [line for line in lines if re.fullmatch(r"1\.\.\d+", line)]
        self.assertEqual(plans, [f"1..{len(points)}"], explanation)
        self.assertGreaterEqual(len(points), least, explanation)


class Architecture(Tap):
    def check(self, least, *options):
        finished = run("r82-arch", *options)
        self.assert_ended_well(finished)
        self.assert_all_ok(finished.lines, least, finished.explain())

    def test_16_regions(self):
        self.check(1100)

    def test_other_region_counts(self):
        for regions, least in (("9", 1000), ("32", 1200), ("255", 1200)):
            with self.subTest(regions):
                self.check(least, "--mpu-regions", regions)


class AProfile(Tap):
    """What of the architecture test the A-profile shares, on virt."""

    IMAGE = os.path.join(GUESTS, "virt_arch.elf")

    def check(self, command):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                              check=False, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_all_ok(done.stdout.replace("\r", "").split("\n"), 250, done.stdout[-3000:])

    def test_trapline(self):
        for cpu in ("cortex-a57", "max"):
            with self.subTest(cpu):
                self.check([TRAPLINE, "run", "-M", "virt", "-cpu", cpu, "-m", "256", "--el", "2",
                            "-kernel", self.IMAGE, "--limit-time", "60s", "-q"])

    def test_qemu(self):
        for cpu in ("cortex-a57", "max"):
            with self.subTest(cpu):
                self.check([os.environ["TRAPLINE_QEMU"], "-M", "virt,virtualization=on,gic-version=3",
                            "-cpu", cpu, "-m", "256", "-net", "none", "-display", "none",
                            "-monitor", "none", "-serial", "stdio", "-kernel", self.IMAGE])


class Hypervisor(SystemTest):
    def check(self, scenario):
        finished = run(scenario)
        self.assert_ended_well(finished)
        self.assert_same_run(finished, run(scenario, "--trace", os.devnull))
        return finished

    def test_three_guests(self):
        self.check("r82-hypervisor")

    def test_trespass(self):
        finished = self.check("r82-trespass")
        self.assertFalse([line for line in finished.lines if "beta: second 11" in line],
                         finished.explain())

    def test_rewriting_regions(self):
        """Six EL2 regions are too few to hold every guest's: they are rewritten at each switch. The
        guests notice nothing."""
        few = run("r82-hypervisor", "--mpu-regions", "16,6")
        self.assert_ended_well(few)
        self.assert_lines(few, "6 EL2 regions, 16 EL1 regions, guests change by rewriting",
                          "alpha stopped", "beta stopped", "gamma stopped")
        many = run("r82-hypervisor")
        for name in ("alpha", "uart1: beta", "gamma"):
            told = [[line for line in finished.lines if line.startswith(f"{name}:")]
                    for finished in (few, many)]
            self.assertEqual(*told)
            self.assertGreater(len(told[0]), 12)

    def test_too_few_regions(self):
        few = run("r82-hypervisor", "--mpu-regions", "16,5")
        self.assertEqual(few.code, 1, few.explain())
        self.assert_lines(few, "5 EL2 regions are not enough, 6 are needed")

    def check_killed(self, trespass, how):
        finished = run("r82-trespass", "--append", f"trespass={trespass},2 seconds=3")
        self.assertEqual(finished.code, 1, finished.explain())  # Others than the scenario expects.
        self.assert_lines(finished, f"hypervisor: {trespass.split(',')[0]} killed in second 2, {how}",
                          "was killed")

    def test_every_kind_of_trespass(self):
        for trespass, how in (
                # Permission faults on what is the hypervisor's, translation faults elsewhere.
                ("alpha,read,0x12000000", "read: ESR 93c[01][08]004 .* HPFAR 120000"),
                ("alpha,execute,0x200000", "fetch: ESR 8200000c ELR 200000 FAR 200000"),
                ("beta,read,0x9c0b0000", "read: ESR 93c[01][08]004 .* HPFAR 9c0b00"),
                ("gamma,write,0x200040", "write: ESR 93c[01][08]04c .* FAR 200040"),
                ("gamma,execute,0x12000000", "fetch: ESR 82000004 ELR 12000000 FAR 12000000"),
                ("gamma,write,0xaa430000", "write: ESR 93c[01][08]044 .* HPFAR aa4300")):
            with self.subTest(trespass):
                self.check_killed(trespass, how)


class Stacks(SystemTest):
    def test_tasks_compute_the_same_on_stacks_that_split_pages(self):
        results = []
        for name in ("r82_stacks", "r82_stacks_split"):
            done = subprocess.run([TRAPLINE, "run", "-M", "fvp-baser", "--semihosting", "-q",
                                   "--limit-time", "10s", "-kernel",
                                   os.path.join(GUESTS, f"{name}.elf")],
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                                  check=False, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            results.append(done.stdout)
        self.assertEqual(results[0].count("task "), 2, results[0])
        self.assertEqual(results[0], results[1])


class Alone(SystemTest):
    def test_a_pmsa_guest_on_a_part_without_el2(self):
        """alpha needs no hypervisor: it owns the board's UART, GIC and timer."""
        done = subprocess.run([TRAPLINE, "run", "-M", "fvp-baser", "--el", "1", "-kernel",
                               os.path.join(GUESTS, "r82_alpha.elf"), "--limit-time", "3500ms"],
                              stdin=subprocess.DEVNULL, capture_output=True, check=False, text=True)
        self.assertEqual(done.returncode, 124, done.stderr)
        under_hypervisor = [line for line in run("r82-hypervisor").lines
                            if re.match(r"alpha: second [123],", line)]
        alone = [line for line in done.stdout.replace("\r", "").split("\n")
                 if line.startswith("alpha: second")]
        self.assertEqual(alone, under_hypervisor)
        self.assertEqual(len(alone), 3)


if __name__ == "__main__":
    unittest.main()
