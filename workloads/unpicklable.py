"""Results that cannot travel, and exceptions that cannot be made again."""

import threading


class TwoArguments(Exception):
    """pickle makes it again with one argument, which fails: in multiprocessing.Pool that ends the thread that hands out results."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def fine(index):
    return index


def a_lambda(index):
    return lambda: index


def a_lock(index):
    return threading.Lock()


def a_generator(index):
    return (number for number in range(index))


def two_arguments(index):
    raise TwoArguments(index, "no such record")


def leaves(index):
    raise SystemExit("enough")
