#!/usr/bin/env python3
"""Each mistake of docs/findings.md is found in a guest that makes it, and no other; none is found in
guests that make none. findings.py [unittest arguments]; TRAPLINE_GUESTS is the guests' folder."""
import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest

from runs import TOP, TRAPLINE, run

GUESTS = pathlib.Path(os.environ.get("TRAPLINE_GUESTS", TOP / "build/release/guests"))
IMAGES = pathlib.Path(os.environ.get("TRAPLINE_IMAGES",
                                     pathlib.Path.home() / ".cache/trapline/images"))
FINDING = re.compile(r"finding ([a-z0-9-]+): (.*); cpu (\d+), EL(\d)(?:, domain (\d+))?, "
                     r"PC (0x[0-9a-f]+)(?: (.*))?$", re.MULTILINE)

# Cases of guests/findings/domain.c, what each is, and the function that is to blame.
DOMAIN_CASES = {
    "hypercall-mmu-off": ("hypercall-mmu-off", "hypercall"),
    "hypercall-cache-off": ("hypercall-mmu-off", "hypercall"),
    "hypercall-buffer": ("hypercall-buffer", "hypercall"),
    "address-not-given": ("address-not-given", "guest_main"),
    "image-overwritten": ("image-overwritten", "guest_main"),
    "device-tree-overwritten": ("device-tree-overwritten", "guest_main"),
    "initrd-overwritten": ("initrd-overwritten", "guest_main"),
    "page-tables-overwritten": ("page-tables-overwritten", "guest_main"),
    "bad-frame-number": ("bad-frame-number", "hypercall"),
    "bad-frame-number-range": ("bad-frame-number", "hypercall"),
    "bad-event-channel": ("bad-event-channel", "hypercall"),
    "bad-grant-reference": ("bad-grant-reference", "hypercall"),
}


class FindingsTest(unittest.TestCase):
    domain_number = ""  # Whose findings count; empty: everybody's.

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="trapline-findings-")
        self.addCleanup(self.folder.cleanup)

    def file(self, name, content):
        path = pathlib.Path(self.folder.name) / name
        path.write_bytes(content)
        return path

    def trapline(self, *options):
        """Finished run: exit code, console, findings as (name, function), digest."""
        stats = pathlib.Path(self.folder.name) / "stats.json"
        done = subprocess.run([TRAPLINE, "run", *map(str, options), "--batch", "--limit-time", "20s",
                               "--stats", str(stats)], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=300, check=False)
        errors = done.stderr.decode(errors="replace")
        found = [(name, (place or "").split("+")[0].split(" ")[0])
                 for name, _, _, _, domain, _, place in FINDING.findall(errors)
                 if not self.domain_number or domain == self.domain_number]
        self.said = f"{' '.join(done.args)}\n{errors}\n{done.stdout.decode(errors='replace')[-2000:]}"
        return (done.returncode, done.stdout.decode(errors="replace"), found,
                json.loads(stats.read_text())["digest"])

    def check_cases(self, cases, options_of):
        """Every case is found; the digest is the same without looking."""
        for case, expected in cases.items():
            with self.subTest(case=case):
                _, _, found, digest = self.trapline(*options_of(case))
                self.assertEqual(sorted(set(name for name, _ in found)), [expected[0]], self.said)
                if expected[1]:
                    self.assertIn(expected, found, self.said)
                _, _, silent, same = self.trapline(*options_of(case), "--check", "off")
                self.assertEqual((silent, same), ([], digest), self.said)


