# Lanes with an interpreter each: subinterpreters of one process (PEP 734), each in a thread and with a lock of its own. The main
# interpreter imports nothing of the user's and runs no task: it reads the socket and hands on what comes, through a pipe for
# each lane. In its interpreter a lane runs this same program, is a lane as any other, and writes to the socket itself.

READY, ANSWER = 1, 5  # what lanes say to the main interpreter, as frames


GONE = "a task has closed the descriptors of its worker"
SET_PIPE_SIZE = 1031  # fcntl(2)


def steady(call, number, *args):
    """A task may have made every descriptor non-blocking, or have closed it."""
    while True:
        try:
            return call(number, *args)
        except BlockingIOError:
            set_blocking(number, True)
        except OSError:
            raise Closed(GONE) from None


def check_same(number, same):
    """What has the number of one that a task has closed is none of ours."""
    if not same_file(steady(fstat, number), same):
        raise Closed(GONE)


class Turn:
    """A lock between interpreters: a byte in a pipe, which is taken out and put back."""

    def __init__(self, ends=None):
        self.ends = ends or lifted(os.pipe())
        self.same = [fstat(end) for end in self.ends]

    def __enter__(self):
        for end, same in zip(self.ends, self.same):
            check_same(end, same)
        if not steady(read, self.ends[0], 1):
            raise Closed(GONE)

    def __exit__(self, *error):
        steady(write, self.ends[1], b".")


def lifted(ends):
    """The ends of a pipe with numbers that nothing else is likely to get."""
    copies = [_high(end) for end in ends]
    for end in ends:
        close(end)
    return copies


def import_for_interpreters():
    """Before anything of the user's, and in the main interpreter alone."""
    whole = sys.path[:]
    sys.path[:] = [folder for folder in whole if folder not in _foreign]
    global POLLIN, POLLOUT, interpreters, poll, compiled
    from concurrent import interpreters
    from marshal import dumps as compiled
    from select import POLLIN, POLLOUT, poll
    sys.path[:] = whole


