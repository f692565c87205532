"""pool, process, serial: each task has the outcome that hostile.rs says, and costs no other."""
import ctypes
import functools
import os
import signal
import socket
import sys
import tempfile
import threading
import time


def fine(index):
    return index


def begun(name):
    file = os.open(os.environ["POOLSCOPE_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (name + "\n").encode())
    os.close(file)


def shut(how, lasts=0, by_child=False):
    begun("shut %d %s %s" % (how, lasts, by_child))
    if by_child and os.fork():
        os.wait()
        return
    sock = socket.socket(fileno=os.dup(3))
    sock.shutdown(how)
    sock.close()
    if by_child:
        os._exit(0)
    time.sleep(lasts)


class Meta(type):
    @property
    def __name__(cls):
        raise RuntimeError("no name")

    def __getattribute__(cls, name):
        raise RuntimeError("nothing")


class Nameless(Exception, metaclass=Meta):
    pass


class Classless(Exception):
    @property
    def __class__(self):
        raise RuntimeError("no class")


class Blind(BaseException):
    def __getattribute__(self, name):
        raise RuntimeError("nothing")


class Code:
    @property
    def __class__(self):
        raise RuntimeError("no class")

    def __str__(self):
        raise RuntimeError("no text")


def blind():
    raise Blind("its text")


def leaves_a_child_by_an_odd_code():
    child = os.fork()
    if child == 0:
        raise SystemExit(Code())
    status = os.waitpid(child, 0)[1]
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 1, status


class Text(str):
    def __len__(self):
        raise RuntimeError("len")

    __getitem__ = __str__ = __mod__ = __format__ = __len__

    def encode(self, *args):
        raise RuntimeError("encode")


class Odd(Exception):
    def __str__(self):
        return Text("odd text")


class Bare(Exception):
    @property
    def __traceback__(self):
        raise RuntimeError("nothing")

    __cause__ = __context__ = __suppress_context__ = __notes__ = args = __traceback__


def nameless():
    raise Nameless("its text")


def classless():
    raise Classless("its text")


def odd():
    raise Odd


def bare():
    raise Bare("its text")


def looks_at_threads():
    threading.Thread(target=time.sleep, args=(30,), daemon=True).start()
    sys._current_frames = None


def from_a_pipe():
    name = os.path.join(tempfile.mkdtemp(), "pipe.py")
    os.mkfifo(name)
    exec(compile("def f():\n    raise ValueError('from a pipe')\nf()", name, "exec"), {})


def too_late(*_):
    raise TimeoutError("too late")


class Late:
    """Raises a signal when it is let go of, without the interpreter."""

    __del__ = staticmethod(functools.partial(getattr(ctypes.CDLL(None), "raise"), int(signal.SIGUSR1)))


def handler_left():
    signal.signal(signal.SIGUSR1, too_late)
    return Late()


def traced(*_):
    raise RuntimeError("traced")


def tracer_left():
    sys.settrace(traced)


def alarm_left():
    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, 0.003)


def limit_left():
    for limit in range(3, 100):  # the lowest that it may be
        try:
            return sys.setrecursionlimit(limit)
        except RecursionError:
            pass


def traces_and_stops():
    sys.settrace(lambda *_: None)
    sys.settrace(None)


def profile_left():
    sys.setprofile(traced)


def crash():
    ctypes.string_at(0)


def closes_the_rest():
    os.closerange(4, 4096)
    os.dup2(0, 3)
