#!/usr/bin/env python3
"""Runs a conformance guest on Trapline and compares what it printed with what it printed on QEMU.

    conformance.py compare --guest G.elf --cpu C --gic 2|3 --smp N --trapline PROGRAM
    conformance.py record  --guest G.elf --cpu C --gic 2|3 --smp N [--qemu PROGRAM]

Expected texts lie in expected/<guest>-<cpu>-gicv<n>.txt. Lines that differ for a known reason are
listed, with the reason, in differences.toml; one that no longer differs is an error as well, so that
the list stays true.
"""
import argparse
import pathlib
import subprocess
import sys
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
HOST_SECONDS = 120


def expected_file(args):
    return HERE / "expected" / f"{args.guest.stem}-{args.cpu}-gicv{args.gic}.txt"


def run(command):
    """Standard output of `command` as lines; exits with its messages if it fails."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=HOST_SECONDS, check=False)
    except subprocess.TimeoutExpired as late:
        sys.exit(f"{' '.join(command)}: no end after {HOST_SECONDS} s; last output:\n"
                 + "\n".join((late.stdout or b"").decode("utf-8", "replace").splitlines()[-5:]))
    text = done.stdout.decode("utf-8", "replace").replace("\r", "")
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n"
                 f"{done.stderr.decode('utf-8', 'replace')}\nlast output:\n"
                 + "\n".join(text.splitlines()[-5:]))
    return text.splitlines()


def trapline_command(args):
    return [args.trapline, "run", "-M", "virt", "--gic", args.gic, "-cpu", args.cpu, "-smp",
            args.smp, "-m", "256", "--el", "2", "-kernel", str(args.guest), "--limit-time", "60s",
            "-q"]


def qemu_command(args):
    board = f"virt,virtualization=on,gic-version={args.gic}"
    return [args.qemu, "-M", board, "-cpu", args.cpu, "-smp", args.smp, "-m", "256",
            "-net", "none", "-display", "none", "-monitor", "none", "-serial", "stdio",
            "-kernel", str(args.guest)]


def applies(difference, args):
    return (difference["guest"] == args.guest.stem
            and args.cpu in difference.get("cpus", [args.cpu])
            and int(args.gic) in difference.get("gics", [int(args.gic)]))


def explained_pairs(args):
    with open(HERE / "differences.toml", "rb") as file:
        listed = tomllib.load(file).get("difference", [])
    pairs = set()
    for difference in listed:
        if not applies(difference, args):
            continue
        for qemu, trapline in difference["lines"]:
            pairs.add((qemu, trapline))
    return pairs


def compare_lines(expected, got, pairs):
    """Lines that say what is wrong; none if all is well."""
    problems = []
    unused = set(pairs)
    for number, (want, have) in enumerate(zip(expected, got), start=1):
        if want == have:
            continue
        if (want, have) in pairs:
            unused.discard((want, have))
            continue
        problems += [f"line {number}:", f"  QEMU     {want}", f"  Trapline {have}"]
    if len(expected) != len(got):
        problems.append(f"{len(got)} lines, expected {len(expected)}; the last is: "
                        f"{got[-1] if got else '(nothing)'}")
    for want, have in sorted(unused):
        problems += ["listed in differences.toml, but does not occur:", f"  QEMU     {want}",
                     f"  Trapline {have}"]
    return problems


def compare(args):
    text = expected_file(args).read_text(encoding="utf-8").splitlines()
    expected = [line for line in text if not line.startswith("#")]
    problems = compare_lines(expected, run(trapline_command(args)), explained_pairs(args))
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(expected)} lines agree")


def record(args):
    version = run([args.qemu, "--version"])[0]
    command = qemu_command(args)
    lines = run(command)
    shown = " ".join(["qemu-system-aarch64", *command[1:-1], args.guest.name])
    file = expected_file(args)
    file.write_text("\n".join([f"# {version}", f"# {shown}", *lines, ""]), encoding="utf-8")
    print(f"{file.name}: {len(lines)} lines")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["compare", "record"])
    parser.add_argument("--guest", type=pathlib.Path, required=True)
    parser.add_argument("--cpu", required=True)
    parser.add_argument("--gic", choices=["2", "3"], required=True)
    parser.add_argument("--smp", default="1")
    parser.add_argument("--trapline", default="trapline")
    parser.add_argument("--qemu", default="qemu-system-aarch64")
    args = parser.parse_args()
    (compare if args.action == "compare" else record)(args)


if __name__ == "__main__":
    main()
