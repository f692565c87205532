"""pool, process, serial: each ends as its own task's outcome, and the worker goes on: failed with the class of the exception, whatever that does when it is looked at; a result without end in its hash succeeds and is not compared."""


class Notes(Exception):
    def __getattr__(self, name):
        raise RuntimeError("do not look")


def notes():
    raise Notes("with notes that cannot be had")


class Bad:
    def __str__(self):
        raise ValueError("no text")


def note():
    error = Exception("one of its notes has no text")
    error.__notes__ = [Bad()]
    raise error


def endless():
    error = None
    for _ in range(10):
        before, error = error, Exception("caused")
        error.__cause__ = before
        error.__notes__ = ["\U0001f40d" * 2000] * 20
    raise error


def long_name():
    raise type("E" * 2000000, (Exception,), {})("named at length")


class Exits:
    def __reduce__(self):
        raise SystemExit("while it is pickled")


def reduce_exits():
    return Exits()


def shared():
    x = []
    for _ in range(60):
        x = [x, x]
    return x
