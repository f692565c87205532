"""What an import can do to the process that it is in, by name in POOLSCOPE_DOES; and functions that look at theirs."""
import atexit
import os
import random
import signal
import sys
import threading
import time

IMPORTED_IN = os.getpid()
DOES = os.environ.get("POOLSCOPE_DOES", "")
HANDLERS = []
STATE = None


def note(text):
    """A line for the test."""
    file = os.open(os.environ["POOLSCOPE_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, (text + "\n").encode())
    os.close(file)


if DOES == "thread":
    threading.Thread(target=time.sleep, args=(3600,), name="left-behind", daemon=True).start()
if DOES == "thread_over":
    for _ in range(20):
        over = threading.Thread(target=time.sleep, args=(0.001,))
        over.start()
        over.join()
if DOES == "handler":
    signal.signal(signal.SIGTERM, lambda *_: note("handled"))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
if DOES == "fork":
    os.fork()
if DOES == "fork_and_exit" and os.fork() == 0:
    sys.exit(3)
if DOES == "at_fork":
    os.register_at_fork(
        before=lambda: HANDLERS.append("before"), after_in_child=lambda: HANDLERS.append("child"),
        after_in_parent=HANDLERS.clear)
if DOES == "at_exit":
    import multiprocessing.util

    atexit.register(note, "atexit")
    multiprocessing.util.Finalize(None, note, ("finalizer",), exitpriority=10)
if DOES == "prints":
    print("said at import" + "." * 100000)
    sys.stderr.write("half a line")
    os.write(1, b"raw")
if DOES == "closes" and "POOLSCOPE_RUN" in os.environ:  # not where calls are only looked at
    os.closerange(3, 100)


if DOES == "closes_std" and "POOLSCOPE_RUN" in os.environ:
    os.closerange(0, 3)
if DOES == "garbles" and "POOLSCOPE_RUN" in os.environ:
    os.write(3, b"\x02no frame")
if DOES == "garbles_at_fork":
    os.register_at_fork(before=lambda: os.write(3, b"\x09"))
if DOES == "replaces" and "POOLSCOPE_RUN" in os.environ:
    import gc

    time.monotonic = time.monotonic_ns = time.sleep = os.dup2 = os.setpgid = os.getppid = os.fstat = os.listdir = None
    os.set_inheritable = os._exit = gc.disable = gc.enable = gc.isenabled = sys._current_frames = None
    os.environ = dict(os.environ)


def initialize(kib=0, **what):
    """The initializer; `what` is what else it is to do."""
    global STATE
    note("initialized")
    print("said by the initializer")
    STATE = bytearray(os.urandom(1024)) * kib
    if what.get("thread"):
        threading.Thread(target=time.sleep, args=(3600,), name="of-the-initializer", daemon=True).start()
    if what.get("fork"):
        os.fork()
    if what.get("closes_std"):
        os.closerange(0, 3)
    if what.get("garbles"):
        os.write(3, b"\x02no frame")
    if what.get("exit") is not None:
        os._exit(what["exit"])
    if what.get("leave") is not None:
        sys.exit(what["leave"])
    if what.get("hang"):
        time.sleep(3600)
    if what.get("fail"):
        raise Unpicklable("no licence", 7)


class Unpicklable(Exception):
    def __init__(self, text, code):
        super().__init__(text)

    def __reduce__(self):
        os._exit(9)


def open_files():
    """What is open here, and more than a worker is said to have."""
    found = {}
    for number in os.listdir("/proc/self/fd"):
        try:
            found[int(number)] = os.readlink("/proc/self/fd/" + number)
        except OSError:  # that of this very look
            pass
    # Newer ones keep their own file open, from the moment somebody loads ctypes.
    found = {number: name for number, name in found.items() if "/libffi.so" not in name}
    more = {number: name for number, name in found.items() if number > 3 and name != found[1]}
    assert not more and len(found) == 5, found


def ready():
    return STATE is not None


def forked():
    """Whether the module was imported by another process than this one."""
    return IMPORTED_IN != os.getpid()


def whole():
    """What a process is that was forked as it should be."""
    assert threading.get_native_id() == os.getpid(), (threading.get_native_id(), os.getpid())
    assert threading.current_thread() is threading.main_thread() and threading.active_count() == 1
    assert time.clock_gettime(time.pthread_getcpuclockid(threading.get_ident())) < 60
    heard, before = [], signal.getsignal(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(number))
    thread = threading.Thread(target=signal.pthread_kill, args=(threading.get_ident(), signal.SIGUSR1))
    thread.start()
    thread.join()
    signal.signal(signal.SIGUSR1, before)
    assert heard, "another thread does not reach this one"
    assert os.getpgid(0) == os.getpid()
    assert os.read(0, 1) == b""
    assert os.waitstatus_to_exitcode(os.waitpid(child(7), 0)[1]) == 7 if hasattr(os, "waitstatus_to_exitcode") else True
    return True


def child(code):
    pid = os.fork()
    if pid == 0:
        os._exit(code)
    return pid


def signals():
    masked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    return (signal.getsignal(signal.SIGTERM) is signal.SIG_DFL, signal.getsignal(signal.SIGINT) is signal.default_int_handler,
            sorted(int(number) for number in masked))


def stuck():
    time.sleep(3600)


def handlers():
    return list(HANDLERS)


def chance():
    note(repr(random.random()))


def fails():
    print("said by the task")
    raise ValueError("it fails")


def ruins(index):
    """Each thirds task does to its process what it likes."""
    if index % 3 == 1:
        os.closerange(3, 1024)
    if index % 3 == 2:
        sys.modules.clear()
        os._exit(5)
    return index


def meets(workers):
    """Waits until so many processes are in this function."""
    note("met %d" % os.getpid())
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with open(os.environ["POOLSCOPE_NOTES"]) as file:
            if len({line for line in file if line.startswith("met ")}) >= workers:
                return True
        time.sleep(0.005)
    raise TimeoutError("the others have not come")


def kills_server(index, signal_number):
    """Once, also where its task is begun again because nobody has heard of its process."""
    if index == 5 and not os.path.exists(os.environ["POOLSCOPE_NOTES"]):
        note("killed")
        os.kill(IMPORTED_IN, signal_number)
    time.sleep(0.005)
    return index


def burns(ms):
    end = time.process_time_ns() + ms * 1000000
    while time.process_time_ns() < end:
        pass


def naps(ms):
    assert STATE is not None
    time.sleep(ms / 1000)