class Interpreters:
    """The lanes of a worker, as the main interpreter sees them."""

    def __init__(self, worker, setup, lanes):
        self.worker, self.setup, self.at_first = worker, setup.decode(), lanes
        self.lanes, self.present, self.known, self.ready = {}, 0, b"", False
        self.counting, self.over, self.exit = Lock(), Lock(), leave
        self.program, self.turn, self.inside = compiled(_program), Turn(), lifted(os.pipe())
        self.turn.__exit__()
        worker.output.watch_crashes(all_threads=True)
        signal(SIGINT, lambda number, frame: None)

    def make_ready(self):
        """Starts those that are there at first, and waits until each has imported everything."""
        for number in range(self.at_first):
            self.open(number)
        for _ in range(self.at_first):
            self.hear()
        self.ready = True

    def initialize(self, what):
        """In each of them: the first error and its traceback, and one answer for all."""
        begin = monotonic_ns()
        payload = what.encode()
        first = HEADER.pack(len(payload), 4, 0, 0) + payload
        for lane in self.lanes.values():
            lane.outbox += first
        while any([not lane.hand_on() for lane in self.lanes.values()]):
            sleep(0.001)
        # Those that come later do it too, and have nobody to answer to.
        self.known += first
        answers = [self.hear() for _ in range(self.at_first)]
        error, trace = next(((one["error"], one["trace"]) for one in answers if one["error"]), (None, ""))
        answer = '{"wall_ns":%d,"cpu_ns":%d,"rss_bytes":%d,"error":%s,"trace":%s}' % (
            monotonic_ns() - begin, sum(one["cpu_ns"] for one in answers), resident(),
            quoted(error) if error else "null", quoted(trace))
        return error, trace, answer.encode()

    def hear(self):
        """What one of them says."""
        length, _, _, _ = HEADER.unpack(self.heard(HEADER.size))
        return parsed(self.heard(length).decode())

    def heard(self, length):
        data = b""
        while len(data) < length:
            piece = steady(read, self.inside[0], length - len(data))
            if not piece:
                raise Closed(GONE)
            data += piece
        return data

    def open(self, number):
        if number >= MOST_LANES - self.worker.line:
            raise Broken("a frame for lane %d" % number)
        lane = Outside(self, number, self.ready)
        if number in self.lanes:
            self.lanes[number].shut()
        with self.counting:
            self.lanes[number] = lane
            self.present += 1
        with_hook(lambda: Thread(target=lane.run, name="lane %d" % number).start())
        return lane

    def leave(self, lane):
        lane.gone = True
        with self.counting:
            self.present -= 1
            last = not self.present
        if last:
            self.exit(0)

    def give_up(self, error):
        """What goes wrong in here ends the process: its threads would be waited for for ever."""
        code = 0 if issubclass(type(error), (BrokenPipeError, ConnectionResetError)) else CANNOT_GO_ON
        try:
            if self.over.acquire(False) and code:
                self.worker.output.say(b"the worker cannot go on: " + Crew.why(error))
        finally:
            self.exit(code)

    def serve(self):
        try:
            self.hand_out()
        except BaseException as error:
            self.give_up(error)

    def hand_out(self):
        worker, inbox = self.worker, self.worker.inbox
        worker.report()
        while not worker.ended:
            at, view = 0, memoryview(inbox)
            while len(inbox) - at >= 8:
                length, kind, flags, number = HEADER.unpack_from(inbox, at)
                if length > 1 << 20:
                    raise Broken("a frame of %d bytes" % length)
                if len(inbox) - at < 8 + length:
                    break
                frame = view[at : at + 8 + length]
                if kind in (3, 5, 6):
                    lane = self.lanes.get(number)
                    (self.open(number) if lane is None or lane.gone else lane).outbox += frame
                elif kind == 2:
                    self.known += bytes(frame)
                    for lane in self.lanes.values():
                        lane.outbox += frame
                else:
                    worker.take(kind, flags, bytes(frame[8:]))
                at += 8 + length
            data = self.come()
            worker.ended = not data
            inbox = inbox[at:] + data
        for lane in self.lanes.values():
            lane.closing = True
        self.come()
        # The last lane ends the process.
        while True:
            sleep(3600)

    def come(self):
        """What comes from the parent; meanwhile what has come is handed on, as lanes take it."""
        worker = self.worker
        while True:
            full = [lane for lane in self.lanes.values() if not lane.hand_on()]
            if worker.ended and not full:
                return b""
            ready = [(worker.socket, POLLIN)]
            if full:
                waits = poll()
                for lane in full:
                    waits.register(lane.outlet, POLLOUT)
                if not worker.ended:
                    waits.register(worker.socket, POLLIN)
                ready = waits.poll()
            if not worker.ended and any(number == worker.socket for number, _ in ready):
                worker.check_socket()
                return worker.unhindered(read, 1 << 18)


class Outside:
    """A lane, as the main interpreter sees it: its thread, and what is to be handed on to it."""

    def __init__(self, crew, number, late):
        self.crew, self.number, self.late, self.closing, self.gone = crew, number, late, False, False
        self.outbox = bytearray(crew.known)
        self.inlet, self.outlet = lifted(os.pipe())
        set_blocking(self.outlet, False)
        try:
            fcntl(self.outlet, SET_PIPE_SIZE, PIECE)
        except OSError:  # as much is not to be had, and less is only slower
            pass

    def hand_on(self):
        """Whether nothing is left."""
        try:
            while self.outbox:
                del self.outbox[: write(self.outlet, self.outbox)]
        except BlockingIOError:
            return False
        except BrokenPipeError:  # it has left
            self.outbox.clear()
        except OSError:
            raise Closed(GONE) from None
        if self.closing:
            self.shut()
        return True

    def shut(self):
        if self.outlet is not None:
            close(self.outlet)
            self.outlet = None

    def run(self):
        crew, worker = self.crew, self.crew.worker
        try:
            told = '{"lane":%d,"late":%s,"inlet":%d,"inside":%d,"turn":%s,"line":%d,"pipe":%d,"setup":%s}' % (
                self.number, "true" if self.late else "false", self.inlet, crew.inside[1], list(crew.turn.ends),
                worker.line, worker.output.pipe, crew.setup)
            own = interpreters.create()
            own.prepare_main(_program=crew.program, _told=told, _board=memoryview(worker.map))
            own.exec(ENTER)
            crew.leave(self)
        except BaseException as error:
            crew.give_up(error)
        try:
            own.close()
        except Exception:  # a task has left a thread in it
            pass


