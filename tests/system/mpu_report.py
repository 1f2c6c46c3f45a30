#!/usr/bin/env python3
"""The reports on MPU regions: of recorded runs of the public Xen ports, of the project's own
hypervisor against what that counts itself, and the page against the report's numbers.
mpu_report.py [unittest arguments].

TRAPLINE_GUESTS names the folder of the built guests; CHROMIUM a browser, for the Browser case."""
import csv
import html.parser
import io
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

from runs import TOP, TRAPLINE, SystemTest, run

TRACES = TOP / "traces" / "mpu"


def report(trace, names, form="json"):
    done = subprocess.run([TRAPLINE, "mpu", "report", TRACES / f"{trace}.ttb", "--names",
                           TRACES / f"{names}.names", "--format", form],
                          capture_output=True, check=True, text=True)
    return json.loads(done.stdout) if form == "json" else done.stdout


def mpu(document, el):
    return next(row for row in document["mpus"] if row["el"] == el)


def by_slot(rows):
    return {row["slot"]: row["name"] for row in rows}


class XenPorts(unittest.TestCase):
    """docs/xen-mpu.md; recorded runs of ports that are no part of this project."""

    def writes(self, of, *expected):
        self.assertEqual(tuple(of["writes"][name] for name in ("prbar", "prlar", "prenr")), expected)

    def test_upstream_idle(self):
        el2 = mpu(report("xen-upstream-idle", "xen-upstream"), 2)
        self.assertEqual((el2["implemented"], el2["peak"]["regions"], el2["steady"]["regions"],
                          el2["at_end"], el2["used"]), (16, 10, 8, 8, 10))
        self.writes(el2, 25, 25, 3)
        self.assertEqual(by_slot(el2["peak"]["set"]), {
            0: "xen .text", 1: "xen .rodata",
            2: "xen .data.ro_after_init, .data.read_mostly, .data and 1 more", 3: "xen .init.text",
            4: "xen .init.data, .bss", 5: "UART", 6: "device tree", 7: "static heap", 8: "GICD",
            9: "GICR"})
        at_end = {row["slot"]: row["name"] for row in el2["regions"]
                  if row["last_cycle"] == el2["cycles"]}
        self.assertEqual(at_end, {
            0: "xen .text", 1: "xen .rodata, .note.gnu.build-id, .data.ro_after_init",
            2: "xen .data", 4: "xen .bss", 5: "UART", 7: "static heap", 8: "GICD", 9: "GICR"})
        self.assertEqual(el2["changes"]["rewritten_enabled"], 4)  # 1, 2, 3, 4: docs/xen-mpu.md.
        self.assertEqual(el2["overlaps"], [])

    def test_upstream_idle_with_32_regions(self):
        el2 = mpu(report("xen-upstream-idle-32", "xen-upstream"), 2)
        self.assertEqual((el2["implemented"], el2["peak"]["regions"]), (32, 10))
        self.writes(el2, 41, 41, 3)  # Each unused region is written once.

    def test_upstream_with_a_domain(self):
        document = report("xen-upstream-domu", "xen-upstream")
        el2 = mpu(document, 2)
        self.assertEqual((el2["peak"]["regions"], el2["steady"]["regions"]), (11, 10))
        self.writes(el2, 4120, 4120, 4100)
        self.assertEqual(el2["writes"]["indexed"], 8208)
        passing = [row for row in el2["regions"] if row["slot"] == 10]
        self.assertEqual([(row["name"], row["ranges"], row["mapped"], row["bytes"])
                          for row in passing],
                         [("domU1 kernel image (part)", 1, 3, 4096),
                          ("domU1 RAM (part)", 4096, 4096, 4096)])
        self.assertIn("cpu0 EL2: slot 10 is used for passing mappings of domU1 RAM (part)",
                      [finding["title"] for finding in document["findings"]])

    def test_the_earlier_port_with_two_guests(self):
        document = report("xen-earlier-both", "xen-earlier")
        el2, el1 = mpu(document, 2), mpu(document, 1)
        self.assertEqual((el2["peak"]["regions"], el2["used"], el2["at_end"]), (11, 12, 7))
        self.writes(el2, 11960, 11960, 11931)
        self.writes(el1, 19350, 19350, 2400)
        self.assertEqual({row["slot"] for row in el2["regions"]}, set(range(12)))
        guests = {guest["name"]: guest for guest in document["guests"]}
        self.assertEqual(set(guests), {"domalpha", "domgamma"})
        own = {"domalpha": "domalpha RAM", "domgamma": "domgamma RAM"}
        for name, guest in guests.items():
            self.assertEqual((guest["el2"]["peak"], guest["own_el2_regions"]), (8, 1))
            self.assertEqual(by_slot(guest["el2"]["set"]), {
                0: "xen .text", 1: "xen .rodata",
                2: "xen .data.ro_after_init, .data.read_mostly, .data and 1 more", 3: "xen .bss",
                4: "static heap", 5: "GICD, GICR", 6: own[name], 7: "UART"})
        first = next(row for row in document["switches"] if row["from"] == -1)
        self.assertEqual((first["el1_writes"], first["el2_writes"], first["prenr_writes"]),
                         (32, 74, 7))
        # Saving and loading 16 regions of EL1 for a PMSA guest, none for a VMSA guest.
        pair = {(row["from_name"], row["to_name"]): row for row in document["switches"]}
        to_alpha, to_gamma = pair["domgamma", "domalpha"], pair["domalpha", "domgamma"]
        self.assertEqual(to_alpha["el1_writes"], 32 * to_alpha["times"])
        self.assertEqual(to_gamma["el1_writes"], 0)
        self.assertIn("2 guests run with VMID 0",
                      [finding["title"] for finding in document["findings"]])


