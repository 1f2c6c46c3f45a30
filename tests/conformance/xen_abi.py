#!/usr/bin/env python3
"""The table of every hypercall (guests/xen_abi) under real Xen and under the trap layer.

    xen_abi.py xen    --guests FOLDER --gic 2|3 --trapline PROGRAM    Debian's Xen on Trapline
    xen_abi.py layer  --guests FOLDER --gic 2|3 --trapline PROGRAM    no Xen: the trap layer
    xen_abi.py record --guests FOLDER --gic 2|3 --trapline PROGRAM    Debian's Xen on QEMU

The expected table, expected/xen_abi.txt, was recorded on QEMU. Lines in which Debian's Xen differs on
Trapline stand in differences.toml; lines in which the layer differs, with the reason, in
docs/xen-abi-differences.md. One that is listed and does not occur is an error as well.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import conformance

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED = HERE / "expected" / "xen_abi.txt"
LISTED = HERE.parent.parent / "docs" / "xen-abi-differences.md"
MACHINE = ["-M", "virt", "-cpu", "cortex-a57", "-smp", "1", "-m", "1G"]


def images():
    found = os.environ.get("TRAPLINE_IMAGES")
    return pathlib.Path(found) if found else pathlib.Path.home() / ".cache/trapline/images"


def xen_options(args):
    return [*MACHINE, "--gic", args.gic, "--xen", str(images() / "xen"), "--xen-append",
            "console=dtuart",
            "--dom0", f"kernel={args.guests}/xen_dom0.bin,memory=64M,vcpus=1",
            "--domu", f"name=abi,kernel={args.guests}/xen_abi.bin,memory=128M,vcpus=2"]


def table_of(lines, prefix=""):
    """From the table's first line on. The GIC's version, which it names, is all that depends on it."""
    said = [line[len(prefix):] for line in lines if line.startswith(prefix)]
    return [re.sub(r"^table GICv[23]$", "table", line) for line in said]


def on_trapline(args):
    lines = conformance.run([args.trapline, "run", *xen_options(args), "--limit-time", "60s",
                             "--check", "off", "--batch", "-q"])
    return table_of(lines, "(XEN) DOM1: ")


def under_the_layer(args):
    lines = conformance.run([
        args.trapline, "run", "--domain",
        f"name=abi,kernel={args.guests}/xen_abi.bin,memory=128M,vcpus=2,gic={args.gic},"
        "console=vpl011", "--check", "off",
        "--log", "off", "--limit-time", "60s", "--batch", "-q"])
    return table_of(lines)


def on_qemu(args):
    with tempfile.TemporaryDirectory() as folder:
        dtb = f"{folder}/boot.dtb"
        subprocess.run([args.trapline, "machine", "dtb", *xen_options(args), "-o", dtb], check=True)
        source = subprocess.run(["dtc", "-q", "-I", "dtb", "-O", "dts", dtb], check=True, text=True,
                                stdout=subprocess.PIPE).stdout
        command = [args.qemu, "-M", f"virt,virtualization=on,gic-version={args.gic}",
                   "-cpu", "cortex-a57", "-smp", "1", "-m", "1024", "-net", "none", "-display",
                   "none", "-monitor", "none", "-serial", "stdio",
                   "-kernel", str(images() / "xen"), "-dtb", dtb]
        names = ["xen_dom0.bin", "xen_abi.bin"]
        for name, address in zip(names, sorted(re.findall(r"module@([0-9a-f]+) \{", source))):
            command += ["-device",
                        f"loader,file={args.guests}/{name},addr=0x{address},force-raw=on"]
        lines = conformance.run(command)
    version = next(line for line in lines if "Xen version" in line).removeprefix("(XEN) ")
    return [conformance.run([args.qemu, "--version"])[0], version.split(" (")[0]], \
        table_of(lines, "(XEN) DOM1: ")


def listed_pairs():
    """The document's pairs of lines: "    real: ..." and the "    here: ..." that follows."""
    text = LISTED.read_text(encoding="utf-8")
    return set(re.findall(r"^    real: (.*)\n    here: (.*)$", text, re.MULTILINE))


def compare(name, got, pairs):
    text = EXPECTED.read_text(encoding="utf-8").splitlines()
    expected = [line for line in text if not line.startswith("#")]
    problems = conformance.compare_lines(expected, got, pairs)
    if problems:
        sys.exit("\n".join([name, *problems]))
    print(f"{len(expected)} lines agree, {len(pairs)} of them as listed")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["xen", "layer", "record"])
    parser.add_argument("--guests", type=pathlib.Path, required=True)
    parser.add_argument("--gic", choices=["2", "3"], required=True)
    parser.add_argument("--trapline", default="trapline")
    parser.add_argument("--qemu", default="qemu-system-aarch64")
    args = parser.parse_args()
    args.guest = pathlib.Path("xen_abi")  # For the lists of differences.
    args.cpu = "cortex-a57"
    if args.action == "record":
        versions, table = on_qemu(args)
        EXPECTED.write_text("\n".join([*(f"# {line}" for line in versions), *table, ""]),
                            encoding="utf-8")
        print(f"{EXPECTED.name}: {len(table)} lines")
    elif args.action == "xen":
        compare("real Xen on Trapline", on_trapline(args), conformance.explained_pairs(args))
    else:
        compare("the trap layer", under_the_layer(args), listed_pairs())


if __name__ == "__main__":
    main()
