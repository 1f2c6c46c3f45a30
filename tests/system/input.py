#!/usr/bin/env python3
"""Input that is typed at a terminal, or comes through a pipe, can be replayed exactly.

input.py TRAPLINE [unittest arguments]. The guest is a handful of instructions, made here: it echoes
UART 0 and switches the machine off on 'q'. No images are needed."""
import os
import pty
import random
import struct
import subprocess
import sys
import tempfile
import time
import tty
import unittest

TRAPLINE = sys.argv.pop(1) if len(sys.argv) > 1 else "trapline"

ECHO = [
    0xD2A12001,  # movz x1, #0x900, lsl #16    UART0
    0x52806022,  # movz w2, #0x301             UARTEN, TXE, RXE
    0xB9003022,  # str w2, [x1, #0x30]         UARTCR
    0xB9401823,  # loop: ldr w3, [x1, #0x18]   UARTFR
    0x3727FFE3,  # tbnz w3, #4, loop           RXFE
    0xB9400024,  # ldr w4, [x1]
    0xB9000024,  # str w4, [x1]
    0x7101C49F,  # cmp w4, #'q'
    0x54FFFF61,  # b.ne loop
    0xD2800100,  # movz x0, #8                 SYSTEM_OFF
    0xF2B08000,  # movk x0, #0x8400, lsl #16
    0xD4000003,  # smc #0
]


class Input(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="trapline-input-")
        self.image = self.path("echo.bin")
        with open(self.image, "wb") as image:
            image.write(b"".join(struct.pack("<I", word) for word in ECHO))

    def tearDown(self):
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def command(self, *options):
        return [TRAPLINE, "run", "-M", "virt", "--load", f"{self.image}@0x40200000", "--entry",
                "0x40200000", "--timeout", "60", *options]

    @staticmethod
    def digest(errors):
        return errors.decode().rsplit("digest ", 1)[1].split()[0]

    def replay(self, *options):
        again = subprocess.run(self.command("--replay-input", self.path("input"), *options),
                               stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
        return again

    def type_at_terminal(self, keys, *options, wait_for=b""):
        """A session at a pseudo-terminal; keys arrive at random times, the last one when `wait_for` was
        put out. Its output and digest."""
        master, slave = pty.openpty()
        tty.setraw(slave)
        session = subprocess.Popen(self.command("--record-input", self.path("input"),
                                                "--interactive", *options),
                                   stdin=slave, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.close(slave)
        before = b""
        for n, key in enumerate(keys):
            time.sleep(random.uniform(0, 0.15))
            while n == len(keys) - 1 and wait_for not in before:
                byte = os.read(session.stdout.fileno(), 1)
                self.assertTrue(byte, "the session has ended")
                before += byte
            os.write(master, key)
        output, errors = session.communicate(timeout=100)
        os.close(master)
        self.assertEqual(session.returncode, 0, errors)
        return before + output, self.digest(errors)

    def check_replay(self, output, digest, *options):
        for _ in range(2):
            again = self.replay(*options)
            self.assertEqual(again.returncode, 0, again.stderr)
            self.assertEqual(again.stdout, output)
            self.assertEqual(self.digest(again.stderr), digest)
            self.assertNotIn(b"another run", again.stderr)

    def test_keys_at_a_terminal(self):
        keys = [b"a", b"hello ", b"\r", b"w", b"xyz", b"q"]
        output, digest = self.type_at_terminal(keys)
        self.assertEqual(output.replace(b"\n", b""), b"".join(keys).replace(b"\n", b""))
        self.check_replay(output, digest)

    def test_keys_for_four_cpus(self):
        output, digest = self.type_at_terminal([b"one", b"two", b"q"], "--smp", "4")
        self.check_replay(output, digest, "--smp", "4")

    def test_the_user_quits(self):
        output, digest = self.type_at_terminal([b"bye", b"\x01", b"x"], wait_for=b"bye")
        self.assertIn(b"bye", output)
        self.check_replay(output, digest)

    def test_a_pipe(self):
        command = self.command("--batch", "--record-input", self.path("input"))
        live = subprocess.run(command, input=b"through a pipe: q", capture_output=True, timeout=100)
        self.assertEqual(live.returncode, 0, live.stderr)
        self.assertEqual(live.stdout, b"through a pipe: q")
        self.check_replay(live.stdout, self.digest(live.stderr))

    def test_a_scenario_names_its_input(self):
        live = subprocess.run(self.command("--batch", "--record-input", self.path("input")),
                              input=b"q", capture_output=True, timeout=100)
        with open(self.path("s.toml"), "w") as scenario:
            scenario.write('[input]\nreplay = "input"\n[boot]\nentry = 0x40200000\n[[boot.load]]\nfile = "echo.bin"\n'
                           'address = 0x40200000\n')
        again = subprocess.run([TRAPLINE, "run", self.path("s.toml")], stdin=subprocess.DEVNULL,
                               capture_output=True, timeout=100)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertEqual(self.digest(again.stderr), self.digest(live.stderr))

    def test_runs_with_other_input_are_compared(self):
        """`trace diff` does the sessions again from what was recorded of them."""
        live = subprocess.run(self.command("--batch", "--record-input", self.path("a")),
                              input=b"one two q", capture_output=True, timeout=100)
        self.assertEqual(live.returncode, 0, live.stderr)
        with open(self.path("a")) as a, open(self.path("b"), "w") as b:
            b.write(a.read().replace("byte=0x77", "byte=0x6f"))
        for name in "ab":
            again = subprocess.run(self.command("--replay-input", self.path(name), "--trace",
                                                self.path(name + ".ttb")),
                                   stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
            self.assertEqual(again.returncode, 0, again.stderr)
            if name == "a":
                self.assertEqual(self.digest(again.stderr), self.digest(live.stderr))
        found = subprocess.run([TRAPLINE, "trace", "diff", self.path("a.ttb"), self.path("b.ttb")],
                               capture_output=True, text=True, timeout=100)
        self.assertEqual(found.returncode, 1, found.stderr)
        # ldr w4, [x1]
        self.assertRegex(found.stdout, r"first instruction that differs: cpu0 insn \d+ pc "
                                       r"0x40200014: x4\n +x4 +a 0x0+77  b 0x0+6f\n")

    def test_a_session_is_compared_by_its_recording(self):
        for name, key in (("a", b"x"), ("b", b"y")):
            self.type_at_terminal([b"k", key, b"q"], "--trace", self.path(name + ".ttb"))
            os.rename(self.path("input"), self.path(name))
        again = [f"--rerun-{name}=" + " ".join(self.command("--replay-input", self.path(name))[2:])
                 for name in "ab"]
        found = subprocess.run([TRAPLINE, "trace", "diff", self.path("a.ttb"), self.path("b.ttb"),
                                *again], capture_output=True, text=True, timeout=100)
        self.assertEqual(found.returncode, 1, found.stderr)
        self.assertIn("first instruction that differs: cpu0 insn", found.stdout)

    def test_another_run_is_named(self):
        subprocess.run(self.command("--batch", "--record-input", self.path("input")), input=b"q",
                       capture_output=True, timeout=100)
        again = self.replay("--cpu", "cortex-a72")
        self.assertIn(b"was recorded from another run; it differs in cpu", again.stderr)

    def test_what_is_no_recording_is_refused(self):
        with open(self.path("input"), "wb") as file:
            file.write(b"trapline-trace 1\nmachine virt\nevents uart-line\n\n")
        again = self.replay()
        self.assertEqual(again.returncode, 2)
        self.assertIn(b"no recording of input", again.stderr)


if __name__ == "__main__":
    unittest.main()
