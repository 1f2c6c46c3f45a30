#!/usr/bin/env python3
"""Xen guests with no hypervisor image. xen_domain.py [unittest arguments]."""
import hashlib
import json
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest

from runs import TRAPLINE, SystemTest, run

IMAGES = pathlib.Path(os.environ.get("TRAPLINE_IMAGES",
                                     pathlib.Path.home() / ".cache/trapline/images"))


class Linux(SystemTest):
    """Debian's kernel as a domU: shell on hvc0 by PV console and xenstore, and a power-off."""

    def boot(self, *options, gic=3, vcpus=1):
        linux = run("xen-domain", "--gic", str(gic), *options)
        self.assert_ended_well(linux)
        self.assert_lines(linux, r"Xen 4\.17 support found", r"trapline-init: ready on hvc0",
                          r"loadtest: \d checksums agree")
        name = "(GICv2|GIC-0)" if gic == 2 else "GICv3"
        self.assert_lines(linux, name + r"\s+27 Level +arch_timer", name + r"\s+31 Level +events")
        self.assert_interrupts(linux, "arch_timer", rows=1, cpus=vcpus)
        self.assertGreater(linux.interrupt_counts("hvc_console")[0][0], 0, linux.explain())
        return linux

    def test_gic3(self):
        self.boot()

    def test_gic2(self):
        self.boot(gic=2)

    def test_repeats(self):
        self.assertEqual(self.boot().digest, self.boot("--trace", os.devnull).digest)


class TwoDomains(SystemTest):
    """A disk, ping, and ten megabytes over a network, on one CPU."""
    BYTES = 10 * 1024 * 1024

    def transfer(self, *options):
        both = run("xen-domains", *options)
        self.assert_ended_well(both)
        sent = (IMAGES / "busybox").read_bytes() * 6
        checksum = hashlib.sha256(sent[:self.BYTES]).hexdigest()
        for role in ("offers", "right: net-check: fetched"):
            self.assertIn(f"{role} {checksum}", "\n".join(both.lines), both.explain())
        return both

    def test_transfer(self):
        with tempfile.TemporaryDirectory() as folder:
            capture = pathlib.Path(folder) / "pcap"
            self.transfer("--pcap", f"bridge={capture}")
            lengths = self.frames(capture.read_bytes())
        self.assertGreater(sum(lengths), self.BYTES)
        # The front ends leave segmentation to the network.
        self.assertGreater(max(lengths), 32 * 1024)
        self.assertLess(len(lengths), 2000)

    @staticmethod
    def frames(capture):
        lengths, at = [], 24
        while at < len(capture):
            lengths.append(struct.unpack_from("<I", capture, at + 12)[0])
            at += 16 + lengths[-1]
        return lengths

    def test_repeats(self):
        digests = {self.transfer().digest for _ in range(9)}
        digests.add(self.transfer("--trace", os.devnull).digest)
        self.assertEqual(len(digests), 1, digests)


def image(code):
    """An arm64 Image (booting.rst): a branch over the header, then the code."""
    header = struct.pack("<IIQQQQQQ4sI", 0x14000010, 0, 0, 0x4000, 0xa, 0, 0, 0, b"ARMd", 0)
    return header + b"".join(word.to_bytes(4, "little") for word in code)


SPIN = [0x14000000]                          # b .
OFF = [0xd2800100, 0xf2b08000, 0xd4000002]   # PSCI SYSTEM_OFF by HVC


def store(address, value):
    """movz x2, address; movz x1, value; str w1, [x2]"""
    return [0xd2a00002 | (address >> 16) << 5, 0xd2800001 | value << 5, 0xb9000041]


def mov(register, value):
    """movz and movks"""
    words = [0xd2800000 | (value & 0xffff) << 5 | register]
    for n, opcode in ((1, 0xf2a00000), (2, 0xf2c00000), (3, 0xf2e00000)):
        if piece := value >> 16 * n & 0xffff:
            words.append(opcode | piece << 5 | register)
    return words


def put(address, data):
    """Doublewords: str x1, [x2]"""
    data += bytes(-len(data) % 8)
    return [word for n in range(0, len(data), 8) for word in
            mov(2, address + n) + mov(1, int.from_bytes(data[n:n + 8], "little")) + [0xf9000041]]


def loop(times):
    """subs x3, x3, #1; b.ne"""
    return mov(3, times) + [0xf1000463, 0x54ffffe1]


