# A worker with one lane: it speaks src/worker/PROTOCOL.md. Tasks run in the interpreter's main thread, and there is no
# other one of ours, but for that of a probe (gil_probe.py) in a run that is there for it.

NO_TASK = MASK
REPORT_AFTER = 100_000  # nanoseconds; see the protocol
LOUD = 500  # nanoseconds within which nothing can be written: writing a byte takes longer
CLOSING = 2000  # the same for closing all descriptors
ALONE = 10_000  # what a task that took so long has printed below Python is kept apart from that of its neighbours
LOOK_AFTER = 300_000  # nanoseconds between two looks at what tasks have changed
MOST_RECORDS, PIECE = 512, (1 << 20) - 8
MOST_BYTES = 1 << 28
# Bytes that are read at once, and as long as less than that has come: memory for so few is there, and that for many is mapped and
# given back each time.
READ, READ_FIRST = 1 << 18, 1 << 15
HEADER, RUN, RECORD, PAIR = Struct("<IBBH"), Struct("<QIHHQ"), Struct("<4Q"), Struct("<2Q")
LOOK_EVERY = 20_000_000  # nanoseconds between two looks at how long the thread has waited for a processor
USAGE, ENTRY, HANDLED = Struct("<6Q"), Struct("=3Q"), Struct("<5Q")
# In a line of the board, by their size: its task, when that began, when it took up what it is at and when the work of a task
# has ended; the thread, and how long it has waited.
TASK, STARTED, ENTERED, ENDED, THREAD, DELAY = 1, 2, 3, 5, 14, 15
OURS = 1 << 63  # beside the end of the work: what is left to be done is not the user's
CANNOT_GO_ON = 70


class Closed(Exception):
    """A task has closed the descriptors of its worker."""


class Broken(Exception):
    """What the parent says cannot be understood."""


