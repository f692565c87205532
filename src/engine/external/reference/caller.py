# A plain program with multiprocessing: the caller of a reference arm. It gets its tasks over a socket (see protocol.rs), hands
# them to CPython's own Pool, ProcessPoolExecutor or Processes with the calls that a script would make, and says what it got
# back. It holds nothing against what they do: what they cannot do is not done.

shim = sys.modules["_poolscope_shim"]
now = time.monotonic_ns
MOST_GIVEN = 1 << 18
# Seconds between two tellings of what came back, and two looks at what only ends. Each of the first wakes this program and the
# one that observes it, on cores that are the workers': so that it is done as seldom as a dashboard can bear.
REPORT_EVERY, LOOK_EVERY = 0.02, 0.005
MOST_KEPT = 64 << 20  # bytes of results that are kept to be compared, about
MOST_TOLD = 500  # results in a line
END = object()


class Parent:
    """The other end of the socket. Lines go out whole."""

    def __init__(self):
        self.socket = socket.socket(fileno=3)
        self.socket.set_inheritable(False)
        self.inbox = b""
        self.speaking = threading.Lock()

    def say(self, kind, **fields):
        data = json.dumps(dict(fields, type=kind)).encode() + b"\n"
        with self.speaking:
            self.socket.sendall(data)

    def lines(self):
        """What has come, after waiting for it; None where nothing will come any more."""
        data = self.socket.recv(1 << 16)
        if not data:
            return None
        *whole, self.inbox = (self.inbox + data).split(b"\n")
        return [json.loads(line.decode()) for line in whole]


class Task:
    """What is to be called. Its arguments are made when it is handed in: there may be many tasks with much in each."""

    __slots__ = ("of", "index", "draws", "told")

    def __init__(self, of, index, draws, told):
        self.of, self.index, self.draws, self.told = of, index, draws, told

    @property
    def function(self):
        return self.of.call.function

    @property
    def wait(self):
        return self.of.wait

    def arguments(self):
        return self.of.arguments(self.index, self.draws, self.told)

    def positional(self):
        """The arguments without names, as `map` hands them on."""
        args, kwargs = self.arguments()
        if not kwargs:
            return args
        bound = inspect.signature(self.function).bind(*args, **kwargs)
        return bound.args

    def tried(self):
        """The same, or what stands for it where its item cannot be read: then `tolerant` says whom to call."""
        if not self.of.call.told:
            return self.positional()
        try:
            return self.positional()
        except Exception as error:
            return (_poolscope_task.Unmade(error),)

    def tolerant(self):
        """The function, where what it is called with may be what stands for arguments."""
        return functools.partial(_poolscope_task.made, self.function) if self.of.call.told else self.function

    def of_all(self, items):
        """The function itself, unless something stands for arguments among these."""
        unmade = any(args and type(args[0]) is _poolscope_task.Unmade for args in items)
        return self.tolerant() if unmade else self.function


class Class:
    """What the tasks of a class call, and how long their caller waits."""

    def __init__(self, one, seed):
        call = one["work"]["Python"]
        self.call, self.wait, self.seed = Call(call, resolved(call["callable"])), one["wait_timeout"], seed
        self.data = call["payload"]["in"]

    def arguments(self, index, draws, told):
        if self.call.fixed is not None:
            return self.call.fixed
        data = pattern(index, self.data) if self.data else b""
        told = made_of_item(told)
        varies = {"Index": index, "Attempt": 1, "Seed": self.seed, "draws": draws, "Payload": data, "told": told}
        return self.call.arguments(varies)


def made_of_item(told):
    """What was made of an item; raises where it was not, or where it is nothing that Python can read."""
    if isinstance(told, dict):
        raise _poolscope_task.ItemError(told["unreadable"])
    return told and json.loads(told)


class Results:
    """What came back, until it was told: and, for the end, what it was."""

    def __init__(self, caller):
        self.caller = caller
        self.back = collections.deque()
        self.values, self.kept = [], 0
        # Whether the caller hands over what it took, or it is what came back.
        self.by_caller = False
        self.since = {}
        self.telling = threading.Lock()
        # What the caller has taken: how many results, and when.
        self.delivered = collections.deque()
        self.chunk, self.base = 1, 0

    def came_back(self, job, piece, result, at):
        self.back.append((job, piece, result, at))

    def positions(self, job, piece):
        first = (job - self.base + piece) * self.chunk
        return range(first, first + self.chunk)

    def tell(self):
        with self.telling:
            self.tell_all()

    def tell_all(self):
        caller, fine, back = self.caller, [], 0
        # What it took had come back before.
        taken = len(self.delivered)
        while self.back:
            job, piece, (ok, value), at = self.back.popleft()
            since = self.since.pop(job, 0)
            if ok:
                fine.append((job, piece, at, since))
                self.keep(job, piece, value)
                if len(fine) == MOST_TOLD:
                    caller.parent.say("back", results=fine)
                    fine = []
            else:
                message, trace = told_of(value)
                if fine:
                    caller.parent.say("back", results=fine)
                    fine = []
                caller.parent.say("unsuccessful", job=job, piece=piece, at=at, since=since, message=message, trace=trace,
                                  broken=type(value).__name__ == "BrokenProcessPool")
            back += self.chunk
        if fine:
            caller.parent.say("back", results=fine)
        if back and caller.start["total"] > MOST_GIVEN:
            caller.parent.say("want", tasks=back)
        for first in range(0, taken, MOST_TOLD):
            part = [self.delivered.popleft() for _ in range(min(taken - first, MOST_TOLD))]
            caller.parent.say("delivered", results=part)

    def taken(self, count=1):
        """The caller has so many results more."""
        self.delivered.append((count, now()))

    def keep(self, job, piece, value):
        if self.by_caller:
            return
        if self.caller.whole:
            self.keep_all(list(zip(self.positions(job, piece), value)))
        else:
            self.keep_all([(job - self.base + piece, value)])

    def keep_all(self, pairs):
        if self.values is None:
            return
        self.values += pairs
        self.kept += sum(size(value) for _, value in pairs) + 100 * len(pairs)
        if self.kept > MOST_KEPT:
            self.values = None

    def compare(self):
        """After the clock has stopped."""
        parent, tasks = self.caller.parent, self.caller.tasks
        if self.values is None:
            return parent.say("not_compared")
        for at in range(0, len(self.values), 1000):
            part = self.values[at : at + 1000]
            parent.say("values", values=[(tasks[position], digest(value)) for position, value in part])


