# Arms whose workers are CPython's own affair: Pool and ProcessPoolExecutor.


class Threaded(Caller):
    """The main thread makes the calls, as in a script; another one takes in the tasks and a third one tells what came back."""

    def __init__(self, parent, start):
        super().__init__(parent, start)
        self.inbox = queue.SimpleQueue()
        self.waiting, self.more = [], threading.Event()
        self.stuck = False
        # Locked as long as there is something to report.
        self.over = threading.Lock()
        self.over.acquire()
        # Whether it only waits: nothing more is handed in before there is a result.
        self.only_waits = False

    def run(self):
        # Whatever forks does it before there are threads of ours.
        self.hello()
        self.open()
        self.thread(self.listen).start()
        reporter = self.thread(self.report)
        reporter.start()
        getattr(self, self.submit)()
        self.over.release()
        reporter.join()
        self.results.tell()
        self.over_now()
        self.results.compare()
        self.parent.say("closing", by=self.CLOSED_BY)
        self.close()

    def thread(self, run):
        """One without which the rest would wait for ever: what ends it ends the process."""

        def all_or_nothing():
            try:
                run()
            except BaseException:
                sys.excepthook(*sys.exc_info())
                os._exit(1)

        return threading.Thread(target=all_or_nothing, daemon=True)

    def listen(self):
        while True:
            self.hear()

    def take(self, tasks):
        # The other thread is woken for many at once.
        self.inbox.put(list(tasks))

    def no_more(self):
        self.inbox.put(END)

    def report(self):
        silence, last = self.start["silence"] / 4e9, time.monotonic()
        while not self.over.acquire(timeout=REPORT_EVERY):
            self.results.tell()
            why = self.is_stuck()
            if why and not self.stuck:
                self.stuck = True
                self.parent.say("stuck", why=why)
            if time.monotonic() - last > silence:
                self.parent.say("alive")
                last = time.monotonic()

    def is_stuck(self):
        return None

    def each(self):
        return itertools.chain.from_iterable(iter(self.inbox.get, END))

    def begin_pieces(self, base, chunk):
        self.results.base, self.results.chunk = base, chunk
        shim.tell("M %d %d\n" % (base, chunk))

    def apply_async(self):
        """Hands in every task as it comes, and then gets the results in this order."""
        self.begin_pieces(self.next_job(), 1)
        results = collections.deque()
        limited = any(one.wait is not None for one in self.classes)
        waiter = self.thread(self.give_up)
        if limited:
            waiter.start()
        for task in self.each():
            try:
                arguments = task.arguments()
            except Exception as error:
                self.get(self.unmade(error))
                continue
            result = self.hand_in(task, arguments)
            del arguments
            if task.wait is None:
                results.append(result)
            else:
                heapq.heappush(self.waiting, (now() + task.wait, id(result), result))
        self.only_waits = bool(results)
        while results:
            self.get(results.popleft())
        if limited:
            self.more.set()
            waiter.join()

    def give_up(self):
        """Gets each result for as long as it may take: as `get(timeout)`, in the order of the ends of these times."""
        while True:
            if not self.waiting:
                if self.more.is_set():
                    return
                time.sleep(0.002)
                continue
            limit, _, result = self.waiting[0]
            left = (limit - now()) / 1e9
            if self.is_ready(result) or left <= 0:
                heapq.heappop(self.waiting)
                self.get(result, 0)
            else:
                self.wait(result, min(left, 0.005))

    def apply(self):
        self.begin_pieces(self.next_job(), 1)
        job = self.results.base
        for task in self.each():
            job += 1
            try:
                arguments = task.arguments()
            except Exception as error:
                self.get(self.unmade(error))
                continue
            self.results.since[job - 1] = now()
            result = self.hand_in(task, arguments)
            del arguments
            self.only_waits = task.wait is None
            self.get(result, None if task.wait is None else task.wait / 1e9)
            self.only_waits = False


