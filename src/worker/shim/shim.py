# Observes what a program does with multiprocessing and concurrent.futures, from inside, and changes nothing of it. It is the
# `sitecustomize` of a folder that is put first on PYTHONPATH, so that every process of the program has it, however it was
# started; one that was there before is run too. What it sees goes as lines into a named pipe (see record.rs), each before
# whoever it is about can act upon it: what a program has got is told before it has it. It imports nothing but time and os, and
# keeps nothing.
import os
import sys
import time
from _thread import get_ident

now, write = time.monotonic_ns, os.write
loaded, loaded_by = now(), os.getpid()
FOLDER = os.path.dirname(os.path.abspath(__file__))
# The program does not see them: they are put back for another interpreter of its own.
PIPE = os.environ.pop("POOLSCOPE_SHIM", None)
USAGE = "U %d %d %d %d\n"
USAGE_EVERY = 100000000  # nanoseconds
CLOSING = 2000  # nanoseconds: closing a descriptor and opening another one takes longer
LONGEST = 3500  # bytes of a line: less than is written as one piece (PIPE_BUF)

# The process that is observed: only what its own children do is told, and not what these start themselves.
root = int(os.environ.pop("POOLSCOPE_SHIM_ROOT", os.getpid()))


class Pipe:
    """Where lines go. A program may close its descriptors, and give their numbers to files of its own."""

    number = same = None

    def tell(self, text):
        data = text.encode()
        try:
            write(self.number, data)
        except (OSError, TypeError):
            self.tell_again(data)

    def tell_again(self, data):
        self.number = None
        for _ in range(2):
            try:
                if self.number is None:
                    self.number = os.open(PIPE, os.O_WRONLY | os.O_CLOEXEC)
                    self.same = os.fstat(self.number)
                write(self.number, data)
                return
            except OSError:
                self.number = None

    def check(self):
        try:
            found = os.fstat(self.number)
            if (found.st_ino, found.st_dev) == (self.same.st_ino, self.same.st_dev):
                return
        except (OSError, TypeError):
            pass
        self.number = None


pipe = Pipe()
tell = pipe.tell


