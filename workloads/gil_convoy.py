"""Quick answers beside a long computation: who waits for the lock, and how long."""

import time


def ask(index, times=20):
    """Waits for a moment, again and again, as one does that asks a database and looks at each answer."""
    for _ in range(times):
        time.sleep(0.00005)
    return index


def compute(index, seconds=0.03):
    """Pure Python for a while: it gives the lock away only when it is asked to, every 5 ms."""
    count, end = 0, time.thread_time() + seconds
    while time.thread_time() < end:
        for _ in range(1000):
            count += 1
    return index
