# A fork server: it imports what tasks call, runs the initializer if it is told to, and forks a worker from there for each
# order. It understands what src/worker/fork_server.rs says and answers likewise. It never waits for a worker, and owns none.
#
# Workers are to be children of Poolscope, which is told by the kernel how they ended and what they used, so that they are
# cloned with CLONE_PARENT. `os.fork` cannot do that. What it does around fork(2) is done here too, by the interpreter's own
# PyOS_BeforeFork, PyOS_AfterFork_Parent and PyOS_AfterFork_Child: handlers of os.register_at_fork, the locks of imports and
# of the interpreter, the threads that are gone. Nothing of ctypes is imported but the module in C.

from posix import pread
from sys import byteorder

SIGKILL, EMFILE = 9, 24
PR_SET_PDEATHSIG, PR_GET_TID_ADDRESS = 1, 40
CLONE_PARENT, CLONE_PIDFD, CLONE_INTO_CGROUP = 0x8000, 0x1000, 0x200000000
ENDING = 200_000_000  # nanoseconds that the system is given to take a thread away that has ended
LONGEST = 32 * 1024  # bytes of a packet
DESCRIBED = 1024  # bytes of what describes a thread that are looked at
MORE, HELLO, INITIALIZED, FORKED, REFUSED, UNFIT = range(6)


class Unfit(Exception):
    """Nothing can be forked from this process."""


class Forks:
    """What forks."""

    def __init__(self, clone, clone3, set_tid_address):
        sys.path[:] = [folder for folder in _whole_path if folder not in _foreign]
        try:
            import _ctypes
            import gc
        except ImportError as error:
            raise Unfit("its interpreter cannot call the system (%s)" % error)
        finally:
            sys.path[:] = _whole_path
        if not clone:
            raise Unfit("this system has no such forks")
        self.collects, self.stop_collecting, self.collect = gc.isenabled, gc.disable, gc.enable
        self.errno, self.set_errno = _ctypes.get_errno, _ctypes.set_errno

        class Long(_ctypes._SimpleCData):
            _type_ = "l"

        class Int(_ctypes._SimpleCData):
            _type_ = "i"

        class Words(_ctypes.Array):
            _type_, _length_ = Long, 11

        class Function(_ctypes.CFuncPtr):
            # The lock of the interpreter is kept: a child without it would wait for the thread that had it.
            _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI | _ctypes.FUNCFLAG_USE_ERRNO
            _restype_ = Long

        try:
            program = _ctypes.dlopen(None, 0)
            found = [Function(_ctypes.dlsym(program, name)) for name in (
                "syscall", "prctl", "pthread_self", "PyOS_BeforeFork", "PyOS_AfterFork_Parent", "PyOS_AfterFork_Child")]
        except OSError as error:
            raise Unfit("its interpreter has no such forks (%s)" % error)
        self.syscall, self.prctl, of_thread, self.before, self.in_parent, self.in_child = found
        zero, self.pidfd = Long(0), Int(-1)
        by_reference = _ctypes.byref(self.pidfd)
        # The order of the last two differs between machines; both are zero.
        self.plain = Long(clone), Long(CLONE_PARENT | CLONE_PIDFD), zero, by_reference, zero, zero
        # It refuses an exit signal beside CLONE_PARENT: the child has that of its siblings.
        self.words = Words(CLONE_PARENT | CLONE_PIDFD | CLONE_INTO_CGROUP, _ctypes.addressof(self.pidfd))
        self.in_group = Long(clone3), _ctypes.byref(self.words), Long(_ctypes.sizeof(self.words))
        # Where the C library keeps the number of the thread: fork(3) would write that of the child's there.
        address = Long(0)
        known = self.prctl(Int(PR_GET_TID_ADDRESS), _ctypes.byref(address), zero, zero, zero) == 0
        place = place_of_number(address.value if known else 0, of_thread() & (1 << 64) - 1)
        self.thread = Int.from_address(place) if place else None
        self.own_thread = Long(set_tid_address), Long(place or 0)
        self.death = Int(PR_SET_PDEATHSIG), Long(SIGKILL), zero, zero, zero

    def fork(self, group):
        """0 in the child; its process id and pidfd in the parent, or 0 and minus the number of the error."""
        arguments = self.plain
        if group is not None:
            self.words[10] = group
            arguments = self.in_group
        self.set_errno(0)
        collects = self.collects()
        self.stop_collecting()
        self.before()
        pid = self.syscall(*arguments)
        if pid == 0:
            if self.thread is not None:
                self.thread.value = self.syscall(*self.own_thread)
            self.in_child()
        else:
            error = self.errno()
            self.in_parent()
        if collects:
            self.collect()
        return 0 if pid == 0 else (pid, self.pidfd.value) if pid > 0 else (0, -error)

    def die_with(self, parent):
        """The kernel kills this process when its parent ends."""
        self.prctl(*self.death)
        if getppid() != parent:
            leave(0)