class Worker:
    def __init__(self):
        self.inbox, self.out, self.results, self.records = b"", bytearray(), bytearray(), bytearray()
        self.calls, self.payloads, self.came, self.runs = {}, {}, {}, []
        self.handled, self.main, self.state = bytearray(), get_ident(), None
        self.retired = self.ended = self.loud = self.child = False
        self.map, self.room = None, READ_FIRST
        self.since, self.latest = None, 0  # the first task since what they change was looked at, and the last one
        self.number, self.crew, self.lanes, self.probe = 0, None, 1, None
        self.reported = self.looked = monotonic_ns()

    def attach(self, line, began):
        """From here on it has its socket and its line of the board."""
        self.socket, self.began, self.same = 3, began, fstat(3)
        self.line = line
        if self.map is None:
            self.map_board()
        self.pid = self.thread = getpid()
        self.board = memoryview(self.map)[line * LINE : line * LINE + LINE]
        self.short, self.long, self.sequence = self.board.cast("I"), self.board.cast("Q"), 0
        set_inheritable(3, False)
        self.reported = self.looked = monotonic_ns()
        os.register_at_fork(after_in_child=self.become_child)

    def map_board(self):
        """Nothing of the board is left open: the copy that `mmap` keeps gets the lowest number that is free."""
        copy = dup(4)
        close(copy)
        self.map = mmap(4, MOST_LANES * LINE)
        try:
            if same_file(fstat(copy), fstat(4)):
                close(copy)
        except OSError:  # there is no such copy
            pass
        close(4)

    def become_child(self):
        """A process that a task has forked is no worker, whatever it does."""
        self.child = True

    def leave_child(self, error):
        """A forked process has come to the end of the task's function: it ends as a program does that comes to its end."""
        self.output.flush()
        code = 0
        kind = type(error)
        if issubclass(kind, SystemExit):
            code, words = left_with(error)
            if words:
                self.last_words(safe("%s\n" % words))
        elif error is not None:
            self.last_words(safe(told(error)[1]))
            code = 1
            if issubclass(kind, KeyboardInterrupt):
                signal(SIGINT, SIG_DFL)
                kill(getpid(), SIGINT)
        leave(code)

    @staticmethod
    def last_words(text):
        try:
            write(2, text.encode("utf-8", "replace"))
        except OSError:
            pass

    # What comes

    def receive(self):
        data = self.unhindered(read, self.room)
        self.ended = not data
        if len(data) == self.room:
            self.room = READ
        self.inbox = self.inbox + data if self.inbox else data
        at, inbox = 0, self.inbox
        while len(inbox) - at >= 8:
            length, kind, flags, lane = HEADER.unpack_from(inbox, at)
            if length > 1 << 20 or lane:
                raise Broken("a frame of %d bytes for lane %d" % (length, lane))
            if len(inbox) - at < 8 + length:
                break
            self.take(kind, flags, inbox[at + 8 : at + 8 + length])
            at += 8 + length
        self.inbox = inbox[at:]

    def unhindered(self, call, *args):
        """A task may have made every descriptor non-blocking, and one that goes on does so again and again."""
        try:
            while True:
                try:
                    return call(self.socket, *args)
                except BlockingIOError:
                    set_blocking(self.socket, True)
        except OSError:
            # Whoever comes upon it first: that it was closed is the cause, and the error what comes of it.
            self.check_socket()
            raise

    def take(self, kind, flags, payload):
        if kind == 3:
            self.runs += RUN.iter_unpack(payload)
        elif kind == 5:
            (index,) = struct_q(payload, 0)
            kept = self.payloads.get(index)
            if kept is None:
                kept = self.payloads[index] = bytearray()
            kept += memoryview(payload)[8:]
            if not flags & 1:
                self.came[index] = monotonic_ns()
        elif kind == 1:
            self.setup = payload
            self.set_up(parsed(payload.decode()))
        elif kind == 2:
            work = parsed(payload[2:].decode()).get("Python")
            self.calls[int.from_bytes(payload[:2], "little")] = work and Call(work, self.functions[work["callable"]])
        elif kind == 6:
            self.retired = True
        elif kind == 4:
            self.initialized(payload.decode())
        else:
            raise Broken("a frame of the unknown kind %d" % kind)

    def set_up(self, setup):
        self.long[ENTERED] = monotonic_ns()  # it is there, and what it imports may take a while
        self.prepare(setup)
        self.greet()

    def prepare(self, setup):
        """Everything but what is this one process's own."""
        if setup["protocol"] != 2:
            raise Broken("protocol %s; this worker speaks 2" % setup["protocol"])
        python = setup["python"]
        self.output = Output(python["mark"])
        self.watches, self.probes = python.get("watches", False), python.get("gil_probe", False)
        lanes = setup.get("lanes", 1)
        if python.get("interpreters"):
            import_for_lanes()
            import_for_interpreters()
            self.crew, self.lanes, self.watches = Interpreters(self, self.setup, lanes), MOST_LANES, False
            return self.crew.make_ready()
        if setup.get("grows") or lanes > 1:
            import_for_lanes()
            self.crew, self.lanes = Crew(self, lanes), MOST_LANES
        self.learn(setup)

    def learn(self, setup):
        """What it needs for tasks, with what is imported for them."""
        python = setup["python"]
        self.seed, self.pickles, self.handles = setup["seed"], python["pickles"], setup.get("handling", False)
        watch_what_is_left()
        sys.path[:0] = folders_of(python["path"])
        self.functions, pid = {}, getpid()
        for name in python["callables"]:
            try:
                self.functions[name] = resolved(name)
            except BaseException as error:
                if getpid() != pid:
                    self.leave_child(error)
                self.output.flush()
                self.output.say(told(error)[1])
                leave(1)
            if getpid() != pid:  # a copy that an import has forked and let go
                self.leave_child(None)
        call = python.get("initializer")
        self.initializer = call and Call(call, self.functions[call["callable"]])
        self.output.flush()

    def greet(self):
        # What was printed before, where it could not be flushed before, is no task's.
        self.output.flush()
        self.output.put_mark()
        Left.clear()
        if self.watches:
            self.state = State()
        if self.probes:
            crew = self.crew
            self.probe = GilProbe(lambda: list(crew.lanes.values()) if crew else [self])
        hello = '{"protocol":2,"pid":%d,"lanes":%d,"tells":"board","began":%d,"ready":%d}'
        self.say(1, (hello % (getpid(), self.lanes, self.began, monotonic_ns())).encode())

    def initialized(self, what):
        self.report()
        if self.crew and not hasattr(self, "initializer"):
            error, _, answer = self.crew.initialize(what)
        else:
            error, _, answer = initialize(parsed(what), self.initializer, self.seed)
        self.check_socket()
        self.say(5, answer)
        self.output.flush()
        self.report()
        if error:
            raise Broken(error)
        Left.clear()

    # What goes

    def say(self, kind, payload, flags=0):
        self.out += HEADER.pack(len(payload), kind, flags, self.number) + payload

    def put_records(self):
        self.put_results()
        if self.records:
            self.say(2, self.used() + self.records)
            self.records.clear()

    def put_results(self):
        """What was told of tasks before they are reported."""
        if self.results:
            self.out += self.results
            self.results.clear()
        if self.handled:
            self.say(8, self.handled)
            self.handled.clear()

    def put_result(self, index, data):
        head = index.to_bytes(8, "little")
        for at in range(0, len(data) or 1, PIECE):
            piece = data[at : at + PIECE]
            self.results += HEADER.pack(8 + len(piece), 6, at + PIECE < len(data), self.number) + head
            self.results += piece

    def used(self):
        return used()

    def told(self, error):
        return told(error)

    def look_for_threads(self):
        look_for_threads(self.main)

    def check_socket(self):
        """A task may have closed the socket, and what has its number now is none of ours; or it has shut it down, so that
        nothing can be said any more. It shows which task it was."""
        try:
            if same_file(fstat(self.socket), self.same):
                write(self.socket, b"")
                return
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            raise Closed("a task has shut down the socket of its worker") from None
        except OSError:
            pass
        raise Closed("a task has closed the descriptors of its worker")

    def report(self, last=False):
        self.check_socket()
        if self.since is not None and (last or monotonic_ns() - self.state.looked > LOOK_AFTER):
            self.tell_changes()
        self.put_records()
        if self.loud or Loud.written:
            self.end_output()
        if Left.raised and self.state:
            self.say_change(0, self.latest, "a signal handler that raises", Left.raised.pop(), "true")
        if self.probe:
            self.out += self.probe.told()
        rest = memoryview(self.out)
        # What may still go wrong is over: until here it would be the fault of the task that it was in.
        shown = self.long[TASK], self.long[STARTED]
        self.entry(NO_TASK, 0)
        try:
            while rest:
                rest = rest[self.unhindered(write, rest) :]
        except BaseException:
            # It is not over: a handler of a signal has raised, or nobody can be told any more.
            self.entry(*shown)
            raise
        rest.release()
        self.out = bytearray()
        self.reported = now = monotonic_ns()
        if now - self.looked >= LOOK_EVERY:
            self.looked = now
            self.look_at_thread()

    def look_at_thread(self):
        """How long its thread was ready and had no processor, for whoever reads the board."""
        try:
            schedule = open_file("/proc/thread-self/schedstat", READ_ONLY)
            try:
                self.short[DELAY] = min(int(read(schedule, 100).split()[1]) // 1000, 0xFFFFFFFF)
            finally:
                close(schedule)
            self.short[THREAD] = self.thread
        except (OSError, IndexError, ValueError):  # there is none here, or no descriptor left
            pass

    def end_output(self):
        """What is printed from now on is another task's."""
        self.loud = False
        self.output.put_mark()

    def tell_changes(self):
        first, last = self.since_look()
        for what, how in self.state.changes():
            self.say_change(first, last, what, how, "false")

    def say_change(self, first, last, what, how, undone):
        change = '{"first":%d,"last":%d,"what":%s,"how":%s,"undone":%s}'
        self.say(9, (change % (first, last, quoted(what), quoted(safe(how)), undone)).encode())

    def say_left(self, index, traced, profiled, low):
        """What its task has set that would strike in here is gone. Each kind is told once."""
        Left.threads.pop(get_ident(), None)
        words = "a trace function", "a profile function", "a recursion limit below %d" % ROOM
        for what, there in zip(words, (traced, profiled, low)):
            if self.state and there and what not in Left.told:
                Left.told.add(what)
                self.say_change(index, index, what, "", "true")

    def since_look(self):
        """The tasks that may have changed something, from here on none."""
        first, self.since = self.since, None
        return first, self.latest

    def entry(self, task, start):
        sequence = self.sequence
        self.short[0] = sequence + 1 & 0xFFFFFFFF
        ENTRY.pack_into(self.board, 8, task, start, start)
        self.sequence = sequence = sequence + 2 & 0xFFFFFFFF
        self.short[0] = sequence

    # Work

    def leaves(self):
        return self.retired or self.short[1] != 0

    def work_on(self, run):
        """Works on a run of tasks. What it leaves undone because it is to leave is given to others."""
        first, count, number, attempt, begin_by = run
        call = self.calls[number]
        if call is None:
            call = Call({"args": {"Positional": []}}, unable)
        function, fixed, out = call.function, call.fixed, call.out
        now, entry, flushes, pack, short = monotonic_ns, ENTRY.pack_into, self.output.flushes, RECORD.pack, self.short
        board, records, payloads, handles = self.board, self.records, self.payloads, self.handles
        flush_out, flush_err = flushes
        sequence, most = self.sequence, MOST_RECORDS * RECORD.size
        report_at = self.reported + REPORT_AFTER
        positional, keywords = fixed or ((), {})
        came, unpacking, left = 0, 0, Left.threads
        plain = fixed is not None and not out  # nothing travels with a task, nor with its result if that is None
        if self.state and self.since is None:
            self.since = first
        for index in range(first, first + count):
            if short[1] or self.retired:
                self.sequence = sequence
                self.retired, self.left = True, (index, first + count - index)
                return
            error = None
            if fixed is None:
                begin = now()
                try:
                    positional, keywords = call.arguments(self.varying(call, index, attempt))
                except Exception as caught:  # there is no memory for them
                    error = caught
                start = now()
                unpacking = start - begin
            else:
                start = now()
            if begin_by and start >= begin_by:
                self.put_records()
                self.say(4, PAIR.pack(index, first + count - index))
                self.forget(index, first + count)
                break
            short[0] = sequence + 1
            entry(board, 8, index, start, start)
            sequence = sequence + 2 & 0xFFFFFFFE
            short[0] = sequence
            try:
                if error is not None:
                    raise error
                value = function(*positional, **keywords)
                end = now()
            except BaseException as caught:
                end = now()
                error = caught
            if left:
                # Until they are gone, what is in here is called from C alone.
                traced, profiled, low = None, True, False
                try:
                    traced, profiled, low = get_trace(), get_profile(), recursion_limit() < ROOM
                    set_trace(None)
                    set_profile(None)
                except BaseException:  # of a profile function that has seen such a call, and is gone by that
                    set_trace(None)
                if recursion_limit() < ROOM:
                    set_recursion_limit(ROOM)
                self.say_left(index, traced, profiled, low)
            # Who forks without the interpreter is not heard of.
            if self.child or (end - start > CLOSING and getpid() != self.pid):
                self.leave_child(error)
            try:
                flush_out()
                flush_err()
            except (OSError, ValueError):
                self.output.flush()
            if payloads:
                payloads.pop(index, None)
                came = self.came.pop(index, 0)
            if error is None:
                if value is None:
                    result = NONE
                    if not plain:
                        if out:
                            self.long[ENDED] = end | OURS
                            self.put_result(index, bytes(out))
                        if handles:
                            self.handled += HANDLED.pack(index, came, unpacking, now() - end if out else 0, 0)
                else:
                    # While it may still go wrong it is in the task, whose own time is over.
                    self.long[ENDED] = end
                    result, error, packed = self.returned(index, value, out)
                    value = None
                    if handles:
                        self.handled += HANDLED.pack(index, came, unpacking, packed - end, now() - packed)
                    if self.child:
                        self.leave_child(error)
                if error is None:
                    records += pack(index, start, end - start, result)
            if end - start > LOUD:
                self.loud = True
                if end - start > CLOSING:
                    self.check_socket()
                    if Text.left or other_threads():
                        self.look_for_threads()
                if error is None and (Loud.written or end - start > ALONE):
                    self.end_output()
            if error is not None:
                self.sequence = sequence
                self.fail(index, start, end, error)
                error = None
                sequence = self.sequence
                report_at = 0
            if end >= report_at or len(records) >= most or len(self.results) > PIECE:
                self.sequence, self.latest = sequence, index
                self.report()
                report_at = self.reported + REPORT_AFTER
                if self.state and self.since is None:
                    self.since = index + 1
                sequence = self.sequence
        self.sequence, self.latest = sequence, first + count - 1

    def forget(self, first, end):
        """What came with tasks that are given back: it comes again with them."""
        for index in [index for index in self.payloads if first <= index < end]:
            del self.payloads[index]
            self.came.pop(index, None)

    def varying(self, call, index, attempt):
        told, draws = self.payloads.get(index, b""), []
        if call.draws:
            draws = drawn(told[: 8 * call.draws])
        at, texts = 8 * call.draws, None
        if call.told:
            at, end = at + 4, at + 4 + int.from_bytes(told[at : at + 4], "little")
            texts, at = parsed(told[at:end].decode()), end
        told = bytes(memoryview(told)[at:])
        return {"Index": index, "Attempt": attempt, "Seed": self.seed, "Payload": told, "draws": draws, "told": texts}

    def returned(self, index, value, out):
        """The number that a result is worth, after it was put on its way, or why it cannot travel; and when it was packed."""
        data = b""
        if self.pickles:
            try:
                data = pickled(value, 5)
            except BaseException as error:
                kind = type(value)
                problem = CannotTravel(
                    "result of type %s cannot be pickled: %s" % (_short(name_of(kind), 200), told(error)[0]))
                problem.__cause__ = error
                return 0, problem, monotonic_ns()
            if len(data) + out > MOST_BYTES:
                problem = CannotTravel("a result of %d bytes, and at most %d travel" % (len(data) + out, MOST_BYTES))
                return 0, problem, monotonic_ns()
        packed = monotonic_ns()
        result = digest(value)
        if data or out:
            hashing = monotonic_ns() - packed
            self.long[ENDED] |= OURS
            self.put_result(index, data + bytes(out) if out else data)
            packed = monotonic_ns() - hashing
        return result, None, packed

    def fail(self, index, start, end, error):
        self.put_records()
        message, trace = self.told(error)
        self.loud = False
        if issubclass(type(error), CannotTravel):
            message = error.args[0]
        if issubclass(type(error), SystemExit):
            message = "%s (the task called for the end of the interpreter)" % message
        output = self.output.put_mark()
        report = '{"index":%d,"start":%d,"service":%d,"message":%s,"exit":null,"stderr_tail":%s,"output":%d}' % (
            index, start, end - start, quoted(safe(message)), quoted(safe(trace)), output)
        self.say(3, report.encode())

    def serve(self):
        while not self.ended or self.runs:
            runs, self.runs = self.runs, []
            for run in runs:
                self.work_on(run)
                if self.retired:
                    return self.report(last=True)
            if self.ended or self.leaves():
                break
            self.report()
            self.receive()
        self.report(last=True)


class CannotTravel(Exception):
    pass


def unit(seed, *counters):
    """A number from 0 to 1 that is drawn for a purpose, an index and a draw."""

    def mixed(z):
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return z ^ z >> 31

    purpose, index, draw = counters
    for number in (purpose, index + 1, draw + 1):
        seed = mixed(seed + 0x9E3779B97F4A7C15 * number & MASK)
    return ((seed >> 11) + 0.5) / 2**53


def left_with(error):
    """The exit code of a SystemExit, and what is printed with it, as an interpreter does it."""
    code = SystemExit.__dict__["code"].__get__(error)
    if code is None:
        return 0, ""
    if issubclass(type(code), int):
        return int.__and__(code, 0xFF), ""
    try:
        return 1, exact(str(code))
    except BaseException:  # a class of the user's
        return 1, ""


def unable():
    raise NotImplementedError("this worker calls functions in Python and does nothing else")


def safe(text):
    """Without what is no character: halves of surrogate pairs."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def used():
    """What this process and the children that it has waited for have used."""
    own, others = getrusage(RUSAGE_SELF), getrusage(RUSAGE_CHILDREN)
    return USAGE.pack(
        int((own[0] + others[0]) * 1e9), int((own[1] + others[1]) * 1e9), own[6] + others[6], own[7] + others[7],
        own[14] + others[14], own[15] + others[15])


struct_q = Struct("<Q").unpack_from


def drawn(told):
    return [number for (number,) in Struct("<d").iter_unpack(told)]


def main():
    began = monotonic_ns()
    line, parent = int(sys.argv[2]), int(sys.argv[3])
    sys.argv[:] = [""]
    if getppid() != parent:
        leave(0)
    live(parent, lambda: set_up(line, began))


def set_up(line, began):
    """A worker that has said hello, or to which nobody has spoken."""
    worker = Worker()
    worker.attach(line, began)
    while not (hasattr(worker, "output") or worker.ended):
        worker.receive()
    return worker


def live(parent, begin):
    """The life of a worker, to the end of its process."""
    worker = None
    try:
        worker = begin()
        if hasattr(worker, "output"):
            (worker.crew or worker).serve()
        code = 0
    except BaseException as error:
        gone = type(error) in (BrokenPipeError, ConnectionResetError) and getppid() != parent
        code = 0 if gone else CANNOT_GO_ON
        if not gone:
            left = "something that a task has left behind (a signal handler, a trace function) raised in it\n"
            last_words(error, "the worker cannot go on: " + (left if is_users(error) else ""), worker)
    if hasattr(worker, "output"):
        worker.output.flush()
    end_tracker()
    # Threads that tasks have left behind are not waited for.
    leave(code)


def is_users(error):
    """Whether it was raised by a function that we have not called."""
    entry = _traceback_of(error)
    while entry is not None and entry.tb_next is not None:
        entry = entry.tb_next
    return issubclass(type(error), KeyboardInterrupt) or entry and entry.tb_frame.f_code.co_filename != "<poolscope>"


def last_words(error, begin, worker=None):
    """Why this process ends."""
    text = begin + ("%s\n" % error if type(error) in (Closed, Broken, Unfit) else told(error)[1] or told(error)[0])
    output = getattr(worker, "output", None) or Output.last
    if output is not None:
        return output.say(text)
    try:
        write(2, text.encode("utf-8", "replace"))
    except OSError:
        pass


def end_tracker():
    """What tasks have given a name to and left (shared memory) goes with their interpreter: its tracker of resources removes
    that when it is not needed any more, as beside any other interpreter that ends."""
    try:
        end_that_tracker()
    except BaseException:  # whatever a task has put in its place
        pass


def end_that_tracker():
    tracker = getattr(sys.modules.get("multiprocessing.resource_tracker"), "_resource_tracker", None)
    number, pid = getattr(tracker, "_fd", None), getattr(tracker, "_pid", None)
    if number is None or pid is None:
        return
    limit = monotonic_ns() + 10_000_000_000  # whoever waits for this process ends it before
    try:
        close(number)
        while not os.waitpid(pid, os.WNOHANG)[0] and monotonic_ns() < limit:
            sleep(0.002)
    except Exception:  # it is that of what this one was forked from
        pass
