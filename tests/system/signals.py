#!/usr/bin/env python3
"""A signal in the middle of a run: signals.py TRAPLINE [unittest arguments].

The run ends with code 128 + n, and what it leaves behind is whole: the statistics are one JSON object
that says so, the events are whole lines, and they are those of a run that was let go on.
"""
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

TRAPLINE = None
HOST_SECONDS = 60
UART_ON = (0xD2A12001, 0x52802022, 0xB9003022)  # x1 = UART; UARTCR = TXE | UARTEN
SAY_X = (0x52800B02, 0xB9000022)                # UARTDR = 'X'
GUESTS = {
    "computes": (*UART_ON, *SAY_X, 0x91000400, 0x17FFFFFF),         # add x0, x0, #1; b .-4
    "talks": (*UART_ON, *SAY_X, 0x17FFFFFE),                        # b to SAY_X
    # add x0, x0, #1; tbz x0, #12, .-4; SAY_X; back again
    "says little": (*UART_ON, 0x91000400, 0x3667FFE0, *SAY_X, 0x17FFFFFC),
}


class Signals(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="trapline-signals-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def command(self, guest, events, *options):
        kernel = self.folder / "guest"
        words = GUESTS[guest]
        kernel.write_bytes(struct.pack(f"<{len(words)}I", *words))
        return [TRAPLINE, "run", "-m", "64", "--load", f"{kernel}@0x40080000", "--entry",
                "0x40080000", "--uart", "stdio", "--trace", str(self.folder / events),
                "--events", "all", *options]

    def interrupted(self, guest, number):
        """The statistics of a run that was sent the signal once its guest had spoken."""
        stats = self.folder / "stats"
        with subprocess.Popen(self.command(guest, "events", "--stats", str(stats)),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            try:
                self.assertEqual(process.stdout.read(1), b"X")
                process.send_signal(number)
                errors = process.communicate(timeout=HOST_SECONDS)[1].decode()
            finally:
                process.kill()
        self.assertEqual(process.returncode, 128 + number, errors)
        self.assertEqual(len(errors.splitlines()), 1, errors)
        return json.loads(stats.read_text())

    def check(self, guest, number):
        stats = self.interrupted(guest, number)
        self.assertEqual(stats["exit"], {"reason": "user-quit", "code": 128 + number})
        self.assertGreater(stats["instructions"], 0)
        events = self.events("events")
        done = subprocess.run(self.command(guest, "again", "--limit-insns",
                                           str(stats["instructions"])),
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=HOST_SECONDS, check=False)
        self.assertEqual(done.returncode, 124, done.stderr)
        self.assertEqual(events, self.events("again"))

    def events(self, name):
        """The events but for the reason of the end, which is the last."""
        text = (self.folder / name).read_text()
        self.assertTrue(text.endswith("\n"))
        everything, end, _ = text.rpartition("run-end")
        self.assertTrue(end)
        return everything.partition("\n\n")[2]  # The head has the options, limits among them.

    def test_every_polite_signal(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            with self.subTest(number):
                self.check("computes", number)

    def test_every_kind_of_guest(self):
        for guest in GUESTS:
            with self.subTest(guest):
                self.check(guest, signal.SIGTERM)


if __name__ == "__main__":
    TRAPLINE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
