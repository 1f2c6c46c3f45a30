#!/usr/bin/env python3
"""`trapline test` and `trapline trace`, on a guest that takes milliseconds."""
import csv
import io
import json
import os
import pathlib
import re
import resource
import struct
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
        self.assertIn("only this one can be run", output)
        self.assertNotIn("argument.", golden.read_text())
        # Another scenario than then: both can be run.
        scenario = self.path / "a.toml"
        scenario.write_text(scenario.read_text().replace("el = 2", 'el = 2\nmemory = "64M"'))
        self.assertIn(f"trapline trace diff OLD.toml {scenario}", self.run_suite(code=1))

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

    def test_results_that_cannot_be_written_are_one_line_and_exit_code_2(self):
        self.run_suite("--update", code=0)
        for path, why in (("/dev/full", "No space left on device"), ("/no/such/x", "No such file")):
            done = subprocess.run([TRAPLINE, "test", "--junit", path, str(self.path)],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, rf"^trapline: {path}: {why}.*\n$")

    def test_an_update_that_fails_leaves_the_old_golden_trace(self):
        self.run_suite("--update", code=0)
        golden = self.path / "a.trace"
        before = golden.read_bytes()
        # The run's own compressed trace fits, its text does not.
        done = subprocess.run([TRAPLINE, "test", "--update", str(self.path)], capture_output=True,
                              text=True, timeout=60, preexec_fn=with_files_up_to(len(before) - 1))
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("File too large", done.stdout)
        self.assertEqual(golden.read_bytes(), before)
        self.assertFalse((self.path / "a.trace.new").exists())

    def test_bad_usage_is_one_line_and_exit_code_2(self):
        for options in (["--shard", "4/3"], ["--shard", "x"], ["-j", "0"]):
            done = subprocess.run([TRAPLINE, "test", *options, str(self.path)],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, options)
            self.assertTrue(re.fullmatch(r"trapline: .*\n", done.stderr), done.stderr)
        done = subprocess.run([TRAPLINE, "test", str(self.path / "none.toml")],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 2)


