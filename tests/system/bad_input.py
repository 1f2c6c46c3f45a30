#!/usr/bin/env python3
"""Bad input through the real binary: bad_input.py TRAPLINE [unittest arguments].

Whatever is wrong with a file, an option or an output, the user gets exit code 2 and exactly one line
on standard error that names the culprit and the cause, and nothing on standard output.
"""
import gzip
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

TRAPLINE = None
RAM = 0x40000000
MIB = 1 << 20

# mov w0, #0x84000008 (PSCI SYSTEM_OFF); smc #0; b .
POWER_OFF = struct.pack("<4I", 0x52800100, 0x72B08000, 0xD4000003, 0x14000000)
# x1 = UART, UARTCR = TXE | UARTEN, UARTDR = 'X'.
SAY_X = struct.pack("<5I", 0xD2A12001, 0x52802022, 0xB9003022, 0x52800B02, 0xB9000022)


def image(code=POWER_OFF, image_size=0, text_offset=0, flags=0xA, size=4096):
    """An arm64 Image: 64 bytes of header, the first of which branches to the code."""
    header = struct.pack("<IIQQQQQQII", 0x14000010, 0, text_offset, image_size or size, flags, 0, 0,
                         0, 0x644D5241, 0)
    return (header + code).ljust(size, b"\0")


def elf(segments, entry=RAM + 0x200000, machine=183, bits=64, order="<", e_type=2):
    """An ELF64 of (address, file bytes, memory size) segments; ELF32 has a header only."""
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    if bits == 32:
        return ident + struct.pack(order + "HHIIIIIHHHHHH", e_type, machine, 1, entry, 0, 0, 0, 52,
                                   32, 0, 40, 0, 0)
    offset = 64 + 56 * len(segments)
    data = ident + struct.pack(order + "HHIQQQIHHHHHH", e_type, machine, 1, entry, 64, 0, 0, 64, 56,
                               len(segments), 64, 0, 0)
    content = b""
    for address, file_bytes, memory_bytes in segments:
        data += struct.pack(order + "IIQQQQQQ", 1, 5, offset, address, address, len(file_bytes),
                            memory_bytes, 4096)
        offset += len(file_bytes)
        content += file_bytes
    return data + content


class FlatTree:
    """A flattened device tree, put together by hand so that it can be put together wrongly."""
    BEGIN, END, PROP, NOP, FINISH = 1, 2, 3, 4, 9

    def __init__(self):
        self.structure = b""
        self.strings = b""

    def begin(self, name):
        name = name.encode() + b"\0"
        self.structure += struct.pack(">I", self.BEGIN) + name + bytes(-len(name) % 4)
        return self

    def end(self):
        self.structure += struct.pack(">I", self.END)
        return self

    def prop(self, name, value):
        at = len(self.strings)
        self.strings += name.encode() + b"\0"
        self.structure += struct.pack(">III", self.PROP, len(value), at) + value
        self.structure += bytes(-len(value) % 4)
        return self

    def token(self, value):
        self.structure += struct.pack(">I", value)
        return self

    def blob(self, finish=True, version=17, compatible=16):
        structure = self.structure + (struct.pack(">I", self.FINISH) if finish else b"")
        strings_at = 56 + len(structure)
        total = strings_at + len(self.strings)
        return struct.pack(">10I", 0xD00DFEED, total, 56, strings_at, 40, version, compatible, 0,
                           len(self.strings), len(structure)) + bytes(16) + structure + self.strings


def root():
    tree = FlatTree().begin("")
    return tree.prop("#address-cells", struct.pack(">I", 2)).prop("#size-cells",
                                                                  struct.pack(">I", 2))


def tree(memory=((RAM, 64 * MIB),)):
    flat = root()
    for base, size in memory:
        flat.begin("memory@%x" % base).prop("device_type", b"memory\0")
        flat.prop("reg", struct.pack(">QQ", base, size)).end()
    return flat.end()


