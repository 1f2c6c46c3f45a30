#!/usr/bin/env python3
"""Domains of the hypervisor layer on an MPU machine: isolation by regions alone, the report against
the planner, and the planner's words where regions are too few. mpu_domains.py [unittest arguments].

TRAPLINE_GUESTS names the folder of the built guests/r82."""
import json
import os
import pathlib
import re
import subprocess
import tempfile
import tomllib
import unittest

from runs import TOP, TRAPLINE, SystemTest, run

SCENARIO = "mpu-domains"
MIB = 1 << 20


def scenario():
    """The scenario's domains, with what their memory is in numbers."""
    path = TOP / "scenarios" / f"{SCENARIO}.toml"
    domains = tomllib.loads(path.read_text())["domain"]
    for domain in domains:
        texts = domain["static-mem"]
        pairs = [text.removesuffix("M").split(":") for text in
                 (texts if isinstance(texts, list) else [texts])]
        domain["banks"] = [(int(base, 16), int(size) * MIB) for base, size in pairs]
        domain["kernel"] = re.sub(r"^\$\{[^}]*\}", os.environ["TRAPLINE_GUESTS"], domain["kernel"])
    return domains


def configuration(domains):
    """The same domains as ImageBuilder's configuration."""
    lines = ['XEN="xen"', f"NUM_DOMUS={len(domains)}"]
    for n, domain in enumerate(domains):
        banks = " ".join(f"{base:#x} {size:#x}" for base, size in domain["banks"])
        lines += [f'DOMU_KERNEL[{n}]="{domain["kernel"]}"', f'DOMU_STATIC_MEM[{n}]="{banks}"',
                  f'MPU_DOMU_NAME[{n}]={domain["name"]}',
                  f'MPU_DOMU_PMSA[{n}]={int(domain.get("msa") != "mmu")}']
        if "uart" in domain:
            lines += [f"DOMU_VPL011[{n}]=0", f"MPU_DOMU_DEVICES[{n}]=serial{domain['uart']}"]
    return "\n".join(lines) + "\n"


