#!/usr/bin/env python3
"""`trapline trace diff` on seeded changes: of one instruction or byte, in code, data, the device tree,
input, an interrupt's time, a device's register. first_divergence.py [unittest arguments].

What it names is held against what others say: the event against the first line in which the two
text traces differ, the instruction against the first one in which the two Tarmac traces do, its
symbol and source line against addr2line. TRAPLINE_GUESTS names the folder of the built guests,
TRAPLINE_ADDR2LINE binutils' program for AArch64."""
import itertools
import os
import pathlib
import re
import struct
import subprocess
import tempfile
import unittest

from runs import TRAPLINE

GUESTS = pathlib.Path(os.environ["TRAPLINE_GUESTS"])
ADDR2LINE = os.environ.get("TRAPLINE_ADDR2LINE", "aarch64-linux-gnu-addr2line")


class Elf:
    """Enough of an ELF64 file to find and change what is in it."""

    def __init__(self, path):
        self.bytes = bytearray(path.read_bytes())
        offset, = struct.unpack_from("<Q", self.bytes, 40)
        size, count = struct.unpack_from("<HH", self.bytes, 58)
        self.sections = [struct.unpack_from("<IIQQQQIIQQ", self.bytes, offset + n * size)
                         for n in range(count)]

    def functions(self):
        """Address and size by name."""
        found = {}
        for section in self.sections:
            if section[1] != 2:  # SHT_SYMTAB
                continue
            strings = self.sections[section[6]][4]
            for at in range(section[4], section[4] + section[5], 24):
                name, info, _, _, value, size = struct.unpack_from("<IBBHQQ", self.bytes, at)
                if info & 15 == 2:  # STT_FUNC
                    end = self.bytes.index(b"\0", strings + name)
                    found[self.bytes[strings + name:end].decode()] = value, size
        return found

    def offset(self, address):
        for section in self.sections:
            if section[1] == 1 and section[2] & 2 and 0 <= address - section[3] < section[5]:
                return section[4] + address - section[3]  # SHT_PROGBITS with SHF_ALLOC
        raise AssertionError(f"no section holds {address:#x}")

    def change_instruction(self, function, mask, value, flip, index=0):
        """Flips bits of the index-th instruction of `function` that is `value` under `mask`."""
        address, size = self.functions()[function]
        for at in range(self.offset(address), self.offset(address) + size, 4):
            word, = struct.unpack_from("<I", self.bytes, at)
            if word & mask == value:
                if index == 0:
                    return struct.pack_into("<I", self.bytes, at, word ^ flip)
                index -= 1
        raise AssertionError(f"{function} has no such instruction")

    def change_bytes(self, old, new):
        assert self.bytes.count(old) == 1 and len(old) == len(new)
        at = self.bytes.index(old)
        self.bytes[at:at + len(old)] = new


# Instructions, by mask and value (DDI 0487 C4.1).
MOVZ = {"mask": 0x7f800000, "value": 0x52800000}


def first_difference(a, b):
    """The first pair of items that differ; None for what the shorter one has not."""
    for pair in itertools.zip_longest(a, b):
        if pair[0] != pair[1]:
            return pair
    return None


def tarmac_instructions(lines):
    """Groups of lines: an instruction, what it did, and the exception before it."""
    group, begun = [], False
    for line in lines:
        if (" IT (" in line or " E " in line) and begun:
            yield group
            group, begun = [], False
        group.append(line)
        begun = begun or " IT (" in line
    yield group


