"""Waiting: an interpreter that waits has let go of its lock."""

import time


def wait(seconds, index):
    time.sleep(seconds)
    return index
