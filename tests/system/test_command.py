#!/usr/bin/env python3
"""`trapline test`: golden traces, counters, shards and JUnit, on a guest that takes milliseconds."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

TRAPLINE = os.environ.get("TRAPLINE", "trapline")


def words(values):
    return b"".join(value.to_bytes(4, "little") for value in values)


def guest(letter):
    """movz x0, PL011; a letter and a line end; PSCI SYSTEM_OFF (0x84000008) by SMC."""
    return words([0xd2a12000, 0xd2800001 | ord(letter) << 5, 0xb9000001, 0xd2800141, 0xb9000001,
                  0xd2800100, 0xf2b08000, 0xd4000003])


class Suite(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        (self.path / "a.bin").write_bytes(guest("A"))
        self.scenario("a", '')

    def scenario(self, name, extra, image="a.bin"):
        (self.path / f"{name}.toml").write_text(f"""
[machine]
el = 2
[[boot.load]]
file = "{image}"
address = 0x40080000
[boot]
entry = 0x40080000
[expect]
exit = "power-off"
trace = "{name}.trace"
{extra}
""")

    def run_suite(self, *options, code):
        done = subprocess.run([TRAPLINE, "test", *options, str(self.path)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_a_golden_trace_is_made_and_then_agrees(self):
        self.assertIn("no such file", self.run_suite(code=1))
        self.run_suite("--update", code=0)
        golden = (self.path / "a.trace").read_text()
        self.assertRegex(golden, r"uart-line uart=0 text=\"A\"")
        self.assertIn("2 passed, 0 failed, 0 not applicable", self.run_suite(code=0))

    def test_a_change_is_named_by_its_first_event(self):
        self.run_suite("--update", code=0)
        golden = self.path / "a.trace"
        golden.write_text(golden.read_text().replace('text="A"', 'text="B"'))
        output = self.run_suite(code=1)
        self.assertIn("differs in text", output)
        self.assertIn('a cpu0 EL2', output)
        self.assertIn('text="B"', output)
        self.assertIn('text="A"', output)

    def test_other_images_make_the_golden_trace_inapplicable_by_name(self):
        self.run_suite("--update", code=0)
        (self.path / "a.bin").write_bytes(guest("C"))
        output = self.run_suite(code=0)
        self.assertIn("made from other images: image.load0", output)
        self.assertIn("1 passed, 0 failed, 1 not applicable", output)

    def test_counters_are_held_to_their_limits(self):
        self.scenario("a", 'counters = ["instructions <= 8", "exceptions.smc == 5"]')
        output = self.run_suite("--update", code=1)
        self.assertIn("exceptions.smc == 5: it is 0", output)
        self.assertNotIn("instructions <= 8: ", output)

    def test_a_run_that_fails_shows_why(self):
        self.scenario("a", 'digest = "0123"')
        output = self.run_suite(code=1)
        self.assertIn("run", output)
        self.assertIn("exit code 1", output)
        self.assertIn("digest", output)

    def test_shards_together_are_the_whole(self):
        for name in ("b", "c", "d", "e"):
            self.scenario(name, "")
        self.run_suite("--update", "-j", "3", code=0)

        def cases(*options):
            report = self.path / "junit.xml"
            self.run_suite("--junit", str(report), "-j", "2", *options, code=0)
            tree = ElementTree.parse(report)
            return [(case.get("classname"), case.get("name")) for case in tree.iter("testcase")]

        whole = cases()
        self.assertEqual(len(whole), 10)
        parts = [cases("--shard", f"{n}/3") for n in (1, 2, 3)]
        self.assertEqual(sorted(whole), sorted(sum(parts, [])))
        self.assertTrue(all(parts))

    def test_bad_usage_is_one_line_and_exit_code_2(self):
        for options in (["--shard", "4/3"], ["--shard", "x"], ["-j", "0"]):
            done = subprocess.run([TRAPLINE, "test", *options, str(self.path)],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, options)
            self.assertTrue(re.fullmatch(r"trapline: .*\n", done.stderr), done.stderr)
        done = subprocess.run([TRAPLINE, "test", str(self.path / "none.toml")],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