def say(uart, text):
    return [word for letter in text + "\n" for word in store(uart, ord(letter))]


class Small(unittest.TestCase):
    """Guests of a few instructions."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)

    def guest(self, name, code):
        (self.path / name).write_bytes(image(code))
        return str(self.path / name)

    def run_domains(self, *options):
        stats = self.path / "stats.json"
        done = subprocess.run([TRAPLINE, "run", "--batch", "--stats", str(stats), *options],
                              capture_output=True, stdin=subprocess.DEVNULL, text=True)
        text = stats.read_text() if stats.exists() else ""
        return done, json.loads(text) if text else {}


class Scheduling(Small):
    def test_arinc653_is_exact_to_the_block(self):
        spin = self.guest("spin", SPIN)
        done, stats = self.run_domains(
            "--domain", f"name=a,kernel={spin},memory=16M",
            "--domain", f"name=b,kernel={spin},memory=16M",
            "--sched", "arinc653,table=a:5ms/b:3ms/idle:2ms", "--limit-time", "1s",
            "--latency", str(self.path / "latency"))
        self.assertEqual(done.returncode, 124, done.stderr)
        a, b = stats["scheduling"]
        block = 100  # ns: more than a block of these guests takes.
        self.assertLess(abs(a["running_ns"] - 500_000_000), 100 * block)
        self.assertLess(abs(b["running_ns"] - 300_000_000), 100 * block)
        for vcpu in (a, b):
            self.assertEqual(vcpu["windows"], 100)
            self.assertLess(vcpu["start_delay_most_ps"], block * 1000)
        self.assertIn("a.0", (self.path / "latency").read_text())

    def test_round_robin_is_fair(self):
        spin = self.guest("spin", SPIN)
        done, stats = self.run_domains(
            *(word for name in "abc" for word in
              ("--domain", f"name={name},kernel={spin},memory=16M")),
            "-smp", "2", "--sched", "rr,slice=1ms", "--limit-time", "300ms")
        self.assertEqual(done.returncode, 124, done.stderr)
        for vcpu in stats["scheduling"]:
            self.assertLess(abs(vcpu["running_ns"] - 200_000_000), 2_000_000, stats["scheduling"])

    def test_too_many_for_null(self):
        spin = self.guest("spin", SPIN)
        done, _ = self.run_domains("--domain", f"kernel={spin}", "--domain", f"kernel={spin}",
                                   "--sched", "null")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^trapline: .*2 vCPUs and 1 CPUs; raise -smp")


class Enhanced(Small):
    def test_off_hides_xen(self):
        code = say(0x22000000, "no Xen") + OFF
        done, stats = self.run_domains(
            "--domain", f"name=a,kernel={self.guest('a', code)},memory=16M,enhanced=off")
        self.assertIn("no Xen", done.stdout, done.stderr)
        self.assertEqual(stats["exit"]["reason"], "power-off")
        done, _ = self.run_domains(
            "--domain", f"name=a,kernel={self.guest('a', code)},enhanced=off,disk=mem:1M")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no Xen is shown to it", done.stderr)

    def test_the_key_is_among_the_valid_ones(self):
        done, _ = self.run_domains("--domain", "enhancd=off")
        self.assertEqual(done.returncode, 2)
        self.assertIn("vpl011, enhanced (a comma", done.stderr)


class Mpu(Small):
    UART = 0x9c090000

    def domain(self, name, base, code, extra=""):
        return ("--domain", f"name={name},kernel={self.guest(name, code)},"
                            f"static-mem={base:#x}:16M,console=vpl011{extra}")

    def test_a_trespass_ends_only_the_offender(self):
        done, stats = self.run_domains(
            "-M", "fvp-baser",
            *self.domain("good", 0x10000000, say(self.UART, "good is here") + OFF),
            *self.domain("bad", 0x12000000, store(0x10000000, 1) + say(self.UART, "bad won")),
            *self.domain("mmu", 0x14000000, say(self.UART, "mmu is here") + OFF, ",msa=mmu"))
        self.assertIn("good is here", done.stdout)
        self.assertIn("mmu: mmu is here", done.stdout)
        self.assertNotIn("bad won", done.stdout)
        self.assertRegex(done.stderr, r"bad: killed: data-abort-lower at PC 0x12[0-9a-f]{6} ")
        self.assertEqual(stats["exit"]["reason"], "stuck")

    def test_nothing_but_its_own_is_within_reach(self):
        """Of memory that is all there: another's, the hypervisor's, nobody's. (Another's UART is not
        on the domain's bus; that EL2 has no region for it is tested where the CPU is.)"""
        reach = {"neighbour": store(0x10000000, 1), "layer": store(0x7f300000, 1),
                 "nobody": store(0x30000000, 1),
                 "run": [0xd2a20002, 0xd61f0040]}  # mov x2, #0x10000000; br x2
        for extra in ("", ",msa=mmu"):
            offenders = (word for n, (name, code) in enumerate(reach.items()) for word in
                         self.domain(name, 0x12000000 + 0x1000000 * n,
                                     code + say(self.UART, name + " won"), extra))
            done, _ = self.run_domains(
                "-M", "fvp-baser", *self.domain("good", 0x10000000, SPIN), *offenders,
                "--sched", "rr,slice=1ms", "--limit-time", "20ms")
            killed = re.findall(r"domain (\w+): killed: ([\w-]+) .* address 0x(\w+) ", done.stderr)
            self.assertEqual(dict((name, (what, at)) for name, what, at in killed), {
                "neighbour": ("data-abort-lower", "10000000"),
                "layer": ("data-abort-lower", "7f300000"),
                "nobody": ("data-abort-lower", "30000000"),
                "run": ("instruction-abort-lower", "10000000")})
            self.assertNotIn("won", done.stdout)
            self.assertEqual(done.returncode, 124, done.stderr)  # The other one goes on.

    def test_hypercalls_reach_no_memory_but_the_callers(self):
        """By frame or address: a neighbour's memory, the layer's, nobody's."""
        own, secret = 0x12100000, b"A SECRET"
        victims = {"neighbour": 0x10800000, "layer": 0x7f300000, "nobody": 0x30000000}

        def calls(at):
            """Number and arguments; bytes are put in memory, their address is the argument."""
            pages = [at + 0x1000 * n for n in range(6)]
            frame = [page >> 12 for page in pages]
            copy = struct.pack("<QHHI QHHI HHhxx", own >> 12, 0x7ff0, 0, 0, frame[1], 0x7ff0, 0, 0,
                               16, 0, 0)
            return [
                (12, 7, struct.pack("<HHIQQ", 0x7ff0, 0, 0, 0, frame[0])),  # add_to_physmap
                (18, 0, len(secret), pages[0]),                              # console_io
                (17, 1, pages[2]),                                           # xen_version
                (32, 11, struct.pack("<QIIB", frame[3], 0, 0, 8)),           # init_control
                (24, 5, 0, struct.pack("<Q", pages[4])),                     # register_runstate
                (12, 6, struct.pack("<QQIIH", pages[5], 1, 0, 0, 0x7ff0)),   # populate_physmap
                (20, 5, copy, 1)]                                            # GNTTABOP_copy

        offender = loop(10000)
        for at in victims.values():
            for number, *arguments in calls(at):
                setup = []
                for n, value in enumerate(arguments):
                    if isinstance(value, bytes):
                        offender += put(own, value)
                        value = own
                    setup += mov(n, value)
                # hvc #0xea1; lsr x3, x0, #63; add x1, x1, x3
                offender += setup + mov(16, number) + [0xd401d422, 0xd37ffc03]
                offender += mov(1, ord("0")) + [0x8b030021] + mov(2, self.UART) + [0xb9000041]
        words = [victims["neighbour"] + 0x1000 * page + 8 * n
                 for page in range(6) for n in range(4)]
        fill = [word for at in words for word in put(at, secret)]
        # ldr x4, [x2]; eor x4, x4, x1; orr x5, x5, x4. Then cbz x5 over the complaint.
        check = [word for at in words for word in
                 mov(2, at) + [0xf9400044, 0xca010084, 0xaa0400a5]]
        changed = say(self.UART, "changed") + OFF
        neighbour = (fill + loop(100000) + mov(5, 0) + check +
                     [0xb4000005 | (len(changed) + 1) << 5] + changed +
                     say(self.UART, "intact") + OFF)
        done, _ = self.run_domains(
            "-M", "fvp-baser", *self.domain("good", 0x10000000, neighbour),
            *self.domain("bad", 0x12000000, offender + say(self.UART, "") + OFF))
        self.assertIn("intact", done.stdout, done.stderr)
        self.assertNotIn("SECRET", done.stdout)
        # No domU may use console_io. Of the last three, the first takes any address; the others tell
        # in memory or by a count.
        self.assertIn("bad: " + 3 * "1111000", done.stdout, done.stderr)

    def test_pointer_authentication_is_the_guests(self):
        # msr APIAKeyLo_EL1, xzr; paciza x3
        done, stats = self.run_domains(
            "-M", "fvp-baser",
            *self.domain("a", 0x10000000,
                         [0xd518211f, 0xdac123e3] + say(self.UART, "signed") + OFF))
        self.assertIn("signed", done.stdout, done.stderr)
        self.assertEqual(stats["exit"]["reason"], "power-off")

    def test_regions_are_written_at_each_switch(self):
        trace = self.path / "trace"
        done, stats = self.run_domains(
            "-M", "fvp-baser", *self.domain("a", 0x10000000, SPIN),
            *self.domain("b", 0x12000000, SPIN),
            "--sched", "rr,slice=1ms", "--limit-time", "10ms", "--trace", str(trace),
            "--events", "vcpu-switch,mpu-region")
        self.assertEqual(done.returncode, 124, done.stderr)
        regions = re.findall(r"^cpu\d.*\bmpu-region\b", trace.read_text(), re.M)
        switches = sum(vcpu["switches"] for vcpu in stats["scheduling"])
        self.assertIn(switches, (10, 11))
        # Eight regions of each when it starts, then three at each switch, by PRBAR and PRLAR.
        self.assertEqual(len(regions), 2 * (8 * 2 + 3 * switches))

    def test_register_writes_of_a_switch_take_time(self):
        def spin(*domains, el1="16", extra=""):
            bases = {"a": 0x10000000, "b": 0x12000000}
            _, stats = self.run_domains(
                "-M", "fvp-baser", "--mpu-regions", f"{el1},16",
                *(word for name in domains for word in self.domain(name, bases[name], SPIN, extra)),
                "--sched", "rr,slice=1ms,switch-cycles=0", "--limit-time", "10ms")
            switches = sum(vcpu["switches"] for vcpu in stats["scheduling"])
            return stats["cycles"], stats["instructions"], switches

        # To the first there is nobody to save.
        cycles, instructions, _ = spin("a")
        each, rest = divmod(cycles, instructions)
        self.assertEqual(rest, 4 * (3 * 3 + 3 * 16))
        # Three registers a region; EL1's are saved and loaded as well if they are in use.
        for el1, extra, registers in (("16", "", 3 * 3 + 2 * 3 * 16), ("4", "", 3 * 3 + 2 * 3 * 4),
                                      ("16", ",msa=mmu", 3 * 3)):
            cycles, instructions, switches = spin("a", "b", el1=el1, extra=extra)
            self.assertGreaterEqual(switches, 10)
            first = 4 * (registers + 9) // 2
            charged = 4 * registers * (switches - 1) + first
            self.assertEqual(cycles - each * instructions, charged, (el1, extra))

    def test_too_few_regions_are_refused(self):
        for base in (0x10000000, 0):
            done, _ = self.run_domains("-M", "fvp-baser", "--mpu-regions", "16,7",
                                       *self.domain("a", base, SPIN))
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr,
                             r"8 EL2 MPU regions are needed: 5 of the hypervisor .* has 7")
            self.assertIn("without one of them:\n"
                          "  a has an emulated UART: fits, 7 regions are needed\n", done.stderr)

    def test_there_is_no_one_mpu_to_record(self):
        done, _ = self.run_domains("-M", "fvp-baser", *self.domain("a", 0x10000000, SPIN),
                                   "--record-device", f"mpu={self.path / 'mpu'}")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--record-device mpu: the machine has none", done.stderr)

    def test_the_machines_own_options_are_checked(self):
        for options, words in ((("--gic", "2"), "fvp-baser has a GICv3"),
                               (("-m", "1T"), "from 1 MiB to 8 GiB"),
                               (("-m", "17179869183G"), "from 1 MiB to 8 GiB")):
            done, _ = self.run_domains("-M", "fvp-baser", *options,
                                       *self.domain("a", 0x10000000, SPIN))
            self.assertEqual(done.returncode, 2)
            self.assertIn(words, done.stderr)

    def test_domains_may_not_overlap(self):
        done, _ = self.run_domains("-M", "fvp-baser", *self.domain("a", 0x10000000, SPIN),
                                   *self.domain("b", 0x10800000, SPIN))
        self.assertEqual(done.returncode, 2)
        self.assertIn('overlaps that of "a"', done.stderr)


if __name__ == "__main__":
    unittest.main()
