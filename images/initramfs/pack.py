#!/usr/bin/env python3
"""Packs the initramfs so that the same files give the same bytes on every host.

usage: pack.py BUSYBOX OUTPUT [FILE...]   the files go into /trapline

cpio takes inode and link counts from the file system and gzip's output changes with zlib's version,
so the archive ("newc", cpio.txt of the kernel's initramfs documentation) is written here, inside a
gzip container of stored blocks (RFC 1951 3.2.4). Guests then also spend no time on inflating.
"""
import lzma
import pathlib
import struct
import sys
import zlib

HERE = pathlib.Path(__file__).resolve().parent
DIRECTORIES = ["bin", "dev", "proc", "root", "sbin", "sys", "tmp", "trapline", "usr", "usr/bin",
               "usr/sbin"]
SCRIPTS = {"init": "init", "trapline/loadtest": "loadtest"}
DIRECTORY = 0o040755
EXECUTABLE = 0o100755
STORED_BLOCK_MAX = 0xFFFF


def member(inode, name, mode, data=b""):
    """One cpio member: 13 hexadecimal fields, the name, the data, each padded to 4 bytes."""
    encoded = name.encode() + b"\0"
    links = 2 if mode == DIRECTORY else 1
    fields = (inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields) + encoded
    return padded(header) + padded(data)


def padded(data):
    return data + b"\0" * (-len(data) % 4)


def plain(path):
    """Modules of suites from Debian 13 on are compressed, which busybox's insmod cannot read."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def archive(busybox, extra):
    files = {name: (DIRECTORY, b"") for name in DIRECTORIES}
    files.update({name: (EXECUTABLE, (HERE / source).read_bytes())
                  for name, source in SCRIPTS.items()})
    files["bin/busybox"] = (EXECUTABLE, busybox)
    files.update({"trapline/" + path.name.removesuffix(".xz"): (EXECUTABLE, plain(path))
                  for path in extra})
    members = [member(inode, name, mode, data)
               for inode, (name, (mode, data)) in enumerate(sorted(files.items()), start=1)]
    whole = b"".join(members) + member(0, "TRAILER!!!", 0)
    return whole + b"\0" * (-len(whole) % 512)


def gzip_stored(data):
    blocks = []
    for start in range(0, len(data), STORED_BLOCK_MAX):
        block = data[start:start + STORED_BLOCK_MAX]
        final = start + STORED_BLOCK_MAX >= len(data)
        blocks.append(struct.pack("<BHH", final, len(block), len(block) ^ 0xFFFF) + block)
    header = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"  # Deflate, no name, no time (RFC 1952).
    return header + b"".join(blocks) + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    busybox = pathlib.Path(sys.argv[1]).read_bytes()
    extra = [pathlib.Path(name) for name in sys.argv[3:]]
    pathlib.Path(sys.argv[2]).write_bytes(gzip_stored(archive(busybox, extra)))


if __name__ == "__main__":
    main()