class Layer(FindingsTest):
    """A domain with the trap layer as its hypervisor."""

    def domain(self, case):
        initrd = self.file("initrd", bytes(range(256)) * 64)
        return ["--domain", f"name=d,kernel={GUESTS}/findings/finding_domain.bin,initrd={initrd},"
                f"memory=128M,console=vpl011,append=finding={case}",
                "--symbols", GUESTS / "findings/finding_domain.elf"]

    def test_mistakes(self):
        self.check_cases(DOMAIN_CASES, self.domain)

    def test_none(self):
        code, console, found, _ = self.trapline(*self.domain("none"), "--check", "error")
        self.assertEqual((code, found), (0, []), self.said)
        self.assertIn("copy done", console)

    def test_error_fails_the_run(self):
        code, _, _, _ = self.trapline(*self.domain("address-not-given"), "--check", "error")
        self.assertEqual(code, 1, self.said)

    def test_linux(self):
        code, console, found, _ = self.trapline(
            "--domain", f"name=d,kernel={IMAGES}/vmlinuz,initrd={IMAGES}/initramfs.cpio.gz,"
            "memory=256M,append=console=hvc0 trapline.run=poweroff", "--check", "error")
        self.assertEqual((code, found), (0, []), self.said)
        self.assertIn("Power down", console)


class RealXen(FindingsTest):
    """The same domain under Debian's Xen, which gives it VMID 2. Dom0 calls with its MMU off."""
    domain_number = "2"

    def domain(self, case):
        initrd = self.file("initrd", bytes(range(256)) * 64)
        return ["-M", "virt", "-cpu", "cortex-a57", "-m", "1G", "--xen", IMAGES / "xen",
                "--xen-append", "console=dtuart",
                "--dom0", f"kernel={GUESTS}/xen_abi/xen_dom0.bin,memory=64M",
                "--domu", f"name=d,kernel={GUESTS}/findings/finding_domain.bin,initrd={initrd},"
                f"memory=128M,enhanced=on,append=finding={case}",
                "--symbols", f"{GUESTS}/findings/finding_domain.elf,el=1"]

    def test_mistakes(self):
        self.check_cases(DOMAIN_CASES, self.domain)

    def test_none(self):
        code, console, found, _ = self.trapline(*self.domain("none"))
        self.assertEqual((code, found), (0, []), self.said)
        self.assertIn("copy done", console)


class Linux(unittest.TestCase):
    """Debian's Linux, alone and under Debian's Xen."""

    def clean(self, scenario, *options):
        finished = run(scenario, "--check", "error", *options)
        self.assertEqual((finished.code, FINDING.findall(finished.errors)), (0, []),
                         finished.explain())

    def test_xen_dom0_domu(self):
        self.clean("xen-dom0-domu")

    def test_xen_gic2(self):
        self.clean("xen-dom0-domu", "--gic", "2")

    def test_el1(self):
        self.clean("linux-el1")

    def test_el2(self):
        self.clean("linux-el2")

    def test_smp(self):
        self.clean("linux-smp4")


class Bare(FindingsTest):
    """Mistakes of a hypervisor and of software without firmware."""

    def hypervisor(self, case):
        number = {"none": 0, "instruction-skipped": 1, "interrupt-too-early": 2}[case]
        options = self.file("options", struct.pack("<Q", number))
        return ["-M", "virt", "--gic", "3", "-m", "256M", "--el", "2", "-kernel",
                GUESTS / "findings/finding_hypervisor.elf", "--load", f"{options}@0x48000000"]

    def board(self, case):
        number = {"none": 0, "counter-not-enabled": 1, "uart-not-enabled": 2}[case]
        options = self.file("options", struct.pack("<Q", number))
        return ["-M", "fvp-baser", "--counter", "hardware", "--semihosting", "-kernel",
                GUESTS / "findings/finding_board.elf", "--load", f"{options}@0x100000"]

    def test_hypervisor(self):
        self.check_cases({"instruction-skipped": ("instruction-skipped", "guest_start"),
                          "interrupt-too-early": ("interrupt-too-early", "guest_start")},
                         self.hypervisor)

    def test_board(self):
        self.check_cases({"counter-not-enabled": ("counter-not-enabled", ""),
                          "uart-not-enabled": ("uart-not-enabled", "_start")}, self.board)

    def test_none(self):
        for options in (self.hypervisor("none"), self.board("none")):
            code, _, found, _ = self.trapline(*options, "--check", "error")
            self.assertEqual((code, found), (0, []), self.said)


if __name__ == "__main__":
    unittest.main()
