#!/usr/bin/env python3
"""Two domains that throw random hypercalls, grants, events, rings and xenstore messages at the trap
layer and map each other's pages and the third's, which does its work:
hostile_xen.py TRAPLINE FOLDER [--seeds N] [--calls N].

The simulator must end the run by itself, quickly and in little memory, and the innocent domain must say
exactly what it says alone, whatever the seed. A report of a sanitizer is a failure.
"""
import argparse
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

MAX_MIB = 800           # Three engines, which keep 128 MiB of translations each.
MAX_STDERR = 200_000
SECONDS = 120
BAD = ("AddressSanitizer", "runtime error", "LeakSanitizer", "internal error", "execution engine",
       "terminate called", "Assertion")


def run(trapline, image, seed, calls, gic, folder):
    """Exit code, what the innocent domain said, standard error, MiB, and whether
    each hostile domain mapped something. No hostile domains for seed None."""
    console = pathlib.Path(folder) / "innocent"
    others = [pathlib.Path(folder) / name for name in ("hostile", "worse")]
    common = f"kernel={image},memory=32M,gic={gic},console=vpl011"
    command = [trapline, "run", "--domain", f"name=innocent,{common},append=role=innocent"]
    if seed is not None:
        for name, own in ("hostile", seed), ("worse", seed + 1000):
            command += ["--domain", f"name={name},{common},append=seed={own} calls={calls}"]
        command += ["--xsm", "dummy"]
    command += ["--uart", f"0=file:{console}", "--limit-time", "50ms", "--batch"]
    if seed is not None:
        for number, path in enumerate(others):
            path.unlink(missing_ok=True)
            command += ["--uart", f"{number + 1}=file:{path}"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, preexec_fn=lambda: resource.setrlimit(
                                   resource.RLIMIT_CPU, (SECONDS, SECONDS + 1)))
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    said = console.read_bytes() if console.exists() else b""
    mapped = seed is None or all(path.exists() and b"hostile: a map is done" in path.read_bytes()
                                 for path in others)
    mib = usage.ru_maxrss / 1024
    return process.returncode, said, errors.decode("utf-8", "replace"), mib, mapped


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trapline", type=os.path.abspath)
    parser.add_argument("guests", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--calls", type=int, default=2000)
    arguments = parser.parse_args()
    image = arguments.guests / "hostile_domain.bin"
    sanitized = b"__asan_init" in pathlib.Path(arguments.trapline).read_bytes()
    most = MAX_MIB * (3 if sanitized else 1)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for gic in 2, 3:
            code, alone, errors, _, _ = run(arguments.trapline, image, None, 0, gic, folder)
            if code != 0 or b"innocent: the end" not in alone:
                sys.exit(f"the innocent domain alone: exit code {code}\n{errors}\n{alone.decode()}")
            for seed in range(arguments.seeds):
                code, beside, errors, mib, mapped = run(arguments.trapline, image, seed,
                                                        arguments.calls, gic, folder)
                wrong = [word for word in BAD if word in errors]
                if code not in (0, 3, 124):  # It may also spin for good.
                    wrong.append(f"exit code {code}")
                if not mapped:
                    wrong.append("a hostile domain mapped nothing")
                if beside != alone:
                    wrong.append("the innocent domain says something else:\n"
                                 + beside.decode("utf-8", "replace")[-600:])
                if len(errors) > MAX_STDERR:
                    wrong.append(f"{len(errors)} bytes of standard error")
                if mib > most:
                    wrong.append(f"{mib:.0f} MiB")
                if wrong:
                    failed += 1
                    print(f"FAIL seed {seed} gic {gic}: {'; '.join(wrong)}\n{errors[-1500:]}")
    print(f"{2 * arguments.seeds - failed} of {2 * arguments.seeds} hostile domains hurt nobody")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
