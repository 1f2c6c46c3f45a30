#!/usr/bin/env python3
"""Every scenario boots, answers its script and powers off. boots.py [unittest arguments].

The scenarios' own [expect] tables are checked by exit code 0; here come the lines that depend on
the machine's options, and that every Linux takes interrupts of its timer and of a device."""
import unittest

from runs import SystemTest, run


class LinuxAlone(SystemTest):
    def boot(self, scenario, *options, gic=3, cpus=1):
        linux = run(scenario, "--gic", str(gic), *options)
        self.assert_ended_well(linux)
        self.assert_interrupts(linux, "arch_timer", rows=1, cpus=cpus)
        self.assertEqual(len(linux.interrupt_counts("uart-pl011")), 1, linux.explain())
        self.assertGreater(linux.interrupt_counts("uart-pl011")[0][0], 0, linux.explain())
        # Without EL2 Linux names a GICv2 by its number.
        self.assert_lines(linux, r"\b(GICv%d|%s)\s+\d+ Level +arch_timer" %
                          (gic, "GIC-0" if gic == 2 else "GICv3"))
        return linux


class Linux(LinuxAlone):
    def test_el1_gic3(self):
        self.boot("linux-el1")

    def test_el1_gic2(self):
        self.boot("linux-el1", gic=2)

    def test_el1_cortex_a53(self):
        self.boot("linux-el1", "-cpu", "cortex-a53")

    def test_el1_max(self):
        self.boot("linux-el1", "-cpu", "max")

    def test_el2_nvhe_gic3(self):
        linux = self.boot("linux-el2")
        self.assert_lines(linux, r"CPU: All CPU\(s\) started at EL2",
                          r"kvm \[1\]: vgic interrupt IRQ9",
                          r"kvm \[1\]: Hyp mode initialized successfully")

    def test_el2_nvhe_gic2(self):
        linux = self.boot("linux-el2", gic=2)
        self.assert_lines(linux, r"kvm \[1\]: vgic interrupt IRQ9",
                          r"kvm \[1\]: Hyp mode initialized successfully")

    def test_el2_nvhe_cortex_a72(self):
        linux = self.boot("linux-el2", "-cpu", "cortex-a72")
        self.assert_lines(linux, r"kvm \[1\]: Hyp mode initialized successfully")

    def test_el2_vhe_gic3(self):
        linux = self.boot("linux-el2", "-cpu", "max")
        self.assert_lines(linux, r"CPU features: detected: Virtualization Host Extensions",
                          r"CPU: All CPU\(s\) started at EL2",
                          r"kvm \[1\]: VHE mode initialized successfully")

    def test_el2_vhe_gic2(self):
        linux = self.boot("linux-el2", "-cpu", "max", gic=2)
        self.assert_lines(linux, r"kvm \[1\]: VHE mode initialized successfully")


class LinuxSmp(LinuxAlone):
    def boot_four(self, *options, gic=3):
        linux = self.boot("linux-smp4", *options, gic=gic, cpus=4)
        self.assert_lines(linux, r"smp: Brought up 1 node, 4 CPUs",
                          r"SMP: Total of 4 processors activated")
        return linux

    def test_quantum_100(self):
        self.boot_four("--quantum", "100")

    def test_quantum_1000(self):
        self.boot_four("--quantum", "1000")

    def test_quantum_10000(self):
        self.boot_four("--quantum", "10000")

    def test_gic2(self):
        self.boot_four(gic=2)

    def test_el1(self):
        linux = run("linux-smp4", "--el", "1")
        # The scenario expects KVM, which there is none of at EL1; all else holds.
        self.assertEqual(linux.code, 1, linux.explain())
        self.assert_lines(linux, r"smp: Brought up 1 node, 4 CPUs",
                          r"CPU: All CPU\(s\) started at EL1",
                          r"loadtest: 4 checksums agree", "reboot: Power down")

    def test_vhe(self):
        linux = self.boot_four("-cpu", "max")
        self.assert_lines(linux, r"kvm \[1\]: VHE mode initialized successfully")


class Xen(SystemTest):
    def boot(self, scenario, *options, gic=3, domus=0, cpus=1):
        xen = run(scenario, "--gic", str(gic), *options)
        self.assert_ended_well(xen)
        self.assert_lines(xen, r"\(XEN\) Xen version 4\.", r"\(XEN\) GICv%d" % gic,
                          r"^\[ .*Linux version", "dom0 answers 42", "Hardware Dom0 halted")
        for domu in range(1, domus + 1):
            self.assert_lines(xen, r"DOM%d: \[ .*Linux version" % domu, "domU%d answers 42" % domu)
        self.assert_interrupts(xen, "arch_timer", rows=1 + domus, cpus=cpus)
        # The console of a domU is an emulated PL011; its interrupts are SPIs.
        uarts = xen.interrupt_counts("uart-pl011")
        self.assertEqual(len(uarts), domus, xen.explain())
        for row in uarts:
            self.assertGreater(sum(row), 0, xen.explain())
        return xen

    def test_dom0_gic3(self):
        self.boot("xen-dom0")

    def test_dom0_gic2(self):
        self.boot("xen-dom0", gic=2)

    def test_dom0_max(self):
        self.boot("xen-dom0", "-cpu", "max")

    def test_dom0_domu_gic3(self):
        self.boot("xen-dom0-domu", domus=1)

    def test_dom0_domu_gic2(self):
        self.boot("xen-dom0-domu", gic=2, domus=1)

    def test_two_domus_gic3(self):
        self.boot("xen-two-domus", domus=2)

    def test_two_domus_gic2(self):
        self.boot("xen-two-domus", gic=2, domus=2)


class XenSmp(SystemTest):
    def boot_four(self, *options, gic=3):
        xen = run("xen-smp4", "--gic", str(gic), *options)
        self.assert_ended_well(xen)
        self.assert_lines(xen, r"\(XEN\) GICv%d" % gic, r"\(XEN\) Brought up 4 CPUs",
                          "loadtest: 2 checksums agree", "loadtest: 2 checksums agree")
        self.assert_interrupts(xen, "arch_timer", rows=2, cpus=2)

    def test_quantum_100(self):
        self.boot_four("--quantum", "100")

    def test_quantum_1000(self):
        self.boot_four("--quantum", "1000")

    def test_quantum_10000(self):
        self.boot_four("--quantum", "10000")

    def test_gic2(self):
        self.boot_four(gic=2)


if __name__ == "__main__":
    unittest.main()