class Planned(unittest.TestCase):
    """Layouts that the planner made, built and run with as many regions as it says are needed, and with
    one less: recorded runs. docs/mpu-plan.md."""

    COMMON = """
MEMORY_START=0x0
MEMORY_END=0x80000000
XEN="xen"
MPU_XEN_ADDRESS=0x200000
DOMU_KERNEL[0]="kernel.bin"
DOMU_MEM[0]=16
"""
    UPSTREAM = COMMON + """
NUM_DOMUS=1
MPU_TARGET=xen-upstream
"""
    EARLIER = COMMON + """
NUM_DOMUS=2
DOMU_KERNEL[1]="kernel.bin"
DOMU_MEM[1]=16
DOMU_STATIC_MEM[0]="0x10000000 0x1000000"
DOMU_STATIC_MEM[1]="0x14000000 0x1000000"
MPU_TARGET=xen-arm
MPU_DOMU_PMSA[0]=1
"""

    def planned(self, config):
        """What the planner says is needed, of stand-ins for the images."""
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "xen").write_bytes(bytes(1 << 20))
            (pathlib.Path(folder) / "kernel.bin").write_bytes(bytes(12300))
            path = pathlib.Path(folder) / "plan.cfg"
            path.write_text(config)
            done = subprocess.run([TRAPLINE, "mpu", "plan", path, "--json"], capture_output=True,
                                  check=True, text=True)
        return json.loads(done.stdout)["score"]["peak"]

    def ran(self, port, regions):
        trace = TRACES / f"{port}-planned-{regions}.ttb"
        said = subprocess.run([TRAPLINE, "trace", "show", trace], capture_output=True, check=True,
                              text=True, errors="replace").stdout  # A dying port prints anything.
        of = mpu(report(trace.stem, port), 2)
        self.assertEqual(of["implemented"], regions)
        return of, said

    def test_upstream_with_a_domain(self):
        need = self.planned(self.UPSTREAM)
        enough, said = self.ran("xen-upstream", need)
        self.assertEqual(enough["peak"]["regions"], need)
        self.assertIn("Xen BUG at arch/arm/mpu/p2m.c:15", said)  # As far as the port goes.
        too_few, said = self.ran("xen-upstream", need - 1)
        self.assertEqual(too_few["peak"]["regions"], need - 1)
        self.assertIn("EL2 MPU memory region mapping pool exhausted", said)
        self.assertNotIn("p2m.c:15", said)

    def test_the_earlier_port_with_two_guests(self):
        need = self.planned(self.EARLIER)
        enough, said = self.ran("xen-earlier", need)
        self.assertEqual(enough["used"], need)  # One slot is empty at the peak: docs/xen-mpu.md.
        for guest in ("alpha", "gamma"):
            self.assertIn(f"{guest}: second 1, 100 ticks", said)
        _, said = self.ran("xen-earlier", need - 1)
        self.assertIn("Assertion 'next_xen_mpumap_index < max_xen_mpumap' failed", said)
        self.assertNotIn("started", said)


