# What no forked process in Python can be faster than: os.fork and os._exit, so many at a time. Milliseconds for each.
import os
import sys
import time

at_once, count = map(int, sys.argv[1:])
running, begin = 0, time.monotonic()
for _ in range(count):
    if running >= at_once:
        os.wait()
        running -= 1
    if os.fork() == 0:
        os._exit(0)
    running += 1
while running:
    os.wait()
    running -= 1
print((time.monotonic() - begin) / count * 1000)
