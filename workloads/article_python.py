"""The function of the article: a task that takes two seconds."""

import time


def worker(number):
    time.sleep(2)
    return "task %d" % number