class FirstDivergence(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="trapline-divergence-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def trapline(self, *words, codes):
        done = subprocess.run([TRAPLINE, *map(str, words)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, errors="replace", timeout=300,
                              check=False)
        self.assertIn(done.returncode, codes, done.stdout[-2000:] + done.stderr)
        return done.stdout

    def changed(self, name, **change):
        """A copy of a guest with its change made."""
        elf = Elf(GUESTS / name)
        if "old" in change:
            elf.change_bytes(change["old"], change["new"])
        else:
            elf.change_instruction(**change)
        path = self.folder / "changed" / pathlib.Path(name).name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(elf.bytes)
        return path

    def tarmac(self, run, name, cpu, cpus, to):
        """The lines of the run's instructions up to one, without a file that holds them."""
        pipe = self.folder / f"{name}.tarmac"
        paths = [pipe] if cpus == 1 else [self.folder / f"{name}.tarmac.cpu{n}" for n in range(cpus)]
        for n, path in enumerate(paths):
            if n == cpu:
                os.mkfifo(path)
        command = [TRAPLINE, "run", *map(str, run), "--tarmac", f"{pipe},to={to}", "--uart", "null",
                   "-q"]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL)
        try:
            with open(paths[cpu], encoding="ascii") as lines:
                yield from tarmac_instructions(lines)
        finally:
            process.kill()
            process.wait()

    def check(self, a, b, symbols, symbol, cpu=0, cpus=1):
        """Runs `a` and `b`, which part in the function `symbol` of the ELF `symbols`."""
        traces = []
        for name, run in (("a", a), ("b", b)):
            traces.append(self.folder / f"{name}.trace")
            self.trapline("run", *run, "--trace", traces[-1], "--events", "all", "-q", "--uart",
                          "null", "--log", "off", codes=(0, 1, 3, 124))
        output = self.trapline("trace", "diff", *traces, codes=(1,))

        # The event.
        lines = [trace.read_text().partition("\n\n")[2].splitlines() for trace in traces]
        wanted = first_difference(*lines)
        self.assertIsNotNone(wanted)
        for side, line in zip("ab", wanted):
            if line is not None and not line.startswith("end "):
                self.assertEqual(next(shown for shown in output.splitlines()
                                      if re.match(rf"{side} cpu", shown)), f"{side} {line}")

        # The instruction. Where PC is another, it is named for each side.
        title = re.search(r"^first instruction that differs:(.*)$", output, re.M)
        self.assertIsNotNone(title, output)
        named = re.findall(r"^(?:first instruction that differs:|   [ab]) "
                           r"(cpu(\d+) insn (\d+) pc 0x([0-9a-f]+).*)$", output, re.M)[:2]
        self.assertEqual({int(at[1]) for at in named}, {cpu})
        number = max(int(at[2]) for at in named)
        groups = [self.tarmac(run, name, cpu, cpus, number + 2)
                  for name, run in (("a", a), ("b", b))]
        truth = first_difference(*groups)
        for group in groups:
            group.close()
        self.assertIsNotNone(truth, "the Tarmac traces are equal up to there\n" + output)
        for side, (group, (where, _, insn, pc)) in enumerate(zip(truth, named * 2)):
            line = next(line for line in group if " IT (" in line)
            self.assertEqual(re.search(r" IT \((\d+)\) ([0-9a-f]+):", line).groups(),
                             (insn, pc.zfill(8)), f"{line}{output}")
            if side == 1 and len(named) == 1:
                break

        # Its place.
        where, pc = named[0][0], named[0][3]
        told = subprocess.run([ADDR2LINE, "-e", symbols, "0x" + pc], capture_output=True,
                              text=True, check=True).stdout.strip()
        source = re.sub(r" \(discriminator \d+\)", "", told).rpartition("/")[2]
        begin, size = Elf(symbols).functions()[symbol]
        self.assertLess(int(pc, 16) - begin, size)
        self.assertTrue(where.split(": ")[0].endswith(
            f" {symbol}+{int(pc, 16) - begin:#x} ({source})"), (where, source))
        return output

    # Guests of the board virt.
    def virt(self, image, *options):
        return ["-M", "virt,virtualization=on", "-cpu", "cortex-a57", "-m", "256", "-kernel", image,
                "--limit-time", "1s", *options]

    def test_an_instruction_of_a_guest(self):
        bad = self.changed("exceptions.elf", function="guest_main", **MOVZ, flip=1 << 5)
        self.check(self.virt(GUESTS / "exceptions.elf"), self.virt(bad), bad, "guest_main")

    def test_a_letter_of_a_text(self):
        bad = self.changed("exceptions.elf", old=b"from %s", new=b"fRom %s")
        self.check(self.virt(GUESTS / "exceptions.elf"), self.virt(bad), bad, "print_list")

    def test_an_instruction_of_the_second_cpu(self):
        bad = self.changed("smp.elf", function="secondary", **MOVZ, flip=1 << 5,
                           index=4)
        smp = ("-smp", "4", "--limit-time", "5ms")
        self.check(self.virt(GUESTS / "smp.elf", *smp), self.virt(bad, *smp), bad, "secondary",
                   cpu=1, cpus=4)

    def test_what_a_timer_is_set_to(self):
        """When an interrupt comes, by the instruction that says so."""
        bad = self.changed("timer.elf", function="guest_main", **MOVZ, flip=1 << 6, index=2)
        self.check(self.virt(GUESTS / "timer.elf"), self.virt(bad), bad, "guest_main")

    # The hypervisor with its three guests on fvp-baser.
    def r82(self, changed=None, bootargs="seconds=1", script='send = "h"', name="scenario"):
        images = [changed if changed and changed.name == image else GUESTS / "r82" / image
                  for image in ("r82_hypervisor.elf", "r82_alpha.elf", "r82_beta.elf",
                                "r82_gamma.elf")]
        loads = "".join(f'[[boot.load]]\nfile = "{image}"\n' for image in images[1:])
        path = self.folder / f"{name}.toml"
        path.write_text(f'''[machine]
type = "fvp-baser"
cpu = "cortex-r82"
semihosting = true
[boot]
kernel = "{images[0]}"
append = "{bootargs}"
{loads}
[[uart]]
to = "null"
[[uart]]
index = 1
to = "null"
[[uart.script]]
expect = "beta: started"
{script}
[limits]
time = "3s"
''')
        return [path]

    def test_an_instruction_of_a_hypervisor(self):
        bad = self.changed("r82/r82_hypervisor.elf", function="interrupts_take", **MOVZ, flip=1 << 5)
        self.check(self.r82(), self.r82(bad, name="other"), bad, "interrupts_take")

    def test_an_instruction_of_one_of_its_guests(self):
        bad = self.changed("r82/r82_alpha.elf", function="checksum", **MOVZ, flip=1 << 5, index=1)
        output = self.check(self.r82(), self.r82(bad, name="other"), bad, "checksum")
        # The checksum shows only once it is printed.
        self.assertIn("registers were equal again at", output)

    def test_a_letter_of_one_of_its_guests(self):
        bad = self.changed("r82/r82_gamma.elf", old=b": started", new=b": stArted")
        self.check(self.r82(), self.r82(bad, name="other"), bad, "print")

    def test_a_byte_of_a_uart_script(self):
        self.check(self.r82(), self.r82(script='send = "i"', name="other"),
                   GUESTS / "r82/r82_beta.elf", "interrupt")

    def test_the_time_of_an_interrupt(self):
        self.check(self.r82(), self.r82(script='delay = "25ms"\nsend = "h"', name="other"),
                   GUESTS / "r82/r82_hypervisor.elf", "interrupts_take")

    def test_a_byte_of_the_device_tree(self):
        self.check(self.r82(), self.r82(bootargs="seconds=2", name="other"),
                   GUESTS / "r82/r82_hypervisor.elf", "number")

    def test_one_register_of_the_machine(self):
        """MPUIR_EL2 says how many regions there are."""
        self.check([*self.r82(), "--mpu-regions", "16,16"], [*self.r82(), "--mpu-regions", "16,17"],
                   GUESTS / "r82/r82_hypervisor.elf", "regions_init")


if __name__ == "__main__":
    unittest.main()