class Folder(SystemTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name)

    def plan(self, target, *options, domains=None):
        """Exit code and output of the planner for the scenario's domains."""
        (self.path / "xen").write_bytes(bytes(MIB))
        (self.path / "plan.cfg").write_text(configuration(domains or scenario()))
        done = subprocess.run([TRAPLINE, "mpu", "plan", self.path / "plan.cfg", "--target", target,
                               *options], capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, done.stdout

    def planned(self, target, **more):
        code, text = self.plan(target, "--regions", "16", "--json", **more)
        self.assertEqual(code, 0, text)
        return json.loads(text)

    def report(self, *options):
        path = self.path / "report.json"
        finished = run(SCENARIO, "--mpu-report", str(path), *options)
        self.assert_ended_well(finished)
        return finished, json.loads(path.read_text())


class Isolation(Folder):
    def test_a_trespass_ends_the_offender_alone(self):
        """What the guests say to the end is what the scenario expects."""
        finished, document = self.report()
        killed = re.findall(r"^trapline: warning: domain (\w+): killed: (.*)$", finished.errors,
                            re.M)
        self.assertEqual([name for name, _ in killed], ["delta"])
        # A doubleword store, translation fault, level 0: no region of delta's holds the address.
        self.assertRegex(killed[0][1], r"data-abort-lower at PC 0x16[0-9a-f]{6} .* "
                                       r"address 0x10000000 .*ESR 0x93c[01][08]044$")
        faults = [row for row in document["faults"] if row["el"] == 2]
        self.assertEqual([(row["vmid"], row["matches"], row["first_address"], row["times"])
                          for row in faults], [(4, "none", "0x10000000", 1)])

    def test_observers_change_nothing(self):
        finished, _ = self.report()
        plain = run(SCENARIO)
        self.assertEqual(plain.digest, finished.digest)
        self.assertEqual(plain.digest,
                         run(SCENARIO, "--trace", str(self.path / "trace"), "--events",
                             "default,mpu,vcpu-switch").digest)
        # A saved trace gives the same report.
        done = subprocess.run([TRAPLINE, "mpu", "report", self.path / "trace", "--format", "json"],
                              capture_output=True, check=True, text=True)
        live, saved = self.report()[1], json.loads(done.stdout)
        self.assertEqual(saved["switches"], live["switches"])
        self.assertEqual([guest["name"] for guest in saved["guests"]],
                         [guest["name"] for guest in live["guests"]])


class Plan(Folder):
    def slots(self, rows, last):
        """[(slot, first, last address)]"""
        return [(n, int(row["base"], 16), last(row)) for n, row in rows]

    def test_the_report_is_the_plan(self):
        plan = self.planned("layer")
        contexts = {context["name"]: context for context in plan["contexts"]}
        self.assertEqual({name: context["regions"] for name, context in contexts.items()},
                         {"layer": 5, "alpha": 9, "beta": 8, "gamma": 8, "delta": 8})
        _, document = self.report()
        el2 = [mpu for mpu in document["mpus"] if mpu["el"] == 2]
        self.assertEqual({mpu["implemented"] for mpu in el2}, {16})
        self.assertEqual(max(mpu["peak"]["regions"] for mpu in el2), plan["score"]["peak"])
        # Of each domain the very slots, and never more of them.
        self.assertEqual([guest["name"] for guest in document["guests"]],
                         ["alpha", "beta", "gamma", "delta"])
        for guest in document["guests"]:
            context = contexts[guest["name"]]
            self.assertEqual((guest["el2"]["peak"], guest["el2"]["steady"]),
                             (context["regions"], context["regions"]), guest["name"])
            self.assertEqual(
                self.slots([(row["slot"], row) for row in guest["el2"]["set"]],
                           lambda row: int(row["limit"], 16)),
                self.slots(enumerate(context["slots"]),
                           lambda row: int(row["base"], 16) + int(row["size"], 16) - 1))

    def test_each_switch_writes_what_is_planned(self):
        planned = {(row["from"], row["to"]): row for row in self.planned("layer")["switches"]}
        self.check_switches(planned, self.report()[1])
        table = "/".join(f"{name}:1ms" for name in ("delta", "gamma", "beta", "alpha"))
        self.check_switches(planned, self.report("--sched", f"arinc653,table={table}")[1])

    def check_switches(self, planned, document):
        seen = 0
        for row in document["switches"]:
            if row["from"] == -1:
                continue
            plan = planned[row["from_name"], row["to_name"]]
            name, times = (row["from_name"], row["to_name"]), row["times"]
            seen += times
            self.assertEqual(row["el2_writes"], (plan["prbar"] + plan["prlar"]) * times, name)
            self.assertEqual(row["prenr_writes"], plan["prenr"] * times, name)
            el1 = 2 * 16 if plan["el1-regions-loaded"] else 0
            self.assertEqual(row["el1_writes"], el1 * times, name)
            self.assertEqual(row["writes"]["least"], row["writes"]["most"], name)
            # Four cycles for each register: PRSELR as often as PRLAR, and EL1's.
            saved = {pair[1]: p for pair, p in planned.items()}[row["from_name"]]
            registers = plan["prbar"] + 2 * plan["prlar"] + 3 * 16 * (
                plan["el1-regions-loaded"] + saved["el1-regions-loaded"])
            self.assertEqual(row["region_cycles"]["least"], 4 * registers, name)
            self.assertEqual(row["cycles"]["least"], 2000 + 4 * registers, name)
        self.assertGreater(seen, 1000)

    def test_the_planned_scenario_is_the_same_run(self):
        code, text = self.plan("layer", "--output-dir", str(self.path / "out"))
        self.assertEqual(code, 0, text)
        stats = self.path / "stats.json"
        subprocess.run([TRAPLINE, "run", self.path / "out" / "planned.toml", "--batch", "--sched",
                        "rr,slice=2ms", "--limit-time", "5s", "--stats", str(stats)],
                       capture_output=True)
        self.assertEqual(json.loads(stats.read_text())["digest"], run(SCENARIO).digest)


class TooFew(Folder):
    def test_the_planner_says_why(self):
        code, words = self.plan("layer", "--regions", "8")
        self.assertEqual(code, 1)
        why = words[words.index("does not fit"):]
        self.assertIn("the part has 8 regions, this needs 9 (alpha)\n", why)
        self.assertIn("\n  alpha's memory (bank 1) is at 0x20000000: fits, 8 regions are needed\n",
                      why)
        self.assertIn("\n  the part has 8 regions: a part with 9 would do\n", why)
        refused = run(SCENARIO, "--mpu-regions", "16,8")
        self.assertEqual(refused.code, 2)
        first, _, rest = refused.errors.partition("\n")
        self.assertRegex(first, r'^trapline: domain "alpha": 9 EL2 MPU regions are needed: 5 of the '
                                r"hypervisor .* and 4 of its own .* the CPU has 8;")
        self.assertTrue(rest.endswith(why), refused.errors)

    def test_the_change_that_helps_helps(self):
        """Beside alpha's first bank the second takes no region of its own."""
        domains = scenario()
        domains[0]["banks"] = [(0x10000000, 16 * MIB), (0x11000000, MIB)]
        plan = self.planned("layer", domains=domains)
        self.assertEqual(plan["score"]["peak"], 8)
        self.plan("layer", "--regions", "8", "--output-dir", str(self.path / "out"),
                  domains=domains)
        report = self.path / "report.json"
        subprocess.run([TRAPLINE, "run", self.path / "out" / "planned.toml", "--batch",
                        "--limit-time", "50ms", "--mpu-report", report], capture_output=True)
        alpha = json.loads(report.read_text())["guests"][0]
        self.assertEqual((alpha["name"], alpha["el2"]["peak"]), ("alpha", 8))
        self.assertEqual((alpha["el2"]["set"][6]["base"], alpha["el2"]["set"][6]["limit"]),
                         ("0x10000000", "0x110fffff"))

    def test_a_sweep_finds_what_was_planned(self):
        done = subprocess.run([TRAPLINE, "mpu", "sweep", TOP / "scenarios" / f"{SCENARIO}.toml",
                               "--regions", "7..10", "--el1", "16", "--format", "json"],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        swept = json.loads(done.stdout)
        self.assertEqual(swept["first_that_boots"], self.planned("layer")["score"]["peak"])
        self.assertIn("9 EL2 MPU regions are needed", swept["parts"][0]["says"])


class Xen(unittest.TestCase):
    def test_a_pmsa_domain_finds_xenstore_and_console(self):
        kernel = pathlib.Path(os.environ["TRAPLINE_GUESTS"]) / "r82_domain_xen.elf"
        done = subprocess.run(
            [TRAPLINE, "run", "--batch", "-M", "fvp-baser", "--domain",
             f"name=pmsa-guest,kernel={kernel},static-mem=0x18000000:16M,enhanced=on",
             "--limit-time", "5s"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("xenstore calls me pmsa-guest\n", done.stdout.replace("\r", ""))


class Linux(SystemTest):
    def test_beside_a_pmsa_domain(self):
        """Its MMU at EL1, its console and disk from Xen. TRAPLINE_IMAGES has it."""
        finished = run("mpu-linux")
        self.assert_ended_well(finished)
        self.assert_lines(finished, r"Xen 4\.17 support found",
                          r"^xen-devices: device/vbd/51712 connected")


class EarlierPort(Folder):
    """The same domains for the earlier Arm port of Xen: docs/xen-layer.md."""

    def test_the_same_counts_in_each_domain(self):
        layer, port = self.planned("layer"), self.planned("xen-arm")
        for plan in (layer, port):
            plan["of"] = {context["name"]: context["slots"] for context in plan["contexts"]}
        self.assertEqual(set(port["of"]) - set(layer["of"]), {"boot", "idle"})
        self.assertEqual(set(layer["of"]) - set(port["of"]), {"layer"})
        for domain in scenario():
            mine, theirs = layer["of"][domain["name"]], port["of"][domain["name"]]
            self.assertEqual(len(mine), len(theirs), domain["name"])
            for a, b in list(zip(mine, theirs))[5:]:  # Where either lies itself is its own matter.
                self.assertEqual((a["base"], a["size"], a["attributes"]),
                                 (b["base"], b["size"], b["attributes"]))

    def test_the_port_s_device_tree_is_the_same_run(self):
        """The tree that the planner makes for the port, and the files that a boot loader would load."""
        code, text = self.plan("xen-arm", "--output-dir", str(self.path / "out"))
        self.assertEqual(code, 0, text)
        out = self.path / "out"
        boot = tomllib.loads((out / "planned.toml").read_text())["boot"]
        loads = [(out / load["file"], load["address"]) for load in boot["load"]
                 if not load["file"].endswith("xen")]
        self.assertEqual(len(loads), 5)  # Four kernels and beta's partial tree.
        stats = self.path / "stats.json"
        done = subprocess.run(
            [TRAPLINE, "run", "--batch", "-M", "fvp-baser", "--dom0less", out / boot["dtb"],
             *(f"--load={file}@{address:#x}" for file, address in loads), "--sched", "rr,slice=2ms",
             "--limit-time", "5s", "--stats", stats], capture_output=True, text=True)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(json.loads(stats.read_text())["digest"], run(SCENARIO).digest)

    def test_adjoining_banks_are_one_region_of_the_layer_alone(self):
        domains = scenario()
        domains[0]["banks"] = [(0x10000000, 16 * MIB), (0x11000000, MIB)]
        sizes = {target: {context["name"]: context["regions"] for context in
                          self.planned(target, domains=domains)["contexts"]}["alpha"]
                 for target in ("layer", "xen-arm")}
        self.assertEqual(sizes, {"layer": 8, "xen-arm": 9})

    def test_the_same_regions_as_in_a_recorded_run(self):
        """The very domains under the port itself, on 16 regions: as many, and those of the domain
        where they are here. What the guests compute is the same as well."""
        done = subprocess.run(
            [TRAPLINE, "mpu", "report", TOP / "traces/mpu/xen-earlier-domains.ttb", "--names",
             TOP / "traces/mpu/xen-earlier-domains.names", "--format", "json"],
            capture_output=True, check=True, text=True)
        recorded = {guest["name"]: guest["el2"] for guest in json.loads(done.stdout)["guests"]}
        finished, document = self.report()
        mine = {guest["name"]: guest["el2"] for guest in document["guests"]}
        self.assertEqual(set(recorded), set(mine))
        for name, port in recorded.items():
            self.assertEqual((mine[name]["peak"], mine[name]["steady"]),
                             (port["peak"], port["steady"]), name)
            for a, b in list(zip(mine[name]["set"], port["set"]))[5:]:
                self.assertEqual((a["slot"], a["base"], a["limit"]),
                                 (b["slot"], b["base"], b["limit"]), name)
                # Who may: EL1 its memory and its UART, EL2 alone what traps.
                self.assertEqual(a["access"].partition(",")[2], b["access"].partition(",")[2])
        said = subprocess.run([TRAPLINE, "trace", "show", TOP / "traces/mpu/xen-earlier-domains.ttb"],
                              capture_output=True, check=True, text=True).stdout
        words = re.findall(r"\w+: second \d.*interrupt", "\n".join(finished.lines))
        self.assertEqual(len(words), 3 * 3 + 2)  # delta has two seconds.
        for line in words:
            self.assertIn(line, said)


if __name__ == "__main__":
    unittest.main()
