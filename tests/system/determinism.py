#!/usr/bin/env python3
"""A run depends on its scenario alone. determinism.py [unittest arguments].

The same scenario is run with every observer on and off, with its console in a file, a pipe and a
pseudo-terminal, on a busy host, many times over, and on another libunicorn; digest, UART bytes and
counters must be those of the first run."""
import multiprocessing
import os
import unittest

from runs import Started, SystemTest, run

SCENARIOS = ["linux-el1", "linux-el2", "linux-smp4", "xen-dom0", "xen-dom0-domu", "xen-two-domus",
             "xen-smp4"]
ALL_CPUS_GIC = [(scenario, gic) for scenario in SCENARIOS for gic in ("2", "3")]


def spin():
    while True:
        pass


class BusyHost:
    """Twice as many spinning processes as the host has CPUs."""

    def __enter__(self):
        self.processes = [multiprocessing.Process(target=spin, daemon=True)
                          for _ in range(2 * (os.cpu_count() or 1))]
        for process in self.processes:
            process.start()

    def __exit__(self, *_):
        for process in self.processes:
            process.terminate()
            process.join()


class Observers(SystemTest):
    """Two runs side by side on a busy host, a plain one and one watched in every way there is."""

    def check(self, scenario, *options):
        with BusyHost():
            plain = Started(scenario, "--log", "off", *options)
            watched = Started(scenario, "--log", "trace", "--trace", os.devnull,
                              "--events", "all", "--record-device",
                              ",".join(f"{device}={os.devnull}"
                                       for device in ("gic", "timer", "pl011")), *options,
                              console_file=True)
            finished = plain.finish(), watched.finish()
        self.assert_ended_well(finished[0])
        self.assert_same_run(*finished)

    def test_linux(self):
        self.check("linux-el2")

    def test_linux_smp4(self):
        self.check("linux-smp4")

    def test_xen_dom0_domu(self):
        self.check("xen-dom0-domu")

    def test_xen_smp4(self):
        self.check("xen-smp4")


class Backends(SystemTest):
    def test_a_console_nobody_reads(self):
        plain = run("linux-el1")
        self.assert_ended_well(plain)
        for backend in ("null", "pty"):
            other = run("linux-el1", "--uart", backend)
            self.assert_ended_well(other)
            self.assertEqual(other.digest, plain.digest, f"--uart {backend}")


class TenTimes(SystemTest):
    """The first run, and nine more, three at a time."""

    def check(self, scenario):
        first = run(scenario)
        self.assert_ended_well(first)
        for _ in range(3):
            self.assert_same_run(first, *[started.finish() for started in
                                          [Started(scenario) for _ in range(3)]])

    def test_xen_dom0_domu(self):
        self.check("xen-dom0-domu")

    def test_linux_smp4(self):
        self.check("linux-smp4")

    def test_xen_smp4(self):
        self.check("xen-smp4")


class OtherUnicorn(SystemTest):
    """The library in the folder TRAPLINE_OTHER_UNICORN in place of the one the binary was built
    with."""

    def check(self, scenario, *options):
        environment = {"LD_LIBRARY_PATH": os.environ["TRAPLINE_OTHER_UNICORN"]}
        own = run(scenario, *options)
        self.assert_ended_well(own)
        self.assert_same_run(own, run(scenario, *options, environment=environment))

    def test_every_scenario(self):
        for scenario, gic in ALL_CPUS_GIC:
            with self.subTest(scenario, gic=gic):
                self.check(scenario, "--gic", gic)

    def test_vhe(self):
        self.check("linux-el2", "-cpu", "max")
        self.check("linux-smp4", "-cpu", "max")

    def test_small_quantum(self):
        self.check("linux-smp4", "--quantum", "100")


if __name__ == "__main__":
    unittest.main()
