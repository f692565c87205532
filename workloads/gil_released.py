"""Work in C that lets go of the lock: hashing and compressing large buffers."""

import hashlib
import zlib

LARGE = bytes(range(256)) * 16384          # 4 MiB
SMALL = bytes(range(256)) * 4              # 1 KiB: below what hashlib releases the lock for


def digest(index):
    """SHA-256 of 4 MiB: the lock is released while it is computed."""
    return hashlib.sha256(LARGE).hexdigest(), index


def squash(index):
    """zlib over 512 KiB: released too."""
    return len(zlib.compress(LARGE[:1 << 19], 6)), index


def small(index, times=4000):
    """SHA-256 of 1 KiB, again and again: too small to be worth releasing it."""
    for _ in range(times):
        last = hashlib.sha256(SMALL).hexdigest()
    return last, index
