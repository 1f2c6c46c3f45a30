#!/usr/bin/env python3
"""Boots a scenario here and on QEMU, from the same images and device tree, and compares consoles.

    compare_qemu.py SCENARIO [--gic 2|3] [--cpu MODEL] [--icount] [--all] [--keep FOLDER]

The scenario's script is played on both. Timestamps are dropped and what differs from run to run
(clock, entropy, counts of interrupts) is masked; then every line that one console has and the other
has not must match a difference that docs/qemu-differences.md explains. Exit code 1 if one does not.
"""
import argparse
import collections
import os
import pathlib
import re
import select
import subprocess
import sys
import tempfile
import time
import tomllib

from runs import TOP, TRAPLINE

MODULE_FILES = {"multiboot,kernel": "vmlinuz", "multiboot,ramdisk": "initramfs.cpio.gz"}
TIMEOUT = 240  # Seconds for one QEMU run on a busy host.

# What two runs of QEMU differ in as well, or what measures the host: replaced in both consoles.
MASKS = [
    (r"\x1b\[6n", ""),                                   # The shell asks where the cursor is.
    (r"\[ *\d+\.\d{6}\] ?", ""),                         # Linux's timestamps
    (r"(setting system clock to) .*", r"\1 TIME"),
    (r"(audit: type=2000 audit\().*?(\))", r"\1TIME\2"),
    (r"(deferred pages initialised in) \d+ms", r"\1 Nms"),
    (r"(Freeing \S+ memory:|Freeing unused kernel memory:) \d+K", r"\1 NK"),
    (r"((?:raid6|xor): .*?)\d+ MB/s(ec)?", r"\1N MB/s"),
    (r"^((?:\(XEN\) )?\s*(?:\d+|IPI\d+|Err):)(?:\s+\d+)+(\s*\S.*|)$", r"\1 N\2"),  # Counts
    (r"(?<!^)\(XEN\) (?=\S)", ""),                       # Xen's label once more, within a line
    (r"\w+# (?=reboot: )", ""),                           # The shell may be quicker than the end.
    (r"(vGIC\w: (?:SGI: )?unhandled) .*", r"\1 WRITES"),  # As many as Xen's rate limit lets through
    (r"(loadtest: cpu \d+) [0-9a-f]{64}", r"\1 SUM"),
]

# (pattern, side, why): docs/qemu-differences.md has a paragraph for each.
EXPLAINED = [
    (r"psci: SMC Calling Convention v1\.[01]", "both", "SMCCC"),
    (r"Memory: \d+K/\d+K available .*reserved", "both", "size of the device tree"),
    (r"ITS: No ITS available", "qemu", "LPIs"),
    (r"detected: 32-bit EL[01] Support", "qemu", "AArch32"),
    (r"\(XEN\)     Exception Levels: EL3:No EL2:64", "both", "AArch32"),
    (r"\(XEN\) 32-bit Execution:", "both", "AArch32"),
    (r"\(XEN\)     (Instruction Sets: AArch32|Extensions: GenericTimer)", "qemu", "AArch32"),
    (r"\(XEN\)   Processor Features: 0{8}0[01]000111 0{16}$", "here", "AArch32"),
    (r"\(XEN\)   Processor Features: 0{8}0[01]000222 0{16}$", "qemu", "AArch32"),
    (r"\(XEN\)   (Processor|Debug|Auxiliary|Memory Model|ISA) Features: 0{8}[0-9a-f]{8}", "qemu",
     "AArch32"),
    (r"\(XEN\) {10,}0{8}[0-9a-f]{8}( 0{8}[0-9a-f]{8})+$", "qemu", "AArch32"),
    (r"\(XEN\) GICv2: \d+ lines", "both", "SPIs of the GICv2"),
    (r"\(XEN\) d\d+v\d+: vGIC\w: .*unhandled WRITES", "both", "Xen's rate limit"),
    (r"hrtimer: interrupt took \d+ ns", "qemu", "the host's clock"),
    (r"^(CPU features: detected|SVE: )", "both-max", "features of max"),
    (r"^ASID allocator initialised with \d+ entries", "both-max", "features of max"),
    (r"^KASLR (disabled due to lack of seed|enabled)", "both-max", "random numbers"),
]


def arguments_of():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario")
    parser.add_argument("--gic", choices=["2", "3"], default="3")
    parser.add_argument("--cpu")
    parser.add_argument("--icount", action="store_true", help="QEMU counts instructions, too")
    parser.add_argument("--all", action="store_true", help="show explained differences as well")
    parser.add_argument("--keep", type=pathlib.Path, help="leave both consoles there")
    return parser.parse_args()


def images_folder():
    found = os.environ.get("TRAPLINE_IMAGES")
    return pathlib.Path(found) if found else pathlib.Path.home() / ".cache/trapline/images"


def run_options(arguments):
    options = [str(TOP / "scenarios" / f"{arguments.scenario}.toml"), "--gic", arguments.gic]
    return options + (["--cpu", arguments.cpu] if arguments.cpu else [])


