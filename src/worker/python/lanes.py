# Several lanes in one interpreter: a thread for each. The main thread reads the socket and hands out what comes; no task
# runs in it. What ends the interpreter ends the tasks of all lanes, so a lane that is about to do so says it first.

MOST_LANES = 4096  # lines of the board
LINE = 64
MOST_PRINTED = 8192  # bytes that are kept at each end of what a task prints
NOT_MAIN = ("main thread", "event loop in thread")
IDENT = 6  # place of the thread's name in the words of a crash, in a line of the board
PATIENCE = 2  # seconds in which the first thread to give up has said why
IS_ENDING = 1 << 31  # beside the number of the thread: its task is ending the process


class Printed:
    """The ends of what a task prints."""

    def __init__(self):
        self.begin, self.end, self.left_out = b"", b"", 0

    def add(self, data):
        room = MOST_PRINTED - len(self.begin)
        self.begin += data[:room] if room > 0 else b""
        rest = data[max(room, 0) :]
        if len(rest) > MOST_PRINTED:
            self.left_out += len(self.end) + len(rest) - MOST_PRINTED
            self.end = rest[-MOST_PRINTED:]
        elif rest:
            self.end += rest
            self.left_out += max(len(self.end) - MOST_PRINTED, 0)
            self.end = self.end[-MOST_PRINTED:]

    def text(self):
        gap = b"\n[%d bytes left out]\n" % self.left_out if self.left_out else b""
        return (self.begin + gap + self.end).decode("utf-8", "replace")


class Lane(Worker):
    """What a worker is, for one thread of several: its line of the board, its letters, its reports."""

    HINT = " (tasks of a thread engine do not run in the main thread of their interpreter)"

    child = ended = retired = loud = asked = False
    left = None
    printing = b""  # the task that has printed what is in `printed`, as it is on the board

    def __init__(self, crew, number):
        worker = self.worker = crew.worker
        self.crew, self.number = crew, number
        self.socket, self.same, self.seed, self.pickles = worker.socket, worker.same, worker.seed, worker.pickles
        self.functions, self.calls, self.output = worker.functions, worker.calls, Silent
        self.handles, self.state, self.since, self.latest = worker.handles, worker.state, None, 0
        self.pid = worker.pid
        at = (crew.line + number) * LINE
        self.board = memoryview(worker.map)[at : at + LINE]
        self.short, self.long, self.sequence = self.board.cast("I"), self.board.cast("Q"), 0
        self.out, self.results, self.records, self.handled = bytearray(), bytearray(), bytearray(), bytearray()
        self.payloads, self.came, self.runs = {}, {}, []
        self.letters, self.printed = SimpleQueue(), Printed()
        self.reported = self.looked = monotonic_ns()

    def run(self):
        """The life of its thread."""
        crew = self.crew
        try:
            crew.lanes_of_threads[get_ident()] = self
            self.thread = get_native_id()
            self.long[IDENT], self.short[THREAD] = get_ident(), self.thread
            self.serve()
            crew.leave(self)
        except BaseException as error:
            set_recursion_limit(ROOM)
            crew.give_up(error)

    def take(self, kind, flags, payload):
        self.asked |= kind == 6
        Worker.take(self, kind, flags, payload)

    def receive(self, letter):
        while True:
            if letter is None:
                self.ended = True
            else:
                self.take(*letter)
            if self.letters.empty():
                return
            letter = self.letters.get()

    def serve(self):
        while not self.ended or self.runs:
            runs, self.runs = self.runs, []
            while runs and not self.retired:
                self.work_on(runs.pop(0))
            if self.retired or self.leaves():
                return self.give_back(runs)
            self.report()
            if not (self.runs or self.ended):
                self.receive(self.letters.get())
        self.report(last=True)

    def give_back(self, runs):
        """Others do what it has not begun, up to where it was asked to leave."""
        while True:
            rest = [self.left] if self.left else []
            rest += [(run[0], run[1]) for run in runs]
            self.put_records()
            if rest:
                self.say(4, b"".join(PAIR.pack(*pair) for pair in rest))
            self.report(last=True)
            if self.asked or self.ended:
                return
            self.receive(self.letters.get())
            self.left, runs, self.runs = None, self.runs, []

    def report(self, last=False):
        self.check_socket()
        if self.since is not None and (last or monotonic_ns() - self.state.looked > LOOK_AFTER):
            self.tell_changes()
        self.put_records()
        self.entry(NO_TASK, 0)
        now = monotonic_ns()
        if now - self.looked >= LOOK_EVERY or self.retired or self.ended:
            self.looked = now
            self.look_at_thread()
        if self.out:
            self.crew.send(self.out)
            self.out = bytearray()
        self.reported = now

    def tell_changes(self):
        # All lanes share what is looked at.
        with self.crew.looking:
            if self.since is not None:
                Worker.tell_changes(self)

    def since_look(self):
        """Those of all lanes: which of them it was cannot be told."""
        tasks = set()
        for lane in list(self.crew.lanes.values()):
            now = lane.long[TASK] if lane.is_in_a_task() else None
            tasks.update(task for task in (lane.since, now) if task is not None)
            if lane.since is not None:
                tasks.add(max(lane.since, lane.latest))
            # What one is in the middle of may still change something.
            lane.since = now if lane is not self else None
        return min(tasks), max(tasks)

    def end_output(self):
        """What is printed is its task's at once."""
        self.loud = False

    def look_for_threads(self):
        """Which of the threads its tasks have left behind cannot be told."""

    def used(self):
        usage = getrusage(RUSAGE_THREAD)
        return USAGE.pack(int(usage[0] * 1e9), int(usage[1] * 1e9), usage[6], usage[7], usage[14], usage[15])

    def is_in_a_task(self):
        return self.board[8:16] != b"\xff" * 8

    def told(self, error):
        message, trace = told(error)
        printed = self.words()
        if printed and not printed.endswith("\n"):
            printed += "\n"
        if issubclass(type(error), (ValueError, RuntimeError)) and any(words in message for words in NOT_MAIN):
            message += self.HINT
        self.printing = b""  # the next attempt begins anew
        return message, printed + trace

    def words(self):
        """What the task that it is in has printed."""
        return self.printed.text() if self.printing == self.board[8:16] else ""

    def add(self, data):
        task = bytes(self.board[8:16])
        if task != self.printing:
            self.printing, self.printed = task, Printed()
        self.printed.add(data)