def place_of_number(told, described):
    """Where in its memory the C library keeps the number of the only thread; None where it is not found. Up to glibc 2.42 that is
    what the kernel was told at the start (set_tid_address), later ones have it in what describes the thread alone."""
    try:
        memory = open_file("/proc/self/mem", READ_ONLY)
    except OSError:
        return None
    try:
        if told and int.from_bytes(pread(memory, 4, told), byteorder) == getpid():
            return told
        # The number is looked for where no half of an address lies that is as small.
        numbers = enumerate(Struct("=iI").iter_unpack(pread(memory, DESCRIBED, described)))
        found = [place for place, (number, _) in numbers if number == getpid()]
        return described + 8 * found[0] if len(found) == 1 else None
    except (OSError, OverflowError):  # nothing is there
        return None
    finally:
        close(memory)


class Line:
    """Packets with descriptors."""

    def __init__(self):
        sys.path[:] = [folder for folder in _whole_path if folder not in _foreign]
        import _socket
        sys.path[:] = _whole_path
        self.kinds = _socket.SOL_SOCKET, _socket.SCM_RIGHTS
        self.flags, self.cut = _socket.MSG_CMSG_CLOEXEC, _socket.MSG_CTRUNC
        self.room = _socket.CMSG_SPACE(3 * 4)
        self.socket = _socket.socket(fileno=3)
        self.same = fstat(3)
        set_inheritable(3, False)

    def receive(self):
        """What came, the descriptors that came with it, and whether some are missing; nothing at the end."""
        try:
            data, rights, flags, _ = self.socket.recvmsg(LONGEST, self.room, self.flags)
        except ConnectionResetError:
            data = b""
        if not data:
            leave(0)
        descriptors = []
        for level, kind, numbers in rights:
            if (level, kind) == self.kinds:
                descriptors += [number for (number,) in Struct("=i").iter_unpack(numbers[: len(numbers) // 4 * 4])]
        return data, descriptors, bool(flags & self.cut)

    def say(self, kind, content=b"", descriptors=()):
        rights = [self.kinds + (Struct("=i").pack(number),) for number in descriptors]
        self.socket.sendmsg([bytes([kind]) + content], rights)

    def check(self):
        try:
            if same_file(fstat(3), self.same):
                return
        except OSError:
            pass
        raise Closed("an import or the initializer has closed the descriptors of the fork server")


class Signals:
    """The ways in which signals are dealt with, before anybody's import has changed them."""

    def __init__(self):
        import _signal
        self.look, self.set, self.set_mask = _signal.getsignal, _signal.signal, _signal.pthread_sigmask
        self.set_wakeup, self.whole, self.known = _signal.set_wakeup_fd, _signal.SIG_SETMASK, {}
        for number in range(1, _signal.NSIG):
            try:
                self.known[number] = _signal.getsignal(number)
            except ValueError:
                pass
        self.mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, [])

    def reset(self):
        for number, handler in self.known.items():
            try:
                if self.look(number) is not handler and handler is not None:
                    self.set(number, handler)
            except (OSError, ValueError):
                pass
        self.set_wakeup(-1)
        self.set_mask(self.whole, self.mask)


def check_threads(doing):
    """A copy of a process that has several threads would be a copy of their locks, held by nobody."""
    module, deadline = sys.modules.get("threading"), monotonic_ns() + ENDING
    while True:
        count = len(listdir("/proc/self/task"))
        if count == 1:
            return
        names = named_threads(module) if module else []
        if names or monotonic_ns() >= deadline:
            break
        # One that was joined may be about to end.
        sleep(0.002)
    plural = "a thread" if count == 2 else "%d threads" % (count - 1)
    raise Unfit("%s has left %s running%s" % (doing, plural, ": %s" % _short(", ".join(names), 200) if names else ""))


def named_threads(module):
    """What a module of the library says, if it is still that."""
    try:
        main = module.main_thread()
        return [exact(str(thread.name)) for thread in module.enumerate() if thread is not main]
    except BaseException:  # whatever has been put in its place
        return []


def prepared(line):
    """The frames that every worker would be sent first."""
    frames, last = b"", False
    while not last:
        data, _, _ = line.receive()
        if data[0] > 1:
            raise Broken("an order before its setup")
        frames, last = frames + data[1:], data[0] == 1
        if not last:
            line.say(MORE)
    found, at = [], 0
    while at < len(frames):
        length, kind, _, _ = HEADER.unpack_from(frames, at)
        found.append((kind, frames[at + 8 : at + 8 + length]))
        at += 8 + length
    return found


def serve_forks():
    parent, numbers = int(sys.argv[2]), map(int, sys.argv[3:6])
    sys.argv[:] = [""]
    line = Line()
    frames = prepared(line)
    try:
        order, forks, worker = preload(line, frames, parent, numbers)
    except Unfit as unfit:
        line.say(UNFIT, safe(_short(str(unfit))).encode())
        while True:
            # It is ended when that was heard.
            line.receive()
    # This is a worker.
    live(parent, lambda: born(worker, forks, parent, *order))


def preload(line, frames, parent, numbers):
    """Makes everything ready and forks; comes back in each worker, with its order."""
    forks, signals = Forks(*numbers), Signals()
    forks.die_with(parent)
    worker, what = Worker(), None
    worker.map_board()
    for kind, payload in frames:
        if kind == 1:
            worker.prepare(parsed(payload.decode()))
            line.check()
        elif kind == 4:
            what = parsed(payload.decode())
        else:
            worker.take(kind, 0, payload)
    signals.reset()
    worker.output.flush()
    check_threads("the import of %s" % ", ".join(sorted({name.split(":")[0] for name in worker.functions})))
    line.say(HELLO)
    if what is not None:
        error, _, answer = initialize(what, worker.initializer, worker.seed)
        signals.reset()
        worker.output.flush()
        line.check()
        if not error:
            check_threads("the initializer")
        line.say(INITIALIZED, HEADER.pack(len(answer), 5, 0, 0) + answer)
        if error:
            raise Broken(error)
    return serve_orders(line, forks, worker) + (forks, worker)


def serve_orders(line, forks, worker):
    while True:
        data, descriptors, truncated = line.receive()
        if data[0] != 2:
            raise Broken("an order that is none")
        if len(descriptors) < 2 or truncated:
            # They did not fit into this process.
            for descriptor in descriptors:
                close(descriptor)
            line.say(REFUSED, Struct("<i").pack(EMFILE))
            continue
        called = monotonic_ns()
        forked = forks.fork(descriptors[2] if len(descriptors) > 2 else None)
        if forked == 0:
            line.socket.detach()
            return ((int.from_bytes(data[1:5], "little"), data[5:6] == b"\1", descriptors, monotonic_ns()),)
        pid, number = forked
        if pid:
            line.say(FORKED, Struct("<IQQ").pack(pid, called, monotonic_ns()), [number])
            close(number)
        else:
            line.say(REFUSED, Struct("<i").pack(-number))
        for descriptor in descriptors:
            close(descriptor)


def born(worker, forks, parent, first_line, has_task, descriptors, began):
    """The first steps of a forked worker."""
    # Its parent is Poolscope: whatever becomes of the server, it lives and dies with that.
    forks.die_with(parent)
    setpgid(0, 0)
    # Where an import or the initializer has closed those, they may have come as 0, 1 or 2.
    lifted = descriptors
    if min(descriptors) < 4:
        lifted = [fcntl(descriptor, F_DUPFD_CLOEXEC, 4) for descriptor in descriptors]
        for descriptor in descriptors:
            close(descriptor)
    socket, output = lifted[:2]
    dup2(output, 1)
    dup2(output, 2)
    dup2(socket, 3, False)
    for descriptor in lifted:
        close(descriptor)
    worker.output.attach()
    # As `multiprocessing` does it in a process that it has forked: what is to be done at the end of the server, and its
    # children, are not this one's.
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util._finalizer_registry.clear()
        util._run_after_forkers()
        sys.modules["multiprocessing.process"]._children = set()
    worker.attach(first_line, began)
    worker.greet()
    while has_task and not (worker.runs or worker.ended):
        worker.receive()
    # Nothing comes after its task.
    worker.ended |= has_task
    return worker


if sys.argv[1:2] == ["__forkserver"]:
    try:
        serve_forks()
    except BaseException as error:
        last_words(error, "")
    leave(CANNOT_GO_ON)