class Worker:
    """What this process does as a worker of the program; nothing as long as it is none."""

    pid = None
    ready = False
    told = 0
    # When its start was begun, where it was forked by whoever has begun it; when it was first seen, and began.
    started = began = None
    # Whether it is a copy of a worker, made by a task, which has gone on as a worker beside it.
    is_copy = False

    def __init__(self):
        self.piece = None
        self.stamps = []
        # The thread that has taken the piece: what others do with pools of their own is none of it.
        self.thread = None
        # Whether the items of the piece are still to be asked for.
        self.is_chunk = False

    def begin(self, parent):
        self.__init__()
        self.pid = os.getpid() if parent == root else None
        began = now()
        self.ready, self.told, self.is_copy = False, began, False
        self.started = starting.get(get_ident())
        # Its interpreter is its own, or it is a copy of one that was there.
        self.began = (loaded if loaded_by == self.pid else began), began

    def is_it(self):
        # A process that a task has forked is no worker.
        return self.pid is not None and self.pid == os.getpid()

    def goes_on(self):
        """A process that a task has forked is one from when it comes back to where its worker takes and gives pieces."""
        if self.pid is not None and self.pid != os.getpid():
            self.pid, self.ready, self.is_copy, self.started, self.began = os.getpid(), False, True, None, None

    def waits(self):
        if not self.ready:
            self.goes_on()
            if self.pid is not None:
                tell(self.is_there())

    def is_there(self):
        """What is told of it first. One that was forked may be faster with that than whoever has started it."""
        self.ready = True
        return "%sW %d %d\n" % (self.birth(), self.pid, now())

    def birth(self):
        """When it came to be."""
        started, began = self.started, self.began
        self.started = self.began = None
        text = "" if started is None else "S %d %d\n" % (self.pid, started)
        return text if began is None else "%sN %d %d %d\n" % ((text, self.pid) + began)

    def took(self, job, piece, count, is_chunk=False):
        self.goes_on()
        if self.pid is not None:
            self.piece = job, piece
            self.thread, self.is_chunk = get_ident(), is_chunk
            text = "" if self.ready else self.is_there()
            tell("%sT %d %d %d %d %d\n" % (text, self.pid, job, piece, count, now()))
            self.stamps, self.ended = [], None
            self.begun = now()

    def raised(self):
        """The function has raised; what is made of that is none of its time."""
        if self.thread == get_ident():
            self.ended = now()

    def ran(self, failed):
        # The first one who comes back from it has done it, be it a copy: its result is the one that counts.
        if self.piece is None or self.pid is None:
            return
        end = now()
        job, piece = self.piece
        self.piece = None
        stamps = self.stamps or [self.begun]
        if failed:
            stamps.append(self.ended or end)
        elif len(stamps) == 1:
            stamps.append(end)
        self.ended = None
        if end - stamps[0] > CLOSING:
            pipe.check()
        begun = stamps[0]
        text = "E %d %d %d %d %d" % (self.pid, job, piece, begun, stamps[1] - begun)
        if len(stamps) > 2:
            text = self.many(text, stamps, job, piece)
        tell(text + (" !\n" if failed else "\n"))
        self.goes_on()
        if end - self.told > USAGE_EVERY:
            self.usage()

    ended = None

    def many(self, text, stamps, job, piece):
        """The last line of many tasks, as its first one begins; those before it are told."""
        for before, after in zip(stamps[1:], stamps[2:]):
            if len(text) > LONGEST:
                tell(text + " +\n")
                text = "E %d %d %d %d" % (self.pid, job, piece, before)
            text += " %d" % (after - before)
        return text

    def initializes(self, function):
        """An initializer as it is, but timed."""

        def initializer(*args):
            self.initialize(function, args)

        return function if function is None else initializer

    def initialize(self, function, args):
        begin, used, well = now(), time.process_time_ns(), 0
        try:
            function(*args)
            well = 1
        finally:
            if self.is_it():
                took = now() - begin, time.process_time_ns() - used
                text = "%sI %d %d %d %d %d %d\n"
                tell(text % ((self.birth(), self.pid) + took + (memory(b"VmRSS:"), well, begin + took[0])))

    def leaves(self):
        """It has nothing left to do. Its end may take a while."""
        if self.is_it():
            pipe.check()
            self.usage()
            if self.is_copy:  # nobody waits for it who would tell
                tell("X %d 0\n" % self.pid)

    def usage(self):
        self.told = now()
        if self.is_copy:  # its time is that of the worker that waits for it
            return
        used = time.process_time_ns()
        times = os.times()
        system = min(int(times.system * 1e9), used)
        user = used - system + int(times.children_user * 1e9)
        system += int(times.children_system * 1e9)
        tell(USAGE % (self.pid, user, system, memory(b"VmHWM:")))

    def stamped(self, items):
        """The items of a chunk, and the moment at which each is asked for: the one before it is done then. A task that has
        a pool of its own asks for other items."""
        if not (self.is_chunk and self.thread == get_ident() and self.is_it()):
            return items
        self.is_chunk = False
        return self.stamping(items)

    def stamping(self, items):
        stamps = self.stamps = []
        stamp = stamps.append
        for item in items:
            stamp(now())
            yield item
        stamp(now())


def memory(row):
    """Bytes of this process in a row of its status; 0 where there is none."""
    try:
        number = os.open("/proc/self/status", os.O_RDONLY)
        try:
            for line in os.read(number, 4096).split(b"\n"):
                if line.startswith(row):
                    return int(line.split()[1]) * 1024
        finally:
            os.close(number)
    except OSError:
        pass
    return 0


worker = Worker()
# When each thread has begun to start the process that it starts: a forked one has a copy.
starting = {}


class Queue:
    """A queue as it is, but for one method."""

    def __init__(self, queue, name, method):
        self.queue = queue
        setattr(self, name, method)

    def __getattr__(self, name):
        return getattr(self.queue, name)


def came_back(job, piece, result, at):
    """The program has the result of a piece: whether it went well, and what it is. A caller of ours looks closer."""
    tell("B %d %d %d %d\n" % (job, piece, bool(result[0]), at))


def gave_up(job):
    """The caller of a piece does not wait any longer; the worker that is in it goes on."""
    if os.getpid() == root:
        tell("G %d %d\n" % (job, now()))


def of_process(module):
    process = module.BaseProcess
    start, bootstrap = process.start, process._bootstrap

    def observed_start(self):
        called = starting[get_ident()] = now()
        try:
            start(self)
        finally:
            starting.pop(get_ident(), None)
        if os.getpid() == root:
            tell("S %d %d\n" % (self.pid, called))

    def observed_bootstrap(self, *args, **kwargs):
        worker.begin(self._parent_pid)
        try:
            return bootstrap(self, *args, **kwargs)
        finally:
            # Whoever waits for it is told by the system what it has used; a fork server does the waiting for others.
            if os.getppid() != root:
                worker.leaves()

    process.start, process._bootstrap = observed_start, observed_bootstrap