class Silent:
    """What a lane has in place of the output of a worker: what is printed is the task's at once."""

    flushes = [lambda: None, lambda: None]
    flush = staticmethod(lambda: None)
    put_mark = staticmethod(lambda: 0)


class Routed(io.FileIO):
    """A descriptor. What a lane writes to it is its task's."""

    crew = None

    def write(self, data):
        crew = self.crew
        lane = crew.lanes_of_threads.get(get_ident())
        if lane is None or crew.child:
            return io.FileIO.write(self, data)
        data = bytes(data)
        lane.add(data)
        return len(data)


class Crew:
    """The lanes of a worker, and what they share."""

    def __init__(self, worker, lanes):
        self.worker, self.line, self.at_first = worker, worker.line, lanes
        self.lanes, self.lanes_of_threads = {}, {}
        self.turn, self.looking, self.over, self.present, self.child = Lock(), Lock(), Lock(), 0, False
        os.register_at_fork(after_in_child=self.become_child)
        self.take_over()
        # A crash is told with the thread that it happened in. Nothing else comes to the main thread.
        worker.output.watch_crashes(all_threads=True)
        signal(SIGINT, lambda number, frame: None)

    def take_over(self):
        """What tasks print and how they end the process goes through here."""
        self.exit, self.kill = leave, kill
        os._exit, os.kill = self.exit_of_a_task, self.kill_of_a_task
        Routed.crew = self
        for name, number in (("stdout", 1), ("stderr", 2)):
            old = getattr(sys, name)
            stream = io.TextIOWrapper(
                Routed(number, "w", closefd=False), encoding=old.encoding, errors=old.errors, write_through=True)
            stream.mode = "w"
            setattr(sys, name, stream)
            setattr(sys, "__%s__" % name, stream)

    def become_child(self):
        self.child = True
        for lane in self.lanes.values():
            lane.child = True

    # What ends the interpreter

    def end_is_near(self):
        """The task of this thread ends the interpreter: who looks at what is left finds out which one it was."""
        lane = self.lanes_of_threads.get(get_ident())
        if lane is not None and not self.child:
            lane.short[THREAD] |= IS_ENDING
            self.worker.output.say(lane.words().encode("utf-8", "replace"))
        return lane

    def exit_of_a_task(self, status):
        self.end_is_near()
        self.exit(status)

    def kill_of_a_task(self, pid, signal):
        lane = self.end_is_near() if signal and pid in (0, getpid(), -getpid()) else None
        self.kill(pid, signal)
        if lane is not None:
            lane.short[THREAD] &= ~IS_ENDING

    def give_up(self, error):
        """This interpreter cannot go on. Whatever goes wrong in saying so, it ends: a thread that has ended by itself would
        be waited for."""
        code = 0 if issubclass(type(error), (BrokenPipeError, ConnectionResetError)) else CANNOT_GO_ON
        try:
            # Others find out too, and the first one says it.
            if self.over.acquire(False):
                if code:
                    self.blame()
                    self.worker.output.say(b"the worker cannot go on: " + self.why(error))
                self.exit(code)
            sleep(PATIENCE)
        finally:
            self.exit(code)

    @staticmethod
    def why(error):
        try:
            message, trace = told(error)
            text = "%s\n" % (error if type(error) in (Closed, Broken) else trace.rstrip("\n") or message)
            return text.encode("utf-8", "replace")
        except BaseException:  # there is no memory for it
            return b"an error that cannot be told\n"

    def blame(self):
        """The task that is being worked on has done it. Which of several it was cannot be told."""
        at_work = [lane for lane in list(self.lanes.values()) if lane.is_in_a_task()]
        if len(at_work) == 1:
            at_work[0].short[THREAD] |= IS_ENDING

    # What goes and comes

    def send(self, data):
        with self.turn:
            probe = self.worker.probe
            rest = memoryview(probe.told() + data if probe else data)
            # It may have been closed while others were sending.
            self.worker.check_socket()
            while rest:
                rest = rest[self.worker.unhindered(write, rest) :]
            rest.release()

    def open(self, number):
        if number >= MOST_LANES - self.line:
            raise Broken("a frame for lane %d" % number)
        lane = self.lanes[number] = Lane(self, number)
        with self.turn:
            self.present += 1
        with_hook(lambda: Thread(target=lane.run, name="lane %d" % number).start())
        return lane

    def leave(self, lane):
        self.lanes_of_threads.pop(get_ident(), None)
        with self.turn:
            self.present -= 1
            last = not self.present
        if last:
            # The last one closes the door: the thread that reads would wait for the parent to.
            end_tracker()
            self.exit(0)

    def serve(self):
        try:
            self.hand_out()
        except BaseException as error:
            set_recursion_limit(ROOM)
            self.give_up(error)

    def hand_out(self):
        worker, inbox = self.worker, self.worker.inbox
        worker.report()
        for number in range(self.at_first):
            self.open(number)
        while not worker.ended:
            at = 0
            while len(inbox) - at >= 8:
                length, kind, flags, number = HEADER.unpack_from(inbox, at)
                if length > 1 << 20:
                    raise Broken("a frame of %d bytes" % length)
                if len(inbox) - at < 8 + length:
                    break
                payload = inbox[at + 8 : at + 8 + length]
                if kind in (3, 5, 6):
                    lane = self.lanes.get(number) or self.open(number)
                    lane.letters.put((kind, flags, payload))
                else:
                    worker.take(kind, flags, payload)
                at += 8 + length
            worker.check_socket()
            data = worker.unhindered(read, 1 << 18)
            worker.ended = not data
            inbox = inbox[at:] + data
        for lane in self.lanes.values():
            lane.letters.put(None)
        # The last lane ends the process.
        while True:
            sleep(3600)


def with_hook(call):
    """Nobody makes a thread where an import or a task has taken away the hook for exceptions (threading.py)."""
    hook, of_threads = getattr(sys, "excepthook", None), getattr(threading, "excepthook", None)
    try:
        sys.excepthook, threading.excepthook = hook or ignored, of_threads or ignored
        call()
    finally:
        sys.excepthook, threading.excepthook = hook, of_threads


def ignored(*_):
    pass


def import_for_lanes():
    """What lanes need beyond what one does. It is imported before anything of the user's, and in the main thread."""
    whole = sys.path[:]
    sys.path[:] = [folder for folder in whole if folder not in _foreign]
    global Lock, RUSAGE_THREAD, SimpleQueue, Thread, get_native_id, threading
    import threading
    from resource import RUSAGE_THREAD
    from threading import Lock, Thread, get_native_id
    try:
        from _queue import SimpleQueue
    except ImportError:  # not CPython
        from queue import SimpleQueue
    sys.path[:] = whole
