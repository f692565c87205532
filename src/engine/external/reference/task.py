# What a process of `mp_process` does: it calls the initializer, where there is one, and the function, and sends what that
# returns, or what either raises, as a worker of multiprocessing.Pool does. Nothing else is in here: a new interpreter imports
# it for each task. multiprocessing.pool itself is left alone, since the user's folders may have what it imports.
import os
import sys

worker = sys.modules["_poolscope_shim"].worker


def call(connection, position, initializer, function, args, kwargs):
    try:
        if initializer is not None:
            worker.initialize(*initializer)
        worker.took(position, 0, 1)
        result = True, function(*args, **kwargs)
    except Exception as error:
        worker.raised()
        result = False, Raised(error)
    worker.ran(not result[0])
    try:
        send(connection, result)
    except Exception as error:
        send(connection, (False, MaybeEncodingError(repr(error), repr(result[1]))))
    if sys.modules["threading"].active_count() > 1:
        # What the task has left behind keeps this process from its end.
        worker.leaves()


class ItemError(Exception):
    """The item of a task cannot be read."""


class Unmade:
    """Stands for the arguments of a task whose item cannot be read, and for what it returns: it raises why."""

    def __init__(self, error):
        self.error = error

    def get(self, timeout=None):
        raise self.error


def made(function, *args):
    for arg in args:
        if type(arg) is Unmade:
            raise arg.error
    return function(*args)


def send(connection, result):
    try:
        connection.send(result)
    except BrokenPipeError:
        # It has a result: a copy of this process, which the task has made, was first.
        pass


class Raised(Exception):
    """An exception that takes its traceback along, as text."""

    def __init__(self, error):
        self.error, self.trace = error, trace_of(error)

    def __reduce__(self):
        return raised, (self.error, self.trace)


class RemoteTraceback(Exception):
    def __init__(self, tb):
        self.tb = tb

    def __str__(self):
        return self.tb


def raised(error, trace):
    error.__cause__ = RemoteTraceback(trace)
    return error


def trace_of(error):
    try:
        lines = standard("traceback").format_exception(type(error), error, error.__traceback__)
        return '\n"""\n%s"""' % "".join(lines)
    except Exception:  # a class that does not bear being looked at, or a `traceback` of the user's
        return ""


def standard(name):
    """A module of the standard library, whatever the user's folders have under its name and those that it needs."""
    own, whole = os.path.dirname(os.__file__), sys.path[:]
    sys.path[:] = [folder for folder in whole if folder in (own, os.path.join(own, "lib-dynload"))]
    try:
        return __import__(name)
    finally:
        sys.path[:] = whole


class MaybeEncodingError(Exception):
    """What multiprocessing.pool says of a result that cannot travel."""

    def __init__(self, error, value):
        super().__init__(error, value)
        self.error, self.value = error, value

    def __str__(self):
        return "Error sending result: '%s'. Reason: '%s'" % (self.value, self.error)

    def __reduce__(self):
        return not_encoded, self.args


def not_encoded(error, value):
    return MaybeEncodingError(error, value)


MaybeEncodingError.__module__ = "multiprocessing.pool"