class Sweep(unittest.TestCase):
    def sweep(self, *options):
        done = subprocess.run([TRAPLINE, "mpu", "sweep", TOP / "scenarios" / "r82-hypervisor.toml",
                               "--format", "json", *options],
                              capture_output=True, check=False, text=True)
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    def test_the_smallest_part_for_three_guests(self):
        """Six EL2 regions are needed at least, eight to change by PRENR alone."""
        code, result = self.sweep("--regions", "5..8", "--el1", "16", "-j", "2")
        self.assertEqual(code, 0, result)
        self.assertEqual(result["first_that_boots"], 6)
        parts = {part["regions"]: part for part in result["parts"]}
        self.assertIn("5 EL2 regions are not enough, 6 are needed", parts[5]["says"])
        self.assertEqual([parts[n]["boots"] for n in (5, 6, 7, 8)], [False, True, True, True])
        self.assertGreater(parts[7]["region_cycles"], parts[8]["region_cycles"])  # Rewriting costs more.

    def test_none_of_them(self):
        code, result = self.sweep("--regions", "3,4")
        self.assertEqual(code, 1)
        self.assertIsNone(result["first_that_boots"])

    def test_bad_lists(self):
        for regions, message in (("9..8", "does not ascend"), ("8..256", "to 255 at most"),
                                 ("x", "none of N, N..M"), ("1..2/0", "does not ascend"), ("", "")):
            with self.subTest(regions):
                code, errors = self.sweep("--regions", regions)
                self.assertEqual(code, 2)
                self.assertIn(message, errors)


