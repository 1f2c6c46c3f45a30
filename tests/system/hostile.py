#!/usr/bin/env python3
"""Guests that misbehave: hostile.py TRAPLINE FOLDER [NAME...].

Each guest of guests/hostile runs with many parameters. Whatever it does, the simulator must end the
run by itself with code 0 (power-off), 3 (stuck) or 124 (limit), say where the CPUs were and what they
met last, write little, use little memory and be quick about it. A report of a sanitizer is a failure.
Names choose cases by their beginning.
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import time

RAM = 0x40000000
PARAMETERS = 0x40100000
FREE = 0x41000000
ALL_ONES = (1 << 64) - 1
MAX_MIB = 400           # The engine keeps 128 MiB of translations a CPU.
MAX_STDERR = 200_000
SECONDS = 120           # For a case; more only means that this machine is busy.
SANITIZED = b"__asan_init"


class Case:
    """A run: a guest, its parameters, the exit codes that are right and what it must say."""

    def __init__(self, name, guest, parameters=(), codes=(3,), says=(), options=(), limit="2M"):
        self.name = name
        self.guest = guest
        self.parameters = [value & ALL_ONES for value in parameters]
        self.codes = codes
        self.says = says
        self.options = [*options, "--limit-insns", limit, "--limit-time", "2s"]


def jump_cases():
    places = {"zero": 0, "hole": 0x1000, "uart": 0x09000000, "gicd": 0x08000000,
              "gicr": 0x080a0000, "virtio": 0x0a000000, "below-ram": RAM - 4,
              "end-of-ram": RAM + (64 << 20), "last-word": RAM + (64 << 20) - 4,
              "odd": RAM + 0x200001, "two": RAM + 0x200002, "top": ALL_ONES, "top-word": -4,
              "bit-55": 1 << 55, "bit-48": 1 << 48, "zeros": FREE, "tagged": RAM | 0xff << 56}
    for name, place in places.items():
        for vbar in (0, 0x09000000, FREE, ALL_ONES, 1 << 47):
            yield Case(f"jump-{name}-vectors-{vbar:x}", "jump", [place, vbar])
        yield Case(f"jump-{name}-el1", "jump", [place, 0], options=["--el", "1"])


def wait_cases():
    codes = {0: (3,), 1: (3,), 5: (3,), 6: (3,), 7: (3,)}
    for way in range(11):
        for gic in "2", "3":
            yield Case(f"wait-{way}-gic{gic}", "wait", [way], codes.get(way, (124,)),
                       options=["--gic", gic])
    yield Case("wait-0-el1", "wait", [0], options=["--el", "1"])
    yield Case("wait-2-smp4", "wait", [2], (124,), options=["-smp", "4"])


def loop_cases():
    for way in range(14):
        for el in (0, 1, 2):
            for hcr in ((0, 1 << 27, 1 << 34 | 1 << 27, 0x38 | 1 << 19 | 1 << 13)
                        if el < 2 else (0,)):
                yield Case(f"loop-{way}-el{el}-hcr{hcr:x}", "loop", [el, hcr, way], (0, 3, 124),
                           limit="1M")


def mmio_cases():
    regions = {"gicd": (0x08000000, 0x08001200, 4), "gicd-rest": (0x08001200, 0x08010000, 0x104),
               "gicc": (0x08010000, 0x08012000, 0x24), "gich": (0x08030000, 0x08030200, 4),
               "gicv": (0x08040000, 0x08042000, 0x24), "gicr": (0x080a0000, 0x080a0100, 4),
               "gicr-sgi": (0x080b0000, 0x080b0e00, 12), "gicr-end": (0x08ff0000, 0x09000000, 0x804),
               "gicr-odd": (0x080a0001, 0x080c0000, 0x505), "uart": (0x09000000, 0x09000060, 1),
               "uart-ids": (0x09000fd0, 0x09001008, 3), "rtc": (0x09010000, 0x09010030, 2),
               "uart1": (0x09040000, 0x09040040, 4), "virtio": (0x0a000000, 0x0a000240, 4),
               "virtio-end": (0x0a003ff0, 0x0a004010, 1), "hole-0": (0, 64, 7),
               "hole-secure": (0x0e000000, 0x0e000040, 8), "hole-pcie": (0x10000000, 0x10000020, 4),
               "hole-edges": (0x08020000 - 20, 0x08020000 + 20, 1),
               "ram-start": (RAM - 40, RAM + 8, 3), "ram-end": (RAM + (64 << 20) - 40,
                                                                RAM + (64 << 20) + 8, 3),
               "above": ((1 << 40) - 8, 1 << 40, 4), "top": (ALL_ONES - 63, ALL_ONES - 7, 9),
               "half": ((1 << 55) - 16, (1 << 55) + 16, 8), "ram": (FREE, FREE + 70, 1)}
    for name, (first, last, step) in regions.items():
        for gic in "2", "3":
            if gic == "2" and not name.startswith(("gic", "hole-edges")):
                continue
            for el in (2, 1, 0) if gic == "3" else (2,):
                yield Case(f"mmio-{name}-gic{gic}-el{el}", "mmio", [el, 0, first, last, step],
                           (0, 124), options=["--gic", gic, "-smp", "2"])
    yield Case("mmio-uart-max", "mmio", [2, 0, 0x09000000, 0x09000040, 4], (0, 124),
               options=["-cpu", "max"])


def sysreg_cases():
    ones, pattern = ALL_ONES, 0x5a5a5a5a5a5a5a5a
    for el, values in ((0, [ones]), (1, [None, ones, pattern]), (2, [None, ones, pattern, FREE])):
        for value in values:
            name = f"sysregs-el{el}-{'r' if value is None else 'w%x' % value}"
            yield Case(name, "sysregs", [el, 0, value is not None, value or 0], (0,), limit="8M")
    for name, el, options in (("max", 2, ["-cpu", "max"]), ("no-el2", 1, ["--el", "1"]),
                              ("a53", 2, ["-cpu", "cortex-a53", "--gic", "2", "-smp", "3"])):
        yield Case(f"sysregs-{name}", "sysregs", [el, 0, 0, 0], (0,), options=options, limit="8M")
    traps = {"tid": 0xf << 15, "tvm": 1 << 26 | 1 << 30, "tacr": 1 << 21 | 1 << 20, "tge": 1 << 27,
             "vhe": 3 << 33 | 1 << 27, "all": 0x7fff_ffff_7fff_ffff & ~(1 << 12 | 1 << 34)}
    for name, hcr in traps.items():
        for el in (0, 1) if name in ("tge", "vhe") else (1,):
            yield Case(f"sysregs-trap-{name}-el{el}", "sysregs", [el, hcr, 0, 0], (0, 3, 124),
                       limit="8M",
                       options=["-cpu", "max"] if name == "vhe" else [])


def fuzz_cases(seeds):
    for seed in range(seeds):
        for gic in "2", "3":
            yield Case(f"fuzz-mmio-{seed}-gic{gic}", "fuzz_mmio", [2, 0, seed * 0x9e3779b97f4a7c15],
                       (3, 124), options=["--gic", gic, "-smp", "2"], limit="1M")
        yield Case(f"fuzz-sysregs-{seed}", "fuzz_sysregs", [2, 0, seed * 0x9e3779b97f4a7c15],
                   (0, 3, 124), limit="1M", options=["-smp", "1" if seed % 2 else "4"])
        for el in (0, 1, 2):
            yield Case(f"fuzz-code-{seed}-el{el}", "fuzz_code",
                       [el, seed * 0x1234567 & 0xffff if seed % 2 else 0,
                        (seed * 3 + el + 1) * 0x9e3779b97f4a7c15], (0, 1, 3, 124), limit="300k",
                       options=["-cpu", "max" if seed % 3 == 0 else "cortex-a57"])
        for el in (1, 2):  # With alignment checks.
            yield Case(f"fuzz-aligned-{seed}-el{el}", "fuzz_code",
                       [el, 0, (seed * 5 + el) * 0x9e3779b97f4a7c15, 2], (0, 1, 3, 124),
                       limit="300k", options=["-cpu", "max" if seed % 2 else "cortex-a57"])


def table_cases():
    tcrs = {"4k": 0x80853510, "16k": 0x8085b510, "64k": 0x80857510, "t0sz-0": 0x80803500,
            "t0sz-63": 0x8080353f, "ones": ALL_ONES, "zero": 0, "ha-hd": 0x80853510 | 3 << 39}
    bases = {"self": FREE, "hole": 0x1000, "uart": 0x09000000, "gicd": 0x08000000,
             "end-of-ram": RAM + (64 << 20) - 64, "beyond": (1 << 48) - 4096, "odd": FREE + 8,
             "ones": ALL_ONES}
    descriptors = {"self": FREE | 0xf03, "uart": 0x09000703, "block": RAM | 0x701,
                   "hole": 0x0703, "ones": ALL_ONES, "top": 0xfffffffff003, "no-af": RAM | 0x301,
                   "dirty": RAM | 0x8000000000781}
    for name, base in bases.items():
        for el in (1, 2):
            yield Case(f"tables-at-{name}-el{el}", "tables",
                       [el, 0, base, tcrs["4k"], 0x30d01805, descriptors["self"]], (0, 3, 124))
    for name, tcr in tcrs.items():
        for what, descriptor in descriptors.items():
            for el in (1, 2):
                yield Case(f"tables-{name}-{what}-el{el}", "tables",
                           [el, 0, FREE, tcr, 0x30d01805, descriptor], (0, 3, 124), limit="1M",
                           options=["-cpu", "max"])
    for name, base in bases.items():
        for what, vtcr in (("4k", 0x80023558), ("sl2", 0x80023590), ("64k", 0x80027558),
                           ("ones", ALL_ONES), ("zero", 0)):
            yield Case(f"stage2-{name}-{what}", "stage2",
                       [0, 0, base, vtcr, 0, descriptors["self"] | 0xc0], (0, 3, 124), limit="1M")


def rewrite_cases():
    for way in range(8):
        for el in (1, 2):
            yield Case(f"rewrite-{way}-el{el}", "rewrite", [el, 0, way], (124,), limit="100k")


def smp_cases():
    for way in range(11):
        for cpus, quantum in (("4", "1000"), ("4", "1"), ("8", "100"), ("1", "1000")):
            yield Case(f"storm-{way}-smp{cpus}-q{quantum}", "storm", [2, 0, way], (0, 3, 124),
                       limit="200k" if way in (4, 5, 6) or quantum == "1" else "2M",
                       options=["-smp", cpus, "--quantum", quantum])
    for seed in range(4):
        for el in (1, 2):
            yield Case(f"psci-{seed}-el{el}", "psci", [el, 0, seed + 1], (0, 3, 124),
                       options=["-smp", "4"])
            yield Case(f"psci-{seed}-el{el}-no-el2", "psci", [1, 0, seed + 77], (0, 3, 124),
                       options=["-smp", "3", "--el", "1"])
    for el in (0, 1, 2):
        yield Case(f"semihosting-el{el}", "semihosting", [el], (0, 3, 124))
    for way in (0, 1, 2):
        yield Case(f"storm-irq-{way}", "storm_irq", [0, 0, way], (124,), limit="500k")
    for options in ([], ["--el", "1"]):
        yield Case(f"stack-overflow{''.join(options)}", "stack_overflow", options=options)


def cases(seeds):
    for make in (jump_cases, wait_cases, loop_cases, mmio_cases, sysreg_cases, table_cases,
                 rewrite_cases, smp_cases):
        yield from make()
    yield Case("everywhere", "everywhere", [2], (124,), limit="60k")
    for el in (0, 1, 2):
        for cpu in "max", "cortex-a57":
            yield Case(f"fp16-el{el}-{cpu}", "fp16", [el], (0,), ['"unknown": 1'],
                       options=["-cpu", cpu, "--stats", "/dev/stderr"])
    yield from fuzz_cases(seeds)


def run(case, trapline, guests):
    """None if all is well, else what is wrong."""
    with tempfile.TemporaryDirectory(prefix="trapline-hostile-") as folder:
        parameters = pathlib.Path(folder) / "parameters"
        parameters.write_bytes(struct.pack("<8Q", *case.parameters, *[0] * (8 - len(case.parameters))))
        command = [trapline, "run", "-m", "64", "-kernel", guests / f"{case.guest}.elf", "--load",
                   f"{parameters}@{PARAMETERS:#x}", "--uart", "null", *case.options]
        start = time.monotonic()
        with open(pathlib.Path(folder) / "stderr", "w+b") as errors:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                       stderr=errors)
            deadline = start + SECONDS
            while True:
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                if pid:
                    break
                if time.monotonic() > deadline:
                    process.kill()
                    os.wait4(process.pid, 0)
                    return f"still runs after {SECONDS} s: {' '.join(map(str, command))}"
                time.sleep(0.005)
            process.returncode = os.waitstatus_to_exitcode(status)
            case.seconds = time.monotonic() - start
            case.cpu_seconds = usage.ru_utime + usage.ru_stime
            case.mib = usage.ru_maxrss / 1024
            errors.seek(0)
            text = errors.read(MAX_STDERR + 1).decode(errors="replace")
    case.code = process.returncode
    return complaint(case, text)


def complaint(case, text):
    shown = text if len(text) < 3000 else text[:1500] + "\n[...]\n" + text[-1500:]
    if case.code not in case.codes:
        return f"exit code {case.code}, not {case.codes}\n{shown}"
    for bad in ("AddressSanitizer", "runtime error", "LeakSanitizer", "internal error",
                "execution engine"):
        if bad in text:
            return f"'{bad}' in what it says\n{shown}"
    if len(text) > MAX_STDERR:
        return f"writes more than {MAX_STDERR} bytes to standard error\n{shown}"
    if case.code in (3, 124):
        for needed in (r"PC 0x[0-9a-f]{16}  EL[012]", r"ESR_EL1 0x", r"^trapline: "):
            if not re.search(needed, text, re.MULTILINE):
                return f"'{needed}' is not in what it says\n{shown}"
    for needed in case.says:
        if needed not in text:
            return f"'{needed}' is not in what it says\n{shown}"
    if case.mib > case.max_mib:
        return f"used {case.mib:.0f} MiB, more than {case.max_mib}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trapline", type=os.path.abspath)
    parser.add_argument("guests", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=8, help="random runs of each kind")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("-j", type=int, default=1)
    parser.add_argument("names", nargs="*", default=[""])
    arguments = parser.parse_intermixed_args()
    chosen = [case for case in cases(arguments.seeds)
              if case.name.startswith(tuple(arguments.names))]
    sanitized = SANITIZED in pathlib.Path(arguments.trapline).read_bytes()
    for case in chosen:
        case.max_mib = MAX_MIB * (3 if sanitized else 1)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(arguments.j) as pool:
        runs = [(case, None if arguments.list else
                 pool.submit(run, case, arguments.trapline, arguments.guests)) for case in chosen]
        for case, future in runs:
            if arguments.list:
                print(case.name)
                continue
            wrong = future.result()
            failed += wrong is not None
            if wrong is not None:
                print(f"FAIL {case.name}: {wrong}", flush=True)
            elif arguments.verbose:
                print(f"ok   {case.name}: code {case.code}, {case.cpu_seconds:.2f} s of CPU, "
                      f"{case.mib:.0f} MiB", flush=True)
    print(f"{len(chosen) - failed} of {len(chosen)} hostile guests behaved")
    return 1 if failed or not chosen else 0


if __name__ == "__main__":
    sys.exit(main())