def of_popen(module):
    """The end of a process is known to whoever waited for it."""
    poll = module.Popen.poll
    ends = module.os = System()

    def observed(self, *args, **kwargs):
        before = self.returncode
        code = poll(self, *args, **kwargs)
        if before is None and code is not None and os.getpid() == root:
            used = ends.used.pop(self.pid, None)
            text = "X %d %d\n" % (self.pid, code)
            if used is not None:
                times = int(used.ru_utime * 1e9), int(used.ru_stime * 1e9)
                text = USAGE % ((self.pid,) + times + (used.ru_maxrss * 1024,)) + text
            tell(text)
        return code

    module.Popen.poll = observed


class System:
    """`os` for the module that waits for processes: it keeps what they have used, which is told once."""

    def __init__(self):
        self.used = {}

    def __getattr__(self, name):
        return getattr(os, name)

    def waitpid(self, pid, options):
        if resource is None or os.getpid() != root:
            return os.waitpid(pid, options)
        if not options & os.WNOHANG:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        # It imports `resource` each time: the user may have one too, and is to have it.
        there = sys.modules.get("resource")
        sys.modules["resource"] = resource
        try:
            found, status, used = os.wait4(pid, options)
        finally:
            if there is None:
                del sys.modules["resource"]
            else:
                sys.modules["resource"] = there
        if found:
            self.used[found] = used
        return found, status


# The one of the standard library, from whoever has imported it.
resource = None


def of_util(module):
    """A new interpreter has the shim too, although the program does not see it in its environment."""
    spawn = module.spawnv_passfds

    def observed(*args, **kwargs):
        path = os.environ.get("PYTHONPATH")
        os.environ["PYTHONPATH"] = FOLDER if path is None else FOLDER + os.pathsep + path
        os.environ["POOLSCOPE_SHIM"], os.environ["POOLSCOPE_SHIM_ROOT"] = PIPE, str(root)
        try:
            return spawn(*args, **kwargs)
        finally:
            set_or_not("PYTHONPATH", path)
            set_or_not("POOLSCOPE_SHIM", None)
            set_or_not("POOLSCOPE_SHIM_ROOT", None)

    module.spawnv_passfds = observed


def of_pool(module):
    work, map_star, star_map_star = module.worker, module.mapstar, module.starmapstar
    with_traceback = module.ExceptionWithTraceback

    def mapstar(args):
        return map_star((args[0], worker.stamped(args[1])))

    def starmapstar(args):
        return star_map_star((args[0], worker.stamped(args[1])))

    def observed(inqueue, outqueue, initializer=None, *args, **kwargs):
        if not hasattr(inqueue, "_writer"):  # threads
            return work(inqueue, outqueue, initializer, *args, **kwargs)
        get, put = inqueue.get, outqueue.put

        def observed_get():
            worker.waits()
            task = get()
            if task is None:
                worker.leaves()
            else:
                function = task[2]
                many = function is mapstar or function is starmapstar
                worker.took(task[0], task[1], len(task[3][0][1]) if many else 1, many)
            return task

        def observed_put(result):
            worker.ran(not result[2][0])
            put(result)

        inqueue, outqueue = Queue(inqueue, "get", observed_get), Queue(outqueue, "put", observed_put)
        return work(inqueue, outqueue, worker.initializes(initializer), *args, **kwargs)

    def observed_traceback(*args):
        worker.raised()
        return with_traceback(*args)

    for new, old in ((mapstar, map_star), (starmapstar, star_map_star), (observed, work)):
        new.__module__, new.__name__, new.__qualname__ = old.__module__, old.__name__, old.__qualname__
        setattr(module, old.__name__, new)
    module.ExceptionWithTraceback = observed_traceback

    for kind in (module.ApplyResult, module.MapResult, module.IMapIterator, module.IMapUnorderedIterator):
        if "_set" in vars(kind):
            of_result(kind)
    get = module.ApplyResult.get

    def observed_wait(self, timeout=None):
        try:
            return get(self, timeout)
        except module.TimeoutError:
            if not self.ready():
                gave_up(self._job)
            raise

    module.ApplyResult.get = observed_wait
    init = module.Pool.__init__

    def observed_init(self, *args, **kwargs):
        init(self, *args, **kwargs)
        if os.getpid() == root and type(self) is module.Pool:
            tell("P %d\n" % self._processes)

    module.Pool.__init__ = observed_init


def of_result(kind):
    set_result = kind._set

    def observed(self, piece, result):
        # Whoever waits for it may leave as soon as it is set.
        if os.getpid() == root:
            sys.modules[__name__].came_back(self._job, piece, result, now())
        set_result(self, piece, result)

    kind._set = observed