def qemu_command(arguments, scenario, dtb):
    machine = scenario["machine"]
    virtualization = "on" if machine.get("el", 2) == 2 else "off"
    command = ["qemu-system-aarch64",
               "-M", f"virt,virtualization={virtualization},gic-version={arguments.gic}",
               "-cpu", arguments.cpu or machine["cpu"], "-smp", str(machine["cpus"]),
               "-m", machine["memory"], "-display", "none", "-monitor", "none", "-serial", "stdio",
               "-net", "none", "-dtb", str(dtb)]
    if arguments.icount:
        command += ["-icount", "shift=0,sleep=off"]
    images = images_folder()
    if "boot" in scenario:
        return command + ["-kernel", str(images / "vmlinuz"), "-initrd",
                          str(images / "initramfs.cpio.gz"), "-append", scenario["boot"]["append"]]
    command += ["-kernel", str(images / "xen")]
    source = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", dtb], check=True, text=True,
                            stdout=subprocess.PIPE).stdout
    for address, body in re.findall(r"module@([0-9a-f]+) \{(.*?)\};", source, re.DOTALL):
        for kind, name in MODULE_FILES.items():
            if kind in body:
                command += ["-device",
                            f"loader,file={images / name},addr=0x{address},force-raw=on"]
    return command


class Player:
    """Plays a scenario's script to a process, as UartScript does in virtual time."""

    def __init__(self, steps, process):
        self.steps = collections.deque(steps)
        self.process = process
        self.text = ""
        self.at = 0

    def feed(self, data):
        self.text += data.decode(errors="replace").replace("\r", "")
        while self.steps and self._matches(self.steps[0]):
            self._send(self.steps.popleft().get("send", ""))

    def _matches(self, step):
        wanted = step.get("expect", [])
        ends = []
        for text in [wanted] if isinstance(wanted, str) else wanted:
            found = self.text.find(text, self.at)
            if found < 0:
                return False
            ends.append(found + len(text))
        self.at = max(ends, default=self.at)
        return True

    def _send(self, text):
        time.sleep(0.3)  # A shell that has just printed its prompt is not yet reading.
        for key in text.encode():
            self.process.stdin.write(bytes([key]))
            self.process.stdin.flush()
            time.sleep(0.01)  # An emulated UART drops what comes faster than its guest reads.


def run_qemu(command, steps):
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, bufsize=0)
    player = Player(steps, process)
    console = b""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        if not select.select([process.stdout], [], [], 1)[0]:
            continue
        data = os.read(process.stdout.fileno(), 65536)
        if not data:
            break
        console += data
        player.feed(data)
    else:
        process.kill()
    process.wait()
    if player.steps:
        sys.exit(f"QEMU did not get to {player.steps[0].get('expect')!r}\n{player.text[-2000:]}")
    return console


def run_here(arguments):
    finished = subprocess.run([TRAPLINE, "run", *run_options(arguments), "--batch"], check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)
    if finished.returncode != 0:
        sys.exit(finished.stderr.decode(errors="replace"))
    return finished.stdout


def whole_lines(console):
    """The console's lines. Xen prints a domain's line at once, where it cuts one of dom0 in two."""
    cut = ""
    for line in console.decode(errors="replace").replace("\r", "").split("\n"):
        head, label, rest = line.partition("(XEN) ")
        if label:
            cut += head
            yield label + rest
        else:
            yield cut + line
            cut = ""
    yield cut


def masked(console):
    """The console's lines by who speaks, so that how domains interleave does not matter."""
    speakers = collections.defaultdict(list)
    for line in whole_lines(console):
        for pattern, replacement in MASKS:
            line = re.sub(pattern, replacement, line)
        speaker = re.match(r"\(XEN\) (DOM\d+: |d\d+v\d+: )?|", line).group(0)
        if line.strip():
            speakers[speaker].append(line.rstrip())
    return speakers


def differences(here, qemu):
    """(side, line) of each line that one side has more often than the other."""
    for speaker in sorted(set(here) | set(qemu)):
        ours, theirs = (collections.Counter(side[speaker]) for side in (here, qemu))
        for side, extra, order in (("here", ours - theirs, here), ("qemu", theirs - ours, qemu)):
            for line in order[speaker]:
                if extra[line] > 0:
                    extra[line] -= 1
                    yield side, line


def explanation(side, line, cpu_max):
    for pattern, known_side, why in EXPLAINED:
        sides = (side, "both", "both-max") if cpu_max else (side, "both")
        if known_side in sides and re.search(pattern, line):
            return why
    return None


def main():
    arguments = arguments_of()
    scenario = tomllib.loads((TOP / "scenarios" / f"{arguments.scenario}.toml").read_text())
    steps = [step for uart in scenario["uart"] for step in uart.get("script", [])]
    with tempfile.TemporaryDirectory(prefix="trapline-compare-") as folder:
        dtb = pathlib.Path(folder) / "machine.dtb"
        subprocess.run([TRAPLINE, "machine", "dtb", *run_options(arguments), "-o", dtb],
                       check=True)
        qemu = run_qemu(qemu_command(arguments, scenario, dtb), steps)
    here = run_here(arguments)
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
        (arguments.keep / "here.log").write_bytes(here)
        (arguments.keep / "qemu.log").write_bytes(qemu)
    unexplained = 0
    for side, line in differences(masked(here), masked(qemu)):
        why = explanation(side, line, arguments.cpu == "max")
        unexplained += why is None
        if why is None or arguments.all:
            print(f"{side}: {line}" + (f"    [{why}]" if why else ""))
    print(f"{unexplained} lines differ without an explanation")
    sys.exit(unexplained > 0)


if __name__ == "__main__":
    main()