class BadInput(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory(prefix="trapline-bad-")
        self.addCleanup(self._folder.cleanup)
        self.folder = pathlib.Path(self._folder.name)

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def kernel(self):
        return self.file("good-kernel", image())

    def run_trapline(self, *arguments, command="run", **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, **options}
        return subprocess.run([TRAPLINE, command, *map(str, arguments)], stderr=subprocess.PIPE,
                              timeout=120, cwd=self.folder, **options)

    def refused(self, *arguments, says=(), **options):
        """The run ends with code 2 and one line that holds every text of `says`."""
        done = self.run_trapline(*arguments, **options)
        text = done.stderr.decode(errors="backslashreplace")
        lines = text.splitlines()
        self.assertEqual(done.returncode, 2, text)
        self.assertEqual(len(lines), 1, text)
        self.assertTrue(lines[0].startswith("trapline: "), text)
        self.assertTrue(lines[0].isprintable(), repr(lines[0]))
        for part in [says] if isinstance(says, str) else says:
            self.assertIn(part, lines[0])
        if done.stdout is not None:
            self.assertEqual(done.stdout, b"")

    def kernel_refused(self, content, *arguments, says):
        path = self.file("bad-kernel", content)
        self.refused("-m", "64", "-kernel", path, *arguments, says=[path, *says])

    def dtb_refused(self, content, *says):
        path = self.file("bad.dtb", content)
        self.refused("-m", "64", "-kernel", self.kernel(), "-dtb", path, says=[path, *says])

    def scenario_refused(self, text, *says):
        path = self.file("bad.toml", text)
        self.refused(path, says=[path, *says])

    def test_the_good_files_of_these_tests_run(self):
        dtb = self.file("good.dtb", tree().blob())
        elf_file = self.file("good.elf", elf([(RAM + 0x200000, POWER_OFF, 4096)]))
        for arguments in (["-kernel", self.kernel()], ["-kernel", elf_file],
                          ["-kernel", self.kernel(), "-dtb", dtb]):
            done = self.run_trapline("-m", "64", *arguments)
            self.assertEqual(done.returncode, 0, done.stderr)


class BadKernel(BadInput):
    def test_missing(self):
        self.refused("-kernel", "no-such-file", says=["no-such-file", "No such file"])

    def test_directory(self):
        self.refused("-kernel", self.folder, says=[str(self.folder), "directory"])

    def test_device_that_never_ends(self):
        self.refused("-kernel", "/dev/zero", says=["/dev/zero", "device"])

    def test_empty(self):
        self.kernel_refused(b"", says=["empty"])

    def test_garbage(self):
        self.kernel_refused(bytes(range(256)) * 16, says=["neither an arm64 Image nor"])

    def test_unreadable(self):
        if os.geteuid() == 0:
            path = "/proc/self/mem"  # Root may read all files, but not this one at offset 0.
        else:
            path = self.kernel()
            os.chmod(path, 0)
        self.refused("-kernel", path, says=[path, "cannot read kernel"])

    def test_truncated_image(self):
        pe = b"PE\0\0" + struct.pack("<HHIIIHH", 0xAA64, 1, 0, 0, 0, 0, 0)
        section = b".text\0\0\0" + struct.pack("<IIIIIIHHI", 8192, 4096, 8192, 4096, 0, 0, 0, 0, 0)
        whole = image()[:60] + struct.pack("<I", 64) + pe + section
        self.kernel_refused(whole.ljust(5000, b"\0"), says=["truncated", ".text"])

    def test_truncated_inside_the_header_is_not_an_image(self):
        self.kernel_refused(image()[:40], says=["neither an arm64 Image nor"])

    def test_truncated_gzip(self):
        packed = gzip.compress(image(code=bytes(range(256)) * 12))
        self.kernel_refused(packed[:-200], says=["gzip"])

    def test_corrupt_gzip(self):
        packed = bytearray(gzip.compress(image(code=bytes(range(256)) * 12)))
        packed[-8] ^= 0xFF
        self.kernel_refused(bytes(packed), says=["gzip data is corrupt"])

    def test_gzip_of_something_else(self):
        self.kernel_refused(gzip.compress(b"hello" * 100), says=["no arm64 Image or ELF inside"])

    def test_other_architectures(self):
        for machine, name in ((62, "x86-64"), (243, "RISC-V"), (21, "machine 21")):
            with self.subTest(machine=machine):
                self.kernel_refused(elf([(RAM, b"x", 1)], machine=machine), says=[name])
        self.kernel_refused(elf([], machine=40, bits=32), says=["32-bit Arm"])
        self.kernel_refused(elf([], machine=183, bits=32), says=["32-bit class"])
        x86 = bytearray(1024)
        x86[0x202:0x206] = b"HdrS"
        self.kernel_refused(bytes(x86), says=["x86 Linux bzImage"])

    def test_big_endian(self):
        self.kernel_refused(elf([(RAM, b"x", 1)], order=">"), says=["big-endian"])
        self.kernel_refused(image(flags=0xB), says=["big-endian"])

    def test_elf_that_is_no_executable(self):
        self.kernel_refused(elf([(RAM, b"x", 1)], e_type=1), says=["not an executable"])

    def test_elf_with_overlapping_segments(self):
        segments = [(RAM + 0x200000, POWER_OFF, 8192), (RAM + 0x201000, POWER_OFF, 4096)]
        self.kernel_refused(elf(segments), says=["segments 0", "1", "overlap"])

    def test_elf_outside_of_ram(self):
        for address in (0, RAM - 4096, RAM + 64 * MIB - 4, 0x09000000, 1 << 63):
            with self.subTest(address=hex(address)):
                segments = [(address, POWER_OFF, 4096)]
                self.kernel_refused(elf(segments, entry=address), says=["outside RAM"])

    def test_elf_whose_segment_wraps_round(self):
        segments = [((1 << 64) - 4096, POWER_OFF, 8192)]
        self.kernel_refused(elf(segments), says=["segment 0", "corrupt"])

    def test_elf_entry_outside_of_ram(self):
        for entry in (0, RAM + 0x200002, (1 << 64) - 4):
            with self.subTest(entry=hex(entry)):
                path = self.file("entry.elf", elf([(RAM + 0x200000, POWER_OFF, 16)], entry=entry))
                self.refused("-m", "64", "-kernel", path, says=["entry point"])

    def test_elf_truncated_anywhere(self):
        whole = elf([(RAM + 0x200000, POWER_OFF * 64, 4096)])
        for size in (4, 5, 16, 40, 63, 64, 80, 119, 120, 121, len(whole) - 1):
            with self.subTest(size=size):
                self.kernel_refused(whole[:size], says=[])

    def test_elf_without_segments(self):
        whole = bytearray(elf([(RAM + 0x200000, POWER_OFF, 4096)]))
        struct.pack_into("<I", whole, 64, 4)  # PT_NOTE
        self.kernel_refused(bytes(whole), says=["nothing to load"])
        self.kernel_refused(elf([]), says=["ELF program headers"])

    def test_elf_with_a_header_that_lies(self):
        whole = bytearray(elf([(RAM + 0x200000, POWER_OFF, 4096)]))
        for name, at, form, value in (("phoff", 32, "<Q", 1 << 62), ("phnum", 56, "<H", 0xFFFF),
                                      ("phentsize", 54, "<H", 1), ("p_offset", 72, "<Q", 1 << 63),
                                      ("p_filesz", 96, "<Q", (1 << 64) - 1),
                                      ("ident version", 6, "<B", 9)):
            with self.subTest(field=name):
                broken = bytearray(whole)
                struct.pack_into(form, broken, at, value)
                self.kernel_refused(bytes(broken), says=[])

    def test_larger_than_ram(self):
        self.kernel_refused(image(image_size=65 * MIB), says=["RAM too small", "-m"])

    def test_image_size_near_the_end_of_the_address_space(self):
        self.kernel_refused(image(image_size=(1 << 64) - 1), says=["RAM too small"])

    def test_image_text_offset_out_of_range(self):
        self.kernel_refused(image(text_offset=1 << 40), says=["text_offset"])

    def test_uncompressible_gzip_bomb_is_refused_by_size(self):
        bomb = gzip.compress(image(size=96 * MIB), compresslevel=9)
        self.kernel_refused(bomb, says=["RAM too small"])


class BadModules(BadInput):
    def test_initrd(self):
        for name, says in (("missing", "No such file"), (".", "directory")):
            self.refused("-kernel", self.kernel(), "-initrd", self.folder / name, says=[says])
        empty = self.file("empty", b"")
        self.refused("-kernel", self.kernel(), "-initrd", empty, says=[empty, "empty"])

    def test_initrd_larger_than_ram(self):
        big = self.file("big", bytes(70 * MIB))
        self.refused("-m", "64", "-kernel", self.kernel(), "-initrd", big, says=[big, "RAM too"])

    def test_initrd_without_kernel(self):
        self.refused("-initrd", self.kernel(), says=["-initrd"])

    def test_loads_that_overlap(self):
        raw = self.file("raw", bytes(8192))
        other = self.file("other", bytes(8192))
        self.refused("-m", "64", "-kernel", self.kernel(), "--load", raw + "@0x42000000", "--load",
                     other + "@0x42001000", says=["overlaps", other, "raw"])

    def test_load_over_the_device_registers(self):
        raw = self.file("raw", bytes(8192))
        for address in ("0x09000000", "0", "0x43fff000", "0xffffffffffffff00"):
            with self.subTest(address=address):
                self.refused("-m", "64", "-kernel", self.kernel(), "--load", f"{raw}@{address}",
                             says=["raw", "outside RAM"])

    def test_load_without_an_address(self):
        raw = self.file("raw", bytes(8192))
        self.refused("-kernel", self.kernel(), "--load", raw, says=[raw, "@ADDRESS"])

    def test_load_without_an_entry(self):
        raw = self.file("raw", bytes(8192))
        self.refused("--load", raw + "@0x40000000", says=[raw, "--entry"])

    def test_entry_nowhere(self):
        for entry in ("0", "0x40000001", "0x9000000", "0xffffffffffffffff"):
            with self.subTest(entry=entry):
                self.refused("-kernel", self.kernel(), "--entry", entry, says=["entry point"])

    def test_domains(self):
        kernel = self.kernel()
        elf_file = self.file("dom.elf", elf([(RAM, POWER_OFF, 16)]))
        for arguments, says in (
                (["--xen", kernel, "--dom0", "kernel=missing"], ["missing", "dom0"]),
                (["--xen", kernel, "--dom0", "memory=1G"], ["dom0", "no kernel"]),
                (["--xen", kernel, "--dom0", f"kernel={kernel},colour=red"], ["colour"]),
                (["--xen", kernel, "--dom0", f"kernel={elf_file}"], [elf_file, "ELF"]),
                (["--xen", kernel, "--dom0", f"kernel={kernel},initrd=gone"], ["gone"]),
                (["--xen", kernel, "--dom0", f"kernel={kernel},memory=4G"], ["RAM too small"]),
                (["--xen", kernel, "--domu", f"name=a,kernel={kernel}"], ["memory"]),
                (["--xen", kernel, "--domu", f"name=a/b,kernel={kernel},memory=64M"], ["a/b"]),
                (["--xen", kernel, "--dom0", f"kernel={kernel}", "--el", "1"], ["EL2"]),
                (["--xen", kernel, "-kernel", kernel], ["-kernel"]),
                (["--dom0", f"kernel={kernel}"], ["--xen"]),
                (["--xen", "gone"], ["gone"])):
            with self.subTest(arguments=arguments):
                self.refused("-m", "1G", *arguments, says=says)

    def test_bad_domain_device_tree(self):
        kernel, bad = self.kernel(), self.file("bad.dtb", tree().blob()[:100])
        self.refused("--xen", kernel, "--domu", f"name=a,kernel={kernel},memory=64M,dtb={bad}",
                     says=[bad])


class BadDeviceTree(BadInput):
    def test_missing_and_empty(self):
        self.refused("-kernel", self.kernel(), "-dtb", "gone.dtb", says=["gone.dtb"])
        self.dtb_refused(b"", "empty")

    def test_bad_magic(self):
        self.dtb_refused(b"\0" + tree().blob()[1:], "device tree")

    def test_truncated_anywhere(self):
        whole = tree().blob()
        for size in (*range(1, 64, 7), *range(64, len(whole), 13)):
            with self.subTest(size=size):
                self.dtb_refused(whole[:size])

    def test_without_memory(self):
        self.dtb_refused(tree(memory=()).blob(), "no memory node")
        self.dtb_refused(tree(memory=((RAM, 0),)).blob(), "no memory node")

    def test_memory_that_the_machine_does_not_have(self):
        for memory in (((RAM, 65 * MIB),), ((0, 64 * MIB),), ((RAM, MIB), (1 << 40, MIB)),
                       ((RAM + MIB, (1 << 64) - MIB),), (((1 << 64) - MIB, 2 * MIB),)):
            with self.subTest(memory=memory):
                self.dtb_refused(tree(memory).blob(), "memory")

    def test_memory_described_twice(self):
        memory = ((RAM, 32 * MIB), (RAM + MIB, 32 * MIB))
        self.dtb_refused(tree(memory).blob(), "twice")

    def test_memory_reg_of_a_wrong_form(self):
        for reg in (b"", b"\0" * 4, b"\0" * 12, b"\0" * 17):
            with self.subTest(reg=reg):
                flat = root().begin("memory@0").prop("device_type", b"memory\0").prop("reg", reg)
                self.dtb_refused(flat.end().end().blob(), "memory@0", "reg")

    def test_cells_out_of_range(self):
        for cells in (0, 3, 5, 0x7FFFFFFF, 0xFFFFFFFF):
            with self.subTest(cells=cells):
                flat = FlatTree().begin("").prop("#address-cells", struct.pack(">I", cells))
                flat.begin("memory@0").prop("device_type", b"memory\0").prop("reg", bytes(16))
                self.dtb_refused(flat.end().end().blob())

    def test_broken_structure(self):
        broken = {
            "no root": FlatTree(),
            "root not closed": root(),
            "closed twice": root().end().end(),
            "unknown token": root().token(7).end(),
            "property after subnode": root().begin("a").end().prop("b", b"c").end(),
            "endless begin": FlatTree().begin("").begin("a").begin("a").begin("a").begin("a"),
        }
        for name, flat in broken.items():
            with self.subTest(name):
                self.dtb_refused(flat.blob())

    def test_no_end(self):
        self.dtb_refused(tree().blob(finish=False))

    def test_header_that_lies(self):
        for name, at in (("totalsize", 4), ("off_dt_struct", 8), ("off_dt_strings", 12),
                         ("off_mem_rsvmap", 16), ("version", 20), ("size_dt_strings", 32),
                         ("size_dt_struct", 36)):
            for value in (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFFFFFC):
                with self.subTest(field=name, value=hex(value)):
                    blob = bytearray(tree().blob())
                    struct.pack_into(">I", blob, at, value)
                    done = self.run_trapline("-m", "64", "-kernel", self.kernel(), "-dtb",
                                             self.file("bad.dtb", bytes(blob)))
                    # Some of these fields may hold anything: then the run succeeds.
                    self.assertIn(done.returncode, (0, 2), done.stderr)
                    self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_single_corrupt_words_never_crash(self):
        whole = tree().blob()
        for at in range(0, len(whole) - 3, 4):
            blob = bytearray(whole)
            struct.pack_into(">I", blob, at, 0xFFFFFFFF)
            done = self.run_trapline("-m", "64", "-kernel", self.kernel(), "-dtb",
                                     self.file("bad.dtb", bytes(blob)))
            self.assertIn(done.returncode, (0, 2), f"offset {at}: {done.stderr}")
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_deep_nesting(self):
        flat = root()
        for _ in range(20000):
            flat.begin("a")
        for _ in range(20000):
            flat.end()
        self.dtb_refused(flat.end().blob(), "device tree")

    def test_larger_than_a_kernel_accepts(self):
        flat = root().prop("x", bytes(3 * MIB)).begin("memory@40000000")
        flat.prop("device_type", b"memory\0").prop("reg", struct.pack(">QQ", RAM, 64 * MIB)).end()
        self.dtb_refused(flat.end().blob(), "2 MiB")


class BadScenario(BadInput):
    def test_missing_empty_directory(self):
        self.refused("gone.toml", says=["gone.toml", "No such file"])
        self.refused(self.folder, says=[str(self.folder), "directory"])
        self.scenario_refused("")

    def test_syntax(self):
        for text in ("[machine", "a = ", "[machine]\ncpus = 1\ncpus = 2\n", "\0\1\2", "\xff\xfe",
                     "a = \"unterminated", "[[a]]\n[a]\n", "[" * 100000, "a = [" + "[" * 5000):
            with self.subTest(text=text[:20]):
                self.scenario_refused(text)

    def test_unknown_keys(self):
        for text, key in (("colour = 1", "colour"), ("[machine]\ncores = 2", "cores"),
                          ("[boot]\nkernal = 'x'", "kernal"), ("[[uart]]\nbaud = 9600", "baud"),
                          ("[xen.dom0]\nkernel = 'x'\nram = '1G'", "ram"),
                          ("[limits]\nwall = 1", "wall"), ("[expect]\nnothing = 1", "nothing"),
                          ("[[uart]]\n[[uart.script]]\nsendd = 'x'", "sendd")):
            with self.subTest(key=key):
                self.scenario_refused(text, key, "unknown")

    def test_types_and_values(self):
        for text in ("[machine]\ncpus = 'four'", "[machine]\ncpus = 0", "[machine]\ncpus = 9",
                     "[machine]\ncpus = 1.5", "[machine]\ngic = 4", "[machine]\nel = 3",
                     "[machine]\nmemory = -1", "[machine]\nmemory = 'lots'", "machine = 3",
                     "[machine]\nquantum = 0", "[machine]\ncpu-hz = 0", "[machine]\ncpu = 7",
                     "[boot]\nkernel = 5", "[boot]\nload = 'x'", "[[boot.load]]\naddress = 1",
                     "uart = 1", "[[uart]]\nto = 'smoke'", "[[uart]]\nindex = 99",
                     "[[uart]]\n[[uart.script]]\nexpect-regex = '('",
                     "[[uart]]\n[[uart.script]]\ntimeout = 'soon'",
                     "[limits]\ninstructions = -5", "[limits]\ntime = []",
                     "[expect]\nexit = 'well'", "[expect]\noutput = [1]",
                     "[output]\nlog = 'loud'"):
            with self.subTest(text=text):
                self.scenario_refused(text)

    def test_unknown_machine_and_cpu(self):
        kernel = self.kernel()
        self.refused("-kernel", kernel, "-M", "raspi", says=["raspi"])
        self.refused("-kernel", kernel, "-cpu", "z80", says=["z80"])
        path = self.file("cpu.toml", f"[machine]\ncpu = 'z80'\n[boot]\nkernel = '{kernel}'\n")
        self.refused(path, says=["z80"])

    def test_unset_environment_variable(self):
        path = self.file("env.toml", "[boot]\nkernel = '${NO_SUCH_VARIABLE}/x'\n")
        self.refused(path, says=["NO_SUCH_VARIABLE"])


class BadCommandLine(BadInput):
    def test_values(self):
        for option, value in (("-smp", "0"), ("-smp", "9"), ("-smp", "x"), ("-smp", "-1"),
                              ("-smp", "99999999999999999999"), ("-m", "x"), ("-m", "-1"),
                              ("-m", ""), ("-m", "1Q"), ("-m", "99999999999999999999G"),
                              ("--gic", "1"), ("--gic", "x"), ("--el", "0"), ("--el", "3"),
                              ("--quantum", "0"), ("--quantum", "x"), ("--cpu-hz", "0"),
                              ("--entry", "here"), ("--entry", "0x1ffffffffffffffff"),
                              ("--limit-insns", "x"), ("--limit-insns", "-1"),
                              ("--limit-time", "soon"), ("--timeout", "x"), ("--log", "loud"),
                              ("--uart", "x"), ("--uart", "99=null"), ("--uart", "file:"),
                              ("--load", ""), ("--load", "x@y"), ("--device", "e1000"),
                              ("--display", "sdl"), ("-M", "virt,secure=on"), ("-M", "")):
            with self.subTest(option=option, value=value):
                self.refused("-kernel", self.kernel(), option, value,
                             says=[option.lstrip("-") if option not in ("-M", "-m") else ""])

    def test_ram_sizes(self):
        for size in ("0", "1K", "4097K", "1025K", "1000000", "255.5G", "1T", "0.0001"):
            with self.subTest(size=size):
                done = self.run_trapline("-kernel", self.kernel(), "-m", size)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_ram_too_small_for_the_image(self):
        self.refused("-m", "1", "-kernel", self.kernel(), says=["RAM too small"])

    def test_usage(self):
        for arguments in ([], ["-kernel"], ["--no-such-option"], ["-kernel", "a", "b", "c"],
                          ["-smp"]):
            with self.subTest(arguments=arguments):
                self.refused(*arguments)
        self.refused("-kernel", "a", "-nographic=certainly", says=["nographic"])
        self.refused("--kernel", "two\nlines", says=["two\\x0alines"])
        self.refused(command="fly", says=["fly"])
        self.refused("fly", command="help", says=["fly"])
        self.refused("dtb", "-o", "/no/such/folder/x", command="machine", says=["/no/such/folder"])


class BadOutput(BadInput):
    def test_statistics(self):
        for path in ("no/such/folder/x.json", "/proc/stats.json", str(self.folder)):
            with self.subTest(path=path):
                self.refused("-kernel", self.kernel(), "--stats", path, says=[path])

    def test_uart_file(self):
        for path in ("no/such/folder/log", "/proc/uart.log", str(self.folder)):
            with self.subTest(path=path):
                self.refused("-kernel", self.kernel(), "--uart", f"file:{path}", says=[path])

    def test_full_device(self):
        talker = self.file("talker", image(code=SAY_X + POWER_OFF))
        for arguments, name in ((["--stats", "/dev/full"], "/dev/full"),
                                (["--uart", "file:/dev/full"], "/dev/full")):
            with self.subTest(arguments=arguments):
                self.refused("-q", "-m", "64", "-kernel", talker, "--uart", "null", *arguments,
                             says=[name, "No space"])
        with open("/dev/full", "wb") as full:
            self.refused("-q", "-m", "64", "-kernel", talker, stdout=full,
                         says=["standard output", "No space"])
            self.refused("dtb", command="machine", stdout=full, says=["No space"])

    def test_closed_standard_output(self):
        talker = self.file("talker", image(code=SAY_X + POWER_OFF))
        done = self.run_trapline("-q", "-m", "64", "-kernel", talker,
                                 preexec_fn=lambda: os.close(1))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)


if __name__ == "__main__":
    TRAPLINE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
