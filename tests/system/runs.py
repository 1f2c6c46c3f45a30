"""Runs the project's scenarios through the real binary, for the system tests."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
TRAPLINE = os.environ.get("TRAPLINE", str(TOP / "build/release/sim/cli/trapline"))


class Run:
    """One finished run: exit code, what UART 0 said, standard error, statistics."""

    def __init__(self, command, code, console, errors, stats):
        self.command = command
        self.code = code
        self.console = console
        self.errors = errors
        self.stats = stats
        self.lines = console.decode(errors="replace").replace("\r", "").split("\n")

    @property
    def digest(self):
        return self.stats["digest"]

    def interrupt_counts(self, name):
        """The counts of every row of /proc/interrupts whose last word is `name`, by row and CPU.
        Xen labels the lines of all domains but dom0."""
        row = re.compile(r"^(?:\(XEN\) )?\s*\w+:((?:\s+\d+)+)\s+\S.*\s" + re.escape(name) +
                         "$")
        return [[int(count) for count in match.group(1).split()]
                for match in map(row.search, self.lines) if match]

    def explain(self):
        return (f"{' '.join(self.command)}\nexit code {self.code}\n{self.errors}"
                "--- the console's last lines\n" + "\n".join(self.lines[-30:]))


class Started:
    """A run that goes on by itself until finish()."""

    def __init__(self, scenario, *options, console_file=False, environment=None):
        self.folder = tempfile.TemporaryDirectory(prefix="trapline-system-")
        folder = pathlib.Path(self.folder.name)
        self.stats = folder / "stats.json"
        self.console = folder / "console"
        self.errors = folder / "errors"
        self.command = [TRAPLINE, "run", str(TOP / "scenarios" / f"{scenario}.toml"), "--batch",
                        "--stats", str(self.stats), *options]
        if console_file:
            self.command += ["--uart", f"file:{self.console}"]
        with open(self.errors, "wb") as errors, \
                open(folder / "stdout" if console_file else self.console, "wb") as output:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=errors, env={**os.environ,
                                                                **(environment or {})})

    def finish(self):
        code = self.process.wait()
        written = self.stats.read_text() if self.stats.exists() else ""
        stats = json.loads(written) if written else {}  # A run that crashed leaves it empty.
        run = Run(self.command, code, self.console.read_bytes(),
                  self.errors.read_text(errors="replace"), stats)
        self.folder.cleanup()
        return run


def run(scenario, *options, **more):
    return Started(scenario, *options, **more).finish()


class SystemTest(unittest.TestCase):
    """A test of whole runs. What went wrong is shown with the end of the console."""

    def assert_ended_well(self, finished):
        """Exit code 0: the scenario's script was played and its expectations were met."""
        self.assertEqual(finished.code, 0, finished.explain())

    def assert_lines(self, finished, *patterns):
        """Every pattern is found in some line, each after the one before."""
        at = 0
        for pattern in patterns:
            while at < len(finished.lines) and not re.search(pattern, finished.lines[at]):
                at += 1
            self.assertLess(at, len(finished.lines), f"no {pattern!r}\n{finished.explain()}")
            at += 1

    def assert_interrupts(self, finished, name, rows, cpus=1):
        """`rows` Linuxes showed interrupts of `name`, each of their CPUs having taken some."""
        counts = finished.interrupt_counts(name)
        self.assertEqual([len(row) for row in counts], [cpus] * rows, finished.explain())
        for row in counts:
            self.assertGreater(min(row), 0, f"{name}: {counts}\n{finished.explain()}")

    def assert_same_run(self, first, *others):
        for other in others:
            self.assert_ended_well(other)
            self.assertEqual(other.console, first.console, other.explain())
            for key in ("digest", "instructions", "cycles", "virtual_ns", "exceptions", "cpus"):
                self.assertEqual(other.stats[key], first.stats[key],
                                 f"{key} differs\n{other.explain()}")