def with_files_up_to(size):
    """For preexec_fn: a disk on which each file can have `size` bytes."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


class Trace(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)

    def trapline(self, *words, code=0):
        done = subprocess.run([TRAPLINE, *map(str, words)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def run_guest(self, letter, *options, code=0):
        image = self.path / f"{letter}.bin"
        image.write_bytes(guest(letter))
        return self.trapline("run", "--el", "2", "--load", f"{image}@0x40080000", "--entry",
                             "0x40080000", "--uart", "null", *options, code=code)

    def test_both_forms_hold_the_same(self):
        text, binary = self.path / "a.trace", self.path / "a.ttb"
        for trace in (text, binary):
            self.run_guest("A", "--trace", trace, "--events", "all")
        self.assertEqual(self.trapline("trace", "convert", binary).stdout, text.read_text())
        self.assertIn("so are the digests", self.trapline("trace", "diff", text, binary).stdout)
        self.assertIn("mmio", self.trapline("trace", "stats", binary).stdout)
        shown = self.trapline("trace", "show", binary, "--events", "uart-line").stdout
        self.assertIn('text="A"', shown)
        self.assertNotIn("mmio", shown)

    def test_a_difference_names_the_images_and_the_event(self):
        a, b = self.path / "a.ttb", self.path / "b.ttb"
        self.run_guest("A", "--trace", a, "--events", "all")
        self.run_guest("B", "--trace", b, "--events", "all")
        output = self.trapline("trace", "diff", a, b, code=1).stdout
        self.assertRegex(output, r"a image.load0 [0-9a-f]{32} A.bin")
        self.assertRegex(output, r"event \d+ differs in value")
        self.assertRegex(output, r"\na cpu0 EL2 vmid 0 insn 2 .* mmio write=1 .*value=0x41\n")

    def test_a_difference_names_the_instruction(self):
        a, b = self.path / "a.ttb", self.path / "b.ttb"
        self.run_guest("A", "--trace", a)
        self.run_guest("B", "--trace", b)
        output = self.trapline("trace", "diff", a, b, code=1).stdout
        self.assertIn("first instruction that differs: cpu0 insn 1 pc 0x40080004: instruction, x1\n"
                      "   x1      a 0x0000000000000041  b 0x0000000000000042\n", output)
        self.assertRegex(output, r"\na  cpu0 EL2 insn 1  0000000040080004 d2800821  MOVZ     x1, #0x41")
        self.assertNotIn("instruction", self.trapline("trace", "diff", a, b, "--events-only",
                                                      code=1).stdout)

    def test_memory_that_is_used_too_often_is_not_watched_to_the_end(self):
        """A word is read four million times; then the one beside it, which differs."""
        code = words([0xd2a80120, 0xd2a00782, 0xd2a12003, 0xb9400001, 0xf1000442, 0x54ffffc1,
                      0x39402001, 0xb9000061, 0x52800141, 0xb9000061, 0xd2800100, 0xf2b08000,
                      0xd4000003])
        (self.path / "code.bin").write_bytes(code)
        traces = []
        for name, byte in (("a", 0x41), ("b", 0x42)):
            data = self.path / f"{name}.data"
            data.write_bytes(bytes([0] * 8 + [byte]))
            traces.append(self.path / f"{name}.ttb")
            self.trapline("run", "--el", "2", "--load", f"{self.path}/code.bin@0x40080000",
                          "--entry", "0x40080000", "--load", f"{data}@0x40090000", "--uart", "null",
                          "--trace", traces[-1])
        output = self.trapline("trace", "diff", *traces, code=1).stdout
        self.assertIn("pc 0x40080018: x1, memory\n", output)
        self.assertIn("\nmemory that differs, on 1 page, is used so often", output)

    def test_what_cannot_be_done_again_says_why(self):
        a, b = self.path / "a.trace", self.path / "b.trace"
        self.run_guest("A", "--trace", a)
        self.run_guest("B", "--trace", b)

        def why(*options):
            output = self.trapline("trace", "diff", a, b, *options, code=1).stdout
            self.assertIn("event 2 differs", output)
            return output.rpartition("the instruction is not known: ")[2]

        again = f"--el 2 --load '{self.path}/A.bin@0x40080000' --entry 0x40080000"
        self.assertEqual(why("--rerun-a", again + " '"), f"{again} ': a quote has no end\n")
        self.assertRegex(why("--rerun-a", again + " -smp 2"), r"a.trace: .* cpus was '1' and is '2'")
        self.assertIn("nothing to run", why("--rerun-b", "-m 128"))
        text = a.read_text()
        a.write_text(re.sub(r"argument.*\n", "", text))
        self.assertIn("does not say how it was made", why())
        self.assertIn("first instruction that differs", why("--rerun-a", again))
        # A trace that the run does not repeat: as if of another version.
        a.write_text(text.replace("insn 4 cycle 4 ", "insn 4 cycle 3 "))
        self.assertIn("leaves the trace at event 2", why())
        a.write_text(text)
        (self.path / "A.bin").write_bytes(guest("C"))
        self.assertRegex(why(), r"a.trace: it was made of other things: image.load0 was '\S+ A.bin at ")
        (self.path / "A.bin").unlink()
        self.assertIn("No such file", why())

    def test_scenarios_are_compared(self):
        for letter in "AB":
            (self.path / f"{letter}.bin").write_bytes(guest(letter))
            (self.path / f"{letter}.toml").write_text(
                "[machine]\nel = 2\n[boot]\nentry = 0x40080000\n[[boot.load]]\n"
                f'file = "{letter}.bin"\naddress = 0x40080000\n')
        a, b = self.path / "A.toml", self.path / "B.toml"
        self.assertIn("events are equal", self.trapline("trace", "diff", a, a).stdout)
        output = self.trapline("trace", "diff", a, b, code=1).stdout
        self.assertIn(f"a: {a}\nb: {b}\n", output)
        self.assertIn("insn 1 pc 0x40080004: instruction, x1", output)
        done = self.trapline("trace", "diff", a, self.path / "missing.toml", code=2)
        self.assertRegex(done.stderr, r"^trapline: .*missing.toml: .*No such file or directory\n$")

    def test_symbols_stand_behind_the_events(self):
        a, symbols = self.path / "a.ttb", self.path / "System.map"
        self.run_guest("A", "--trace", a)
        symbols.write_text("40080000 T boot\n40080018 T off\n40090000 T end\n")
        plain = self.trapline("trace", "show", a).stdout
        shown = self.trapline("trace", "show", a, "--symbols", symbols).stdout
        self.assertEqual(re.sub("  ; .*", "", shown), plain)
        self.assertRegex(shown, r" cpu-power cpu=0 on=1 pc=0x40080000  ; pc=boot\+0x0\n")
        self.assertRegex(self.trapline("trace", "diff", a, a, "--symbols", symbols).stdout, "equal")
        for bad in ("nothing", f"{symbols},el=7"):
            self.assertRegex(self.trapline("trace", "show", a, "--symbols", bad, code=2).stderr,
                             r"^trapline: .*\n$")

    def check_chrome(self, trace):
        """By the Trace Event Format: what each phase must have, slices of a track in order and apart,
        every track and process with a name. Gives the names of tracks and the events."""
        converted = json.loads(self.trapline("trace", "convert", trace, "--to", "chrome").stdout)
        self.assertEqual(set(converted), {"displayTimeUnit", "traceEvents"})
        self.assertIn(converted["displayTimeUnit"], ("ms", "ns"))
        names, processes, used, ends = {}, {}, set(), {}
        for event in converted["traceEvents"]:
            self.assertIsInstance(event["name"], str)
            self.assertIs(type(event["pid"]), int)
            if event["ph"] == "M":
                self.assertIn(event["name"], ("process_name", "thread_name"))
                of_thread = event["name"] == "thread_name"
                (names if of_thread else processes)[
                    (event["pid"], event["tid"]) if of_thread else event["pid"]] = \
                    event["args"]["name"]
                continue
            self.assertIn(event["ph"], ("X", "i"))
            self.assertIs(type(event["tid"]), int)
            self.assertGreaterEqual(event["ts"], 0)
            track = event["pid"], event["tid"]
            used.add(track)
            if event["ph"] == "i":
                self.assertEqual(event["s"], "t")
                self.assertIsInstance(event["args"], dict)
                continue
            self.assertGreaterEqual(event["dur"], 0)
            self.assertGreaterEqual(event["ts"], ends.get(track, 0) - 1e-3, event)
            ends[track] = event["ts"] + event["dur"]
        self.assertLessEqual(used, set(names))
        self.assertEqual({pid for pid, _ in used}, set(processes))
        return set(names.values()), converted["traceEvents"]

    def test_chrome_and_csv_are_what_they_should_be(self):
        self.run_guest("A", "--trace", self.path / "a.ttb", "--events", "all")
        tracks, _ = self.check_chrome(self.path / "a.ttb")
        self.assertIn("cpu0 EL2", tracks)
        rows = list(csv.reader(io.StringIO(
            self.trapline("trace", "convert", self.path / "a.ttb", "--to", "csv").stdout)))
        self.assertEqual({len(row) for row in rows}, {len(rows[0])})

    def test_chrome_shows_virtual_time(self):
        """Cycles do not pass while a CPU sleeps; time does."""
        lines = ["trapline-trace 1", "cpu-hz 500000000", "cpus 2",
                 "events exception-entry,exception-return,wait,wake,cpu-power,uart-line", "",
                 "cpu0 EL0 vmid 0 insn 0 cycle 0 cpu-power cpu=0 on=1 pc=0x0",
                 "cpu0 EL1 vmid 1 insn 500 cycle 500 wait wfe=0",
                 "cpu0 EL1 vmid 1 insn 500 cycle 500 wake wfe=0 time=9000000",
                 'cpu0 EL1 vmid 1 insn 1000 cycle 1000 uart-line uart=0 text="awake"',
                 "cpu0 EL1 vmid 1 insn 1000 cycle 1000 cpu-power cpu=1 on=1 pc=0x0",
                 'cpu1 EL1 vmid 1 insn 500 cycle 500 uart-line uart=0 text="second"']
        (self.path / "s.trace").write_text("\n".join(lines) + "\n")
        tracks, events = self.check_chrome(self.path / "s.trace")
        self.assertEqual(tracks, {"cpu0 EL1", "cpu1 EL1", "VMID 1"})
        at = {event["args"]["text"]: event["ts"] for event in events if event["name"] == "uart-line"}
        self.assertEqual(at, {"awake": 10, "second": 11})
        self.assertEqual([(event["ts"], event["dur"]) for event in events
                          if event["name"] == "WFI"], [(1, 8)])

    def test_tarmac_has_each_instruction_and_leaves_the_run_alone(self):
        plain, watched = self.path / "plain.json", self.path / "watched.json"
        tarmac = self.path / "a.tarmac"
        self.run_guest("A", "--stats", plain)
        self.run_guest("A", "--stats", watched, "--tarmac", tarmac)
        plain, watched = (json.loads(path.read_text()) for path in (plain, watched))
        self.assertEqual(plain["digest"], watched["digest"])
        lines = [line for line in tarmac.read_text().splitlines() if " IT " in line]
        self.assertEqual(len(lines), plain["instructions"])
        self.run_guest("A", "--tarmac", f"{tarmac},from=2,to=3")
        lines = [line for line in tarmac.read_text().splitlines() if " IT " in line]
        self.assertEqual([line.split()[0] for line in lines], ["2", "3"])

    def covered(self, path):
        """The addresses of a drcov log, by its format (version 2)."""
        head, _, rest = path.read_bytes().partition(b"BB Table: ")
        count, _, table = rest.partition(b" bbs\n")
        self.assertTrue(head.startswith(b"DRCOV VERSION: 2\nDRCOV FLAVOR: drcov\nModule Table: "))
        rows = head.decode().splitlines()[4:]
        bases = {int(row.split(",")[0]): int(row.split(",")[1], 16) for row in rows}
        self.assertEqual(len(table), 8 * int(count))
        return {bases[module] + start + at
                for start, size, module in struct.iter_unpack("<IHH", table)
                for at in range(0, size, 4)}

    def test_coverage_is_what_tarmac_saw_and_leaves_the_run_alone(self):
        drcov, tarmac = self.path / "a.drcov", self.path / "a.tarmac"
        digests = set()
        for options in ([], ["--coverage", drcov], ["--tarmac", tarmac],
                        ["--coverage", drcov, "--tarmac", tarmac],
                        ["--coverage", self.path / "a.info", "--profile",
                         self.path / "a.folded,every=1"]):
            self.run_guest("A", "--stats", self.path / "s.json", *options)
            digests.add(json.loads((self.path / "s.json").read_text())["digest"])
        self.assertEqual(len(digests), 1)
        seen = {int(line.split(" IT (")[1].split()[1].split(":")[0], 16)
                for line in tarmac.read_text().splitlines() if " IT (" in line}
        self.assertEqual(self.covered(drcov), seen)
        folded = (self.path / "a.folded").read_text()
        self.assertRegex(folded, r"^cpu0;EL2;0x40080000 \d+\n$")

    def test_coverage_and_profile_name_their_forms_and_errors(self):
        self.assertRegex(self.run_guest("A", "--coverage", "a.txt", code=2).stderr, "drcov")
        self.assertRegex(self.run_guest("A", "--profile", "a,every=0", code=2).stderr, "every")
        for option in ("--coverage", "--profile"):
            full = self.path / "full.drcov"
            full.symlink_to("/dev/full")
            done = self.run_guest("A", option, full, "-q", "--log", "off", code=2)
            self.assertEqual(done.stderr, f"trapline: {full}: No space left on device\n")
            full.unlink()

    def test_what_cannot_be_read_or_written_is_one_line_and_exit_code_2(self):
        trace = self.path / "a.ttb"
        self.run_guest("A", "--trace", trace)
        bytes_ = bytearray(trace.read_bytes())
        bytes_[len(bytes_) // 2] ^= 1
        (self.path / "bad.ttb").write_bytes(bytes_)
        for name in ("missing", "bad.ttb", "A.bin"):
            for command in (["show"], ["stats"], ["convert"], ["diff", trace]):
                done = self.trapline("trace", *command, self.path / name, code=2)
                self.assertRegex(done.stderr, rf"^trapline: .*{name}: .*\n$")
        for option in ("--trace", "--tarmac"):
            done = self.run_guest("A", option, "/dev/full", "-q", "--log", "off", code=2)
            self.assertEqual(done.stderr, "trapline: /dev/full: No space left on device\n")

    def test_a_full_disk_ends_the_run_and_keeps_what_was_written(self):
        self.run_guest("A", "--trace", self.path / "whole.trace", "--events", "all")
        self.run_guest("A", "--tarmac", self.path / "whole.tarmac")
        for name, option in (("trace", "--trace"), ("tarmac", "--tarmac")):
            whole = (self.path / f"whole.{name}").read_bytes()
            for size in (1, len(whole) // 2, len(whole) - 1):
                cut = self.path / f"cut.{name}"
                done = subprocess.run(
                    [TRAPLINE, "run", "--el", "2", "--load", f"{self.path / 'A.bin'}@0x40080000",
                     "--entry", "0x40080000", "--uart", "null", "--events", "all", "-q", "--log",
                     "off", option, str(cut)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                    timeout=60, preexec_fn=with_files_up_to(size))
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(done.stderr, f"trapline: {cut}: File too large\n")
                self.assertEqual(cut.read_bytes(), whole[:size])
        trace = self.path / "cut.trace"
        trace.write_bytes((self.path / "whole.trace").read_bytes()[:-30])
        self.assertIn("run-end", self.trapline("trace", "show", trace).stdout)

    def test_a_run_does_not_go_on_without_its_trace(self):
        # PSCI_VERSION by SMC, for ever.
        (self.path / "loop.bin").write_bytes(words([0xd2b08000, 0xd4000003, 0x17fffffe]))
        for option in ("--trace", "--tarmac"):
            done = subprocess.run(
                [TRAPLINE, "run", "--el", "2", "--load", f"{self.path / 'loop.bin'}@0x40080000",
                 "--entry", "0x40080000", "--uart", "null", option, "/dev/full", "-q",
                 "--timeout", "60"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=100)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertEqual(done.stderr, "trapline: /dev/full: No space left on device\n")

    def test_a_cut_trace_is_converted_up_to_the_cut(self):
        whole, cut, binary = (self.path / name for name in ("a.trace", "b.trace", "b.ttb"))
        self.run_guest("A", "--trace", whole, "--events", "all")
        cut.write_text(whole.read_text().partition("end digest")[0])
        done = self.trapline("trace", "convert", cut, "--to", "binary", "-o", binary)
        self.assertIn("cut short", done.stderr)
        self.assertEqual(self.trapline("trace", "show", binary).stdout,
                         self.trapline("trace", "show", whole).stdout)

    def test_a_cut_trace_is_read_up_to_the_cut(self):
        trace = self.path / "a.trace"
        self.run_guest("A", "--trace", trace)
        trace.write_text(trace.read_text().partition("end digest")[0])
        done = self.trapline("trace", "show", trace)
        self.assertIn("run-end", done.stdout)
        self.assertIn("cut short", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