ENTER = """
import sys
if sys.path[:1] == [""]: del sys.path[0]
import builtins, marshal
own = {"__name__": "poolscope", "__builtins__": dict(vars(builtins)), "_told": _told, "_board": _board}
_program, code = None, marshal.loads(_program)
exec(code, own)
"""


# From here on it is about what is done in a lane's own interpreter.


class Letters:
    """What comes for a lane."""

    def __init__(self, inlet):
        self.inlet, self.same, self.inbox, self.at = inlet, fstat(inlet), b"", 0

    def length(self):
        """Of the next frame; 0 if it has not come whole."""
        held = len(self.inbox) - self.at
        length = 8 + HEADER.unpack_from(self.inbox, self.at)[0] if held >= 8 else 9
        return length if held >= length else 0

    def empty(self):
        return not self.length()

    def get(self):
        while not self.length():
            check_same(self.inlet, self.same)
            data = steady(read, self.inlet, PIECE)
            if not data:
                return None
            self.inbox, self.at = self.inbox[self.at :] + data, 0
        length, kind, flags, _ = HEADER.unpack_from(self.inbox, self.at)
        begin, self.at = self.at + 8, self.at + 8 + length
        return kind, flags, self.inbox[begin : self.at]


class Alone(Crew):
    """The crew of one lane, in its own interpreter."""

    def __init__(self, worker, told):
        self.worker, self.line, self.lanes, self.lanes_of_threads = worker, worker.line, {}, {}
        self.turn, self.over, self.child = Turn(told["turn"]), Lock(), False
        self.inside = told["inside"]
        self.take_over()

    def tell(self, kind, payload):
        """Says something to the main interpreter."""
        with self.turn:
            rest = memoryview(HEADER.pack(len(payload), kind, 0, 0) + payload)
            while rest:
                rest = rest[steady(write, self.inside, rest) :]


class Inside(Lane):
    """A lane in its own interpreter."""

    HINT = " (tasks of an interpreter engine do not run in the main interpreter)"

    def __init__(self, crew, told):
        Lane.__init__(self, crew, told["lane"])
        self.letters, self.late = Letters(told["inlet"]), told["late"]
        crew.lanes[self.number] = self

    def initialized(self, what):
        if self.late:
            # Nobody but its own line says that it is at something.
            self.long[ENTERED] = monotonic_ns()
        error, _, answer = initialize(parsed(what), self.worker.initializer, self.seed)
        Left.clear()
        if not self.late:
            self.crew.tell(ANSWER, answer)
        elif error:
            raise Broken(error)

    def live(self):
        crew = self.crew
        try:
            crew.lanes_of_threads[get_ident()] = self
            self.thread = get_native_id()
            self.long[IDENT], self.short[THREAD] = get_ident(), self.thread
            if not self.late:
                crew.tell(READY, b"null")
            self.serve()
            close(self.letters.inlet)
            end_tracker()
        except BaseException as error:
            set_recursion_limit(ROOM)
            crew.give_up(error)


def live_inside(told, board):
    """The life of a lane in its own interpreter."""
    global process_time_ns
    # Of its thread: the process is that of all of them.
    process_time_ns = time.thread_time_ns
    import_for_lanes()
    worker, setup = Worker(), told["setup"]
    # It is there, and what it imports may take a while.
    at = (told["line"] + told["lane"]) * LINE
    board[at : at + LINE].cast("Q")[ENTERED] = monotonic_ns()
    worker.socket, worker.same, worker.pid, worker.line = 3, fstat(3), getpid(), told["line"]
    worker.map = board
    # Its own streams are those of a lane.
    worker.output = Output.__new__(Output)
    worker.output.pipe, worker.output.same, worker.output.flushes = told["pipe"], fstat(told["pipe"]), []
    crew = Alone(worker, told)
    worker.learn(setup)
    Inside(crew, told).live()
