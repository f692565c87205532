# What the caller of a reference arm is built from: with this, `call.py`, `digest.py` and `failure.py` of the Python worker and
# `caller.py`. All that it needs is imported here, before any folder of the user's is looked into.
import os
import sys

_whole_path = sys.path[:]
_foreign = os.environ.get("PYTHONPATH", "").split(os.pathsep)
sys.path[:] = [folder for folder in sys.path if folder not in _foreign]

import atexit

# Before multiprocessing has anything to do at the end, and so after it.
atexit.register(lambda: leave())

import collections
import functools
import heapq
import io
import json
import math
import multiprocessing
import multiprocessing.connection
import multiprocessing.util
import resource
import select
import signal
import socket
import threading
import time
from _blake2 import blake2b
from struct import Struct

import _poolscope_task

# Whoever imports it has the user's, if there is one.
sys.modules["_poolscope_shim"].resource = sys.modules.pop("resource")
sys.path[:] = _whole_path


def import_for(kind):
    """What only some of the arms need: processes are forked from this one, and what it has imported is copied for each."""
    if kind == "mp_process":
        return
    whole = sys.path[:]
    sys.path[:] = [folder for folder in whole if folder not in _foreign]
    global concurrent, inspect, itertools, queue
    import concurrent.futures
    import concurrent.futures.process
    import inspect
    import itertools
    import multiprocessing.pool
    import queue
    sys.path[:] = whole
