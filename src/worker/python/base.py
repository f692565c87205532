# What the worker and the probe are built from. Everything that they need is imported here, before any folder of the
# user's is looked into and without those of PYTHONPATH: a module of the user's that is called `queue` or `random` must
# not be found in place of the library's. Nothing of the library is imported later. What is imported here is small: the
# start of a process is paid for each task in a process engine.
#
# What our own code calls between tasks has names of its own here, and the built-in functions are a copy (boot.py): a task
# that replaces those of `os`, `time` or `builtins` does so for its like alone.
import sys

_whole_path = sys.path[:]
_foreign = __import__("posix").environ.get(b"PYTHONPATH", b"").decode(errors="surrogateescape").split(":")
sys.path[:] = [folder for folder in sys.path if folder not in _foreign]

import io
import os
import resource
import time
import _signal
from _signal import SIG_DFL, SIGINT, getsignal, signal
from _thread import _count as other_threads, get_ident, start_new_thread
from fcntl import F_DUPFD_CLOEXEC, fcntl
from mmap import mmap
from posix import (
    _exit as leave, close, dup, dup2, fstat, getcwd, getpid, getppid, kill, listdir, open as open_file, read,
    set_blocking, set_inheritable, setpgid, write)
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage
from sys import (
    _current_frames as current_frames, getprofile as get_profile, getrecursionlimit as recursion_limit,
    getswitchinterval, gettrace as get_trace, setprofile as set_profile, setrecursionlimit as set_recursion_limit, settrace as set_trace)
from os import fsdecode
from time import monotonic_ns, process_time_ns, sleep
from _blake2 import blake2b
from _struct import Struct

try:
    from _json import encode_basestring_ascii as quoted, make_scanner
    from _pickle import dumps as pickled

    class _Scan:
        strict = True
        object_hook = object_pairs_hook = array_hook = parse_constant = None
        parse_float, parse_int, memo = float, int, {}

    _scan = make_scanner(_Scan)

    def parsed(text):
        return _scan(text, 0)[0]
except (AttributeError, ImportError):  # not CPython, or one whose scanner asks for more
    from json import loads as parsed, dumps as quoted
    from pickle import dumps as pickled

try:
    import faulthandler
except ImportError:  # not CPython, or a subinterpreter
    faulthandler = None

_environment = os.environ._data
READ_ONLY = os.O_RDONLY | os.O_CLOEXEC
sys.path[:] = _whole_path


def same_file(one, other):
    return one.st_ino == other.st_ino and one.st_dev == other.st_dev