def size(value, depth=0):
    """About as many bytes as it takes: what is in it is taken to be like its first."""
    try:
        own = sys.getsizeof(value)
        if depth < 5 and type(value) in (list, tuple, set, frozenset) and value:
            own += len(value) * size(next(iter(value)), depth + 1)
        elif depth < 5 and type(value) is dict and value:
            first = next(iter(value.items()))
            own += len(value) * (size(first[0], depth + 1) + size(first[1], depth + 1))
        elif hasattr(value, "nbytes"):
            own = max(own, int(value.nbytes))
        return own
    except Exception:  # a class that does not bear being looked at
        return 1000


def told_of(error):
    """Message and traceback: that of the worker, where it came along."""
    message, trace = told(error)
    remote = getattr(getattr(error, "__cause__", None), "tb", None)
    if isinstance(remote, str):
        trace = remote.strip().strip("\"'").strip("\n")
    return safe(message), safe(_short(without_shim(trace), LONGEST_REPORT))


def without_shim(trace):
    """A traceback without the frames that would not be there if nobody looked."""
    kept, skipping = [], False
    for line in trace.split("\n"):
        if line.startswith("  File "):
            skipping = os.path.dirname(__file__) in line
        elif not line.startswith("    "):
            skipping = False
        if not skipping:
            kept.append(line)
    return "\n".join(kept)


def safe(text):
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def leave():
    """Ends what CPython has started for itself and leaves to end on its own: run last, when nothing needs it any more."""
    limit = now() + 300000000
    for module, owner, line, its_pid in (
        ("forkserver", "_forkserver", "_forkserver_alive_fd", "_forkserver_pid"),
        ("resource_tracker", "_resource_tracker", "_fd", "_pid"),
    ):
        module = sys.modules.get("multiprocessing." + module)
        if module is None:
            continue
        owner = getattr(module, owner)
        number, pid = getattr(owner, line), getattr(owner, its_pid)
        setattr(owner, line, None)
        setattr(owner, its_pid, None)
        if number is None or pid is None:
            continue
        try:
            os.close(number)
            while now() < limit and not os.waitpid(pid, os.WNOHANG)[0]:
                time.sleep(0.002)
        except OSError:
            pass


class Caller:
    def __init__(self, parent, start):
        self.parent, self.start = parent, start
        self.workers, self.submit = start["workers"], start["submit"]
        self.chunksize = start["chunksize"]
        self.context = multiprocessing.get_context(start["start_method"])
        self.classes = [Class(one, start["seed"]) for one in start["classes"]]
        call = start["initializer"]
        self.initializer = call and initializer_of(Call(call, resolved(call["callable"])), start["seed"])
        self.tasks = []
        self.results = Results(self)
        self.whole = False
        self.ghosts = 0
        shim.came_back = self.results.came_back

    def hello(self):
        self.parent.say("hello", version=1, can=["kill_worker", "wait_timeout"])
        self.parent.say("want", tasks=min(self.start["total"], MOST_GIVEN))

    def over_now(self):
        """The clock stops; workers that are ended from now on are so on purpose."""
        shim.tell("C\n")
        self.parent.say("over")

    def hear(self):
        """Does what has come, after waiting for it: `take` is given tasks, and `no_more` called behind the last of them."""
        lines = self.parent.lines()
        if lines is None:
            os._exit(0)
        for line in lines:
            kind = line["type"]
            if kind == "tasks":
                self.take(self.of_line(line))
            elif kind == "end":
                self.no_more()
            elif kind == "stop":
                self.stop()
            elif kind == "kill_worker":
                self.kill(line["worker"])

    def of_line(self, line):
        """The tasks of a line, in their order."""
        of, draws, told = self.classes[line["class"]], line.get("draws"), line.get("told")
        for offset in range(line["count"]):
            index = line["first"] + offset
            self.tasks.append(index)
            yield Task(of, index, draws and draws[offset], told and told[offset])

    def stop(self):
        """Ends what it has started, and itself. Nobody is started in the place of one that it ends."""
        shim.tell("C\n")
        self.start_no_more()
        # One that was being started right now is among the next.
        children = multiprocessing.active_children()
        while children:
            for child in children:
                child.terminate()
            for child in children:
                child.join()
            children = multiprocessing.active_children()
        self.results.tell()
        os._exit(0)

    def start_no_more(self):
        pass

    def kill(self, pid):
        if any(child.pid == pid for child in multiprocessing.active_children()):
            os.kill(pid, signal.SIGKILL)


def initializer_of(call, seed):
    """A function of what is to be called in each worker, and its arguments: there is no place for their names."""
    args, kwargs = call.arguments({"Seed": seed, "Index": 0, "Attempt": 0})
    return (functools.partial(call.function, **kwargs) if kwargs else call.function), tuple(args)


def pattern(index, length):
    """The bytes that travel with a task."""
    piece = bytes((place ^ index) & 255 for place in range(256))
    return (piece * (length // 256 + 1))[:length]