class OfPool(Threaded):
    """multiprocessing.Pool"""

    CLOSED_BY = "Pool.join()"

    def open(self):
        initializer, arguments = self.initializer or (None, ())
        self.pool = self.context.Pool(self.workers, initializer, arguments, self.start["max_tasks_per_child"])

    def start_no_more(self):
        # As `Pool.terminate` begins; what else it does would throw results away.
        self.pool._worker_handler._state = multiprocessing.pool.TERMINATE

    def next_job(self):
        return next(multiprocessing.pool.job_counter) + 1

    def hand_in(self, task, arguments):
        return self.pool.apply_async(task.function, *arguments)

    def unmade(self, error):
        self.results.came_back(next(multiprocessing.pool.job_counter), 0, (False, error), now())
        return _poolscope_task.Unmade(error)

    def get(self, result, timeout=None):
        try:
            result.get(timeout)
        except multiprocessing.TimeoutError:
            self.ghosts += not result.ready()
        except BaseException:
            pass

    def is_ready(self, result):
        return result.ready()

    def wait(self, result, seconds):
        result.wait(seconds)

    def is_stuck(self):
        # Nobody would take in another result.
        if not self.pool._result_handler.is_alive():
            return "the thread that takes in the results has ended"

    def map(self):
        tasks = list(self.each())
        if not tasks:
            return
        items = [task.tried() for task in tasks]
        chunk = self.chunksize or -(-len(items) // (4 * self.workers))
        self.whole = True
        self.begin_pieces(self.next_job(), chunk)
        function = tasks[0].of_all(items)
        try:
            if all(len(args) == 1 for args in items):
                self.pool.map(function, [args[0] for args in items], self.chunksize)
            else:
                self.pool.starmap(function, items, self.chunksize)
            self.results.taken(len(items))
        except BaseException as error:
            self.raised("map", error)

    def raised(self, name, error):
        self.parent.say("note", text="%s has raised %s: its caller gets that, and no result after it" % (
            name, type(error).__name__))

    def imap(self):
        self.iterate(self.pool.imap)

    def imap_unordered(self):
        self.iterate(self.pool.imap_unordered)

    def iterate(self, method):
        chunk = self.chunksize or 1
        self.whole = chunk > 1
        self.begin_pieces(self.next_job(), chunk)
        tasks = self.each()
        first = next(tasks, None)
        if first is None:
            return
        items = itertools.chain([first], tasks)
        iterator = method(first.tolerant(), (task.tried()[0] for task in items), chunk)
        while True:
            try:
                next(iterator)
                self.results.taken()
            except StopIteration:
                return self.all_back()
            except BaseException as error:
                if chunk > 1:
                    self.raised(method.__name__, error)
                    return self.all_back()
                self.results.taken()

    def all_back(self):
        """A caller that can have no more results does not end what still runs."""
        while self.pool._cache and not self.is_stuck():
            time.sleep(LOOK_EVERY)

    def close(self):
        if self.ghosts:
            self.pool.terminate()
        else:
            self.pool.close()
        self.pool.join()


class OfExecutor(Threaded):
    """concurrent.futures.ProcessPoolExecutor"""

    CLOSED_BY = "ProcessPoolExecutor.shutdown()"
    LOOKS = 10  # so many in a row find it at a standstill before that is said
    stands_still = 0

    def open(self):
        initializer, arguments = self.initializer or (None, ())
        more = {"initializer": initializer, "initargs": arguments}
        if self.start["max_tasks_per_child"]:
            more["max_tasks_per_child"] = self.start["max_tasks_per_child"]
        kind = concurrent.futures.process.ProcessPoolExecutor
        self.executor = kind(self.workers, mp_context=self.context, **more)

    def next_job(self):
        return 0

    def hand_in(self, task, arguments):
        number, (args, kwargs) = self.executor._queue_count, arguments
        try:
            future = self.executor.submit(task.function, *args, **kwargs)
            future.number = number
            return future
        except concurrent.futures.BrokenExecutor as error:
            return self.unmade(error)

    def unmade(self, error):
        # Numbers go on, so that each of these has one too.
        number = self.executor._queue_count
        self.executor._queue_count = number + 1
        self.results.came_back(number, 0, (False, error), now())
        failed = concurrent.futures.Future()
        failed.set_exception(error)
        return failed

    def get(self, future, timeout=None):
        try:
            future.result(timeout)
        except concurrent.futures.TimeoutError:
            if not future.done():
                self.ghosts += 1
                shim.gave_up(future.number)
        except BaseException:
            pass

    def is_ready(self, future):
        return future.done()

    def wait(self, future, seconds):
        concurrent.futures.wait([future], seconds)

    def is_stuck(self):
        """Where each worker has left after its max_tasks_per_child, and none is started (python/cpython#115634)."""
        executor = self.executor
        if not (self.start["max_tasks_per_child"] and self.only_waits):
            return None
        stands = executor._pending_work_items and not executor._processes and self.manager_waits()
        self.stands_still = self.stands_still + 1 if stands else 0
        if self.stands_still >= self.LOOKS:
            return ("each worker of the ProcessPoolExecutor has left after max_tasks_per_child, and CPython starts none in "
                    "its place (python/cpython#115634)")

    def manager_waits(self):
        """Whether the thread that starts workers waits for something to happen."""
        thread = self.executor._executor_manager_thread
        frame = thread and sys._current_frames().get(thread.ident)
        while frame:
            if frame.f_code.co_name == "wait_result_broken_or_wakeup":
                return True
            frame = frame.f_back
        return False

    def map(self):
        tasks = list(self.each())
        if not tasks:
            return
        items = [task.tried() for task in tasks]
        chunk = self.chunksize or 1
        self.results.by_caller = True
        self.begin_pieces(0, chunk)
        # What stands for arguments stands for all of them.
        columns = list(itertools.zip_longest(*items))
        try:
            # The lists in which results travel are emptied on the way.
            values = self.executor.map(tasks[0].of_all(items), *columns, chunksize=chunk)
            self.only_waits = True
            for position, value in enumerate(values):
                self.results.taken()
                self.results.keep_all([(position, value)])
        except BaseException as error:
            self.parent.say("note", text="map has raised %s: its caller gets that, and no result after it" % type(error).__name__)
        while self.executor._pending_work_items:
            time.sleep(LOOK_EVERY)

    def close(self):
        if self.ghosts:
            for child in multiprocessing.active_children():
                child.terminate()
        self.executor.shutdown()