class Counters(SystemTest):
    """What guests/r82's hypervisor counts of its own regions and cycles is what the report says."""

    def check(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.json"
            finished = run("r82-hypervisor", "--mpu-report", str(path), *options)
            self.assert_ended_well(finished)
            self.assertEqual(finished.digest, run("r82-hypervisor", *options).digest)
            document = json.loads(path.read_text())
        said = "\n".join(finished.lines)
        for guest in document["guests"]:
            name = guest["name"].removeprefix("r82_")
            el2, el1 = map(int, re.search(
                rf"{name} had (\d+) EL2 regions and (\d+) EL1 regions at most", said).groups())
            self.assertEqual(guest["el2"]["peak"], el2, name)
            # It looks at EL1's when a guest exits; alpha's tasks end before.
            self.assertEqual(guest["el1"]["peak_at_exits"], el1, name)
            self.assertEqual(guest["el1"]["peak"], el1 + (name == "alpha"), name)
        changes = [row for row in document["switches"] if row["from"] != -1]
        counted = map(int, re.search(
            r"(\d+) EL2 writes, (\d+) EL1 writes, (\d+) PRENR writes, (\d+) reads", said).groups())
        for name, count in zip(("el2_writes", "el1_writes", "prenr_writes", "reads"), counted):
            self.assertEqual(sum(row[name] for row in changes), count, name)
        cycles = int(re.search(r"took (\d+) cycles in \d+ stretches", said).group(1))
        self.assertEqual(sum(row["region_cycles"]["sum"] for row in changes), cycles)

    def test_changing_by_prenr(self):
        self.check()

    def test_changing_by_rewriting(self):
        self.check("--mpu-regions", "16,6")


class Coverage(unittest.TestCase):
    """--mpu-coverage on the first instructions of guests/r82's hypervisor."""

    def report(self, *options):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "report.json"
            finished = run("r82-hypervisor", "--limit-insns", "300000", "--mpu-report",
                           str(path), *options)
            return finished.digest, json.loads(path.read_text())

    def test_it_changes_nothing_and_tells_what_was_not_touched(self):
        digest, plain = self.report()
        same_digest, covered = self.report("--mpu-coverage")
        self.assertEqual(same_digest, digest)
        for of in covered["mpus"]:
            for row in of["regions"]:
                touched, untouched = row.pop("touched_bytes"), row.pop("untouched_bytes")
                gaps = row.pop("untouched")
                if row["ranges"] == 1:
                    self.assertEqual(touched + untouched, row["bytes"], row)
                if row.pop("untouched_stretches") <= len(gaps):
                    self.assertEqual(sum(gap["bytes"] for gap in gaps), untouched, row)
                if row["name"].endswith(".text") and of["el"] == 2:
                    self.assertGreater(touched, 0x800)
                    self.assertGreater(untouched, 0x400)  # What ends guests has not run yet.
        self.assertTrue(covered.pop("coverage") and not plain.pop("coverage"))
        for document in (covered, plain):
            document["findings"] = [finding for finding in document["findings"]
                                    if "never accessed" not in finding["title"]]
        self.assertEqual(covered, plain)


class PageReader(html.parser.HTMLParser):
    """Collects the embedded report, the numbers shown and what the page refers to."""

    VOID = {"meta", "link", "br", "hr", "img", "input"}

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.open, self.shown, self.references, self.ids = [], [], [], []
        self.path, self.report = None, ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag not in self.VOID:
            self.open.append(tag)
        self.references += [given[name] for name in ("src", "href") if name in given]
        if "id" in given:
            self.ids.append(given["id"])
        if "data-path" in given:
            self.path = given["data-path"]
            self.shown.append([self.path, ""])

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()
        if tag == "span":
            self.path = None

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.report += data
        elif self.path:
            self.shown[-1][1] += data


def pointed_at(document, path):
    for part in path.strip("/").split("/"):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


class Page(unittest.TestCase):
    CASES = (("xen-upstream-idle", "xen-upstream"), ("xen-upstream-domu", "xen-upstream"),
             ("xen-earlier-both", "xen-earlier"))

    def test_its_numbers_are_the_reports(self):
        for trace, names in self.CASES:
            with self.subTest(trace):
                document = report(trace, names)
                page = PageReader(report(trace, names, "html"))
                self.assertEqual(page.open, [])
                self.assertEqual(json.loads(page.report), document)
                self.assertGreater(len(page.shown), 100)
                for path, shown in page.shown:
                    value = pointed_at(document, path)
                    if isinstance(value, int):
                        shown = shown.replace(" ", "")
                    self.assertEqual(shown, "not known" if value is None else str(value), path)
                # Every region, guest and switch is there.
                paths = {path for path, _ in page.shown}
                for n, of in enumerate(document["mpus"]):
                    self.assertTrue({f"/mpus/{n}/regions/{r}/name" for r in range(len(of["regions"]))}
                                    <= paths)
                for n in range(len(document["switches"])):
                    self.assertIn(f"/switches/{n}/region_cycles/mean", paths)

    def test_it_needs_nothing_else(self):
        page = report(*self.CASES[2], "html")
        read = PageReader(page)
        for reference in read.references:
            self.assertTrue(reference.startswith("#") or reference == "data:,", reference)
            if reference.startswith("#"):
                self.assertIn(reference[1:], read.ids)
        self.assertEqual(len(set(read.ids)), len(read.ids))
        self.assertNotRegex(page, r"https?://|@import|url\(|<script(?! type=\"application/json\")")

    def test_csv_has_every_region(self):
        trace, names = self.CASES[1]
        rows = list(csv.DictReader(io.StringIO(report(trace, names, "csv"))))
        regions = mpu(report(trace, names), 2)["regions"]
        self.assertEqual([(row["slot"], row["name"], row["mapped"]) for row in rows],
                         [(str(row["slot"]), row["name"], str(row["mapped"])) for row in regions])


class Browser(unittest.TestCase):
    def test_no_console_error_and_the_same_numbers(self):
        """At three widths, light and dark: nothing on the console, and the page as rendered holds
        what was written."""
        trace, names = Page.CASES[2]
        written = report(trace, names, "html")
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "page.html"
            path.write_text(written)
            for width in (360, 800, 1400):
                for scheme in (0, 1):  # Dark, light.
                    with self.subTest(f"{width} {scheme}"):
                        done = subprocess.run(
                            [os.environ["CHROMIUM"], "--headless", "--no-sandbox", "--disable-gpu",
                             f"--user-data-dir={folder}/profile", f"--window-size={width},2000",
                             f"--blink-settings=preferredColorScheme={scheme}",
                             "--enable-logging=stderr", "--v=0", "--dump-dom", path.as_uri()],
                            capture_output=True, text=True, timeout=120, check=True)
                        self.assertNotIn("CONSOLE", done.stderr)
                        self.assertEqual(PageReader(done.stdout).shown, PageReader(written).shown)


if __name__ == "__main__":
    unittest.main()