def of_executor(module):
    work, chunk, submit = module._process_worker, module._process_chunk, module.ProcessPoolExecutor.submit
    with_traceback = module._ExceptionWithTraceback

    def process_chunk(function, items):
        return chunk(function, worker.stamped(items))

    def observed(call_queue, result_queue, initializer=None, *args, **kwargs):
        get, put = call_queue.get, result_queue.put

        def observed_get(*args, **kwargs):
            worker.waits()
            item = get(*args, **kwargs)
            if item is None:
                worker.leaves()
            else:
                many = getattr(item.fn, "func", None) is process_chunk
                worker.took(item.work_id, 0, len(item.args[0]) if many else 1, many)
            return item

        def observed_put(item):
            if hasattr(item, "work_id"):
                worker.ran(item.exception is not None)
            put(item)

        call_queue, result_queue = Queue(call_queue, "get", observed_get), Queue(result_queue, "put", observed_put)
        return work(call_queue, result_queue, worker.initializes(initializer), *args, **kwargs)

    def observed_traceback(*args):
        worker.raised()
        return with_traceback(*args)

    for new, old in ((process_chunk, chunk), (observed, work)):
        new.__module__, new.__name__, new.__qualname__ = old.__module__, old.__name__, old.__qualname__
        setattr(module, old.__name__, new)
    module._ExceptionWithTraceback = observed_traceback
    submitting = module.threading.local()
    begin = module._WorkItem.__init__

    def observed_submit(self, *args, **kwargs):
        submitting.executor = self
        try:
            return submit(self, *args, **kwargs)
        finally:
            submitting.executor = None

    def observed_item(self, future, *args, **kwargs):
        begin(self, future, *args, **kwargs)
        executor = getattr(submitting, "executor", None)
        if executor is not None and os.getpid() == root:
            # Its lock is held: this is the number that the item is given.
            vars(future)[NUMBER] = executor._queue_count

    module.ProcessPoolExecutor.submit, module._WorkItem.__init__ = observed_submit, observed_item
    of_future(module._base.Future)


NUMBER = "_poolscope_number"


def of_future(kind):
    set_result, set_exception, cancel = kind.set_result, kind.set_exception, kind.cancel

    def told(future, ok, value):
        number = vars(future).pop(NUMBER, None)
        if number is not None and os.getpid() == root:
            sys.modules[__name__].came_back(number, 0, (ok, value), now())

    # Whoever waits for it may leave as soon as it is set; callbacks are run later still.
    def observed_result(self, result):
        told(self, True, result)
        set_result(self, result)

    def observed_exception(self, exception):
        told(self, False, exception)
        set_exception(self, exception)

    def observed_cancel(self):
        cancelled = cancel(self)
        if cancelled:
            told(self, False, NEVER_RUN)
        return cancelled

    kind.set_result, kind.set_exception, kind.cancel = observed_result, observed_exception, observed_cancel


NEVER_RUN = RuntimeError("cancelled before it was run")

OBSERVED = {
    "multiprocessing.process": of_process,
    "multiprocessing.popen_fork": of_popen,
    "multiprocessing.popen_forkserver": of_popen,
    "multiprocessing.util": of_util,
    "multiprocessing.pool": of_pool,
    "concurrent.futures.process": of_executor,
}
OURS = ("_poolscope_caller", "_poolscope_task")


class Finder:
    """Has the modules looked at when they have been imported. Which file that is others say."""

    def find_spec(self, name, path=None, target=None):
        observe = OBSERVED.get(name)
        if observe is None and name not in OURS:
            return None
        path = [FOLDER] if name in OURS else path
        found = None
        for finder in sys.meta_path:
            if finder is not self and hasattr(finder, "find_spec"):
                found = finder.find_spec(name, path, target)
                if found is not None:
                    break
        if found is not None and observe is not None:
            run = found.loader.exec_module

            def exec_module(module):
                run(module)
                observe(module)

            found.loader.exec_module = exec_module
        return found


def set_or_not(name, value):
    if value is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = value


def install():
    sys.path[:] = [folder for folder in sys.path if folder != FOLDER]
    rest = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder != FOLDER]
    set_or_not("PYTHONPATH", os.pathsep.join(rest) or None)
    # This module stays, under a name of its own.
    own = sys.modules["_poolscope_shim"] = sys.modules.pop("sitecustomize")
    globals()["__name__"] = "_poolscope_shim"
    if PIPE:
        sys.meta_path.insert(0, Finder())
    try:
        import sitecustomize
    except ImportError as error:
        # Whoever imports it finds something.
        sys.modules["sitecustomize"] = own
        if error.name != "sitecustomize":
            raise


install()
