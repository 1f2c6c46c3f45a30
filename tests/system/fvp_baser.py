"""The fvp-baser board as its own guest finds it (guests/board): fvp_baser.py CASE..."""
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest

TRAPLINE = os.environ["TRAPLINE"]
GUEST = os.environ.get("BOARD_GUEST")
OPTIONS = 0x7FF00000  # kOptions in board.c: end by SYS_CFGCTRL, counter stopped, other CPUs.


class Run:
    def __init__(self, *arguments, power_off=0, stopped=0, others=0):
        with tempfile.TemporaryDirectory() as folder:
            options = pathlib.Path(folder, "options")
            options.write_bytes(struct.pack("<3I", power_off, stopped, others))
            done = subprocess.run(
                [TRAPLINE, "run", "-M", "fvp-baser", "--semihosting", "--limit-time", "10s",
                 "-kernel", GUEST, "--load", f"{options}@{OPTIONS:#x}", *arguments],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.code = done.returncode
        self.output = done.stdout
        self.errors = done.stderr
        found = re.search(r"digest ([0-9a-f]+)", done.stderr)
        self.digest = found and found.group(1)


class Board(unittest.TestCase):
    def check(self, run, tests):
        self.assertEqual(run.code, 0, run.output + run.errors)
        self.assertNotIn("not ok", run.output)
        self.assertIn(f"\n1..{tests}\n", run.output)

    def test_one_cpu(self):
        run = Run()
        self.check(run, 44)
        self.assertEqual(run.digest, Run("--uart", "1=null", "--uart", "2=null").digest)

    def test_eight_cpus_leave_reset_together(self):
        self.check(Run("-smp", "8", others=7), 51)

    def test_el1(self):
        self.check(Run("--el", "1"), 43)

    def test_counter_as_hardware_starts_it(self):
        self.check(Run("--counter", "hardware", stopped=1), 46)

    def test_small_memory(self):
        run = Run("-m", "512M")
        self.assertEqual(run.code, 2)
        self.assertIn("is outside RAM (0x0-0x1fffffff, 0x80000000-0x8403ffff", run.errors)

    def test_power_off_by_the_board(self):
        run = Run(power_off=1)
        self.check(run, 44)
        self.assertIn("trapline: power-off", run.errors)
        self.assertNotIn("did not power off", run.output)

    def test_lines_of_the_other_uarts_are_named(self):
        output = Run().output
        for uart in (1, 2, 3):
            self.assertIn(f"\nuart{uart}: hello from UART {uart}\n", "\n" + output)

    def test_uarts_to_files(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "uart2.log")
            run = Run("--uart", f"2=file:{path}", "--uart", "3=null")
            self.assertEqual(path.read_text(), "hello from UART 2\n")
        self.assertIn("uart1: hello", run.output)
        self.assertNotIn("hello from UART 2", run.output)
        self.assertNotIn("hello from UART 3", run.output)

    def test_reset_vector_in_flash(self):
        """Every CPU starts there: from_flash returns to address 0, which starts the guest."""
        run = Run("--reset-vector", "0x88000000", "--log", "off")
        self.check(run, 44)


# An arm64 Image whose first CPU releases the second one from the spin-table, waits for a sign of it and
# powers the board off:
#       b 1f;  .org 64
#   1:  adr x2, second;  mov x3, #0x7f800;  str x2, [x3, #8];  sev;  adr x4, flag
#   2:  ldr w5, [x4];  cbz w5, 2b
#       mov x6, #0x9c010000;  mov w7, #0xc0800000;  str wzr, [x6, #0xa0];  str w7, [x6, #0xa4];  b .
#   second: mrs x0, mpidr_el1;  and x0, x0, #0xff;  adr x4, flag;  str w0, [x4];  3: wfi;  b 3b
#   flag: .word 0
SPIN_TABLE = struct.pack(
    "<19I", 0x10000182, 0xB2751FE3, 0xF9000462, 0xD503209F, 0x100001C4, 0xB9400085, 0x34FFFFE5,
    0xD2B38026, 0x52B81007, 0xB900A0DF, 0xB900A4C7, 0x14000000, 0xD53800A0, 0x92401C00, 0x10000084,
    0xB9000080, 0xD503207F, 0x17FFFFFF, 0)


class Image(unittest.TestCase):
    def test_is_entered_by_one_cpu(self):
        header = struct.pack("<IIQQQQQQII", 0x14000010, 0, 0, 4096, 0xA, 0, 0, 0, 0x644D5241, 0)
        with tempfile.TemporaryDirectory() as folder:
            image = pathlib.Path(folder, "Image")
            image.write_bytes((header + SPIN_TABLE).ljust(4096, b"\0"))
            done = subprocess.run(
                [TRAPLINE, "run", "-M", "fvp-baser", "-smp", "3", "--limit-time", "1s", "-kernel",
                 str(image)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("trapline: power-off", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
