# Processes, one for each task, and the beginning of it all.


class OfProcesses(Caller):
    """multiprocessing.Process: at most so many at a time. There is no thread in it, so that it can be forked."""

    def run(self):
        self.hello()
        shim.tell("M 0 1\n")
        # Positions: those to be started; those without a result; those whose caller has given up.
        self.waiting, self.open, self.abandoned = collections.deque(), set(), set()
        # By their descriptors: the ends of processes, and what comes from those whose result has not.
        self.running, self.pipes, self.limits, self.ended = {}, {}, [], False
        self.poll = select.poll()
        self.poll.register(self.parent.socket, select.POLLIN)
        self.told = now()
        silence = self.start["silence"] / 4e9
        while not self.ended or self.open - self.abandoned:
            while self.waiting and self.has_place():
                self.begin(*self.waiting.popleft())
            self.wait(silence)
            self.give_up()
        self.results.tell()
        self.over_now()
        self.results.compare()
        self.parent.say("closing", by="Process.join()")
        # Whose result has come is about to leave, and may; whose caller has given up is not waited for.
        for process, _, position in self.running.values():
            if position in self.open:
                process.terminate()
            process.join()

    def has_place(self):
        awaited = sum(position not in self.abandoned for _, _, position in self.running.values())
        return len(self.running) < self.workers and not (awaited and self.submit == "apply")

    def begin(self, position, task):
        try:
            args, kwargs = task.arguments()
        except Exception as error:
            return self.has(position, (False, error))
        self.results.since[position] = now()
        if self.submit == "apply":
            self.limit(position, task)
        ours, theirs = self.context.Pipe(duplex=False)
        process = self.context.Process(target=_poolscope_task.call,
                                       args=(theirs, position, self.initializer, task.function, args, kwargs))
        try:
            process.start()
        except Exception as error:
            ours.close()
            self.has(position, (False, error))
        else:
            self.running[process.sentinel] = process, ours, position
            self.pipes[ours.fileno()] = ours, position
            self.poll.register(process.sentinel, select.POLLIN)
            self.poll.register(ours.fileno(), select.POLLIN)
        theirs.close()

    def limit(self, position, task):
        """From now on it is waited for."""
        if task.wait is not None:
            heapq.heappush(self.limits, (now() + task.wait, position))

    def has(self, position, result):
        self.open.discard(position)
        self.results.came_back(position, 0, result, now())

    def wait(self, most):
        if self.limits:
            most = max(0, min(most, (self.limits[0][0] - now()) / 1e9))
        if self.results.back:
            most = max(0, min(most, REPORT_EVERY - (now() - self.told) / 1e9))
        ready = self.poll.poll(math.ceil(most * 1000))
        if self.results.back and now() - self.told >= REPORT_EVERY * 1e9:
            self.tell()
        elif not ready:
            self.parent.say("alive")
        for number, _ in ready:
            if number == 3:
                self.hear()
            elif number in self.pipes:
                self.receive(number)
        for number, _ in ready:
            if number in self.running:
                self.ended_process(number)

    def tell(self):
        self.told = now()
        self.results.tell()

    def ended_process(self, sentinel):
        process, ours, position = self.running.pop(sentinel)
        self.poll.unregister(sentinel)
        if not ours.closed:
            if ours.poll():
                self.receive(ours.fileno())
            self.close(ours)
        process.join()
        if position in self.open:
            self.open.discard(position)
            self.tell()
            code = process.exitcode
            self.parent.say("ended", job=position, piece=0, **{"code" if code >= 0 else "signal": abs(code)})

    def close(self, ours):
        if not ours.closed:
            del self.pipes[ours.fileno()]
            self.poll.unregister(ours.fileno())
            ours.close()

    def receive(self, number):
        """One result, if there is one: nothing comes after it."""
        ours, position = self.pipes[number]
        try:
            result = ours.recv()
        except EOFError:
            # Its process has ended, or has closed it and will end.
            result = None
        except Exception as error:  # one that cannot be unpickled
            result = False, error
        self.close(ours)
        if result is not None and position in self.open:
            self.has(position, result)

    def give_up(self):
        while self.limits and (self.limits[0][0] <= now() or self.limits[0][1] not in self.open):
            _, position = heapq.heappop(self.limits)
            if position in self.open:
                self.abandoned.add(position)
                shim.gave_up(position)

    def take(self, tasks):
        for position, task in enumerate(tasks, len(self.tasks)):
            self.waiting.append((position, task))
            self.open.add(position)
            if self.submit != "apply":
                self.limit(position, task)

    def no_more(self):
        self.ended = True


KINDS = {"mp_pool": OfPool, "ppe": OfExecutor, "mp_process": OfProcesses}


def main():
    sys.argv[:] = [""]
    # What multiprocessing itself puts into files goes when everything goes.
    multiprocessing.process.current_process()._config["tempdir"] = shim.FOLDER
    parent = Parent()
    lines = []
    while not lines:
        lines = parent.lines() or os._exit(0)
    start = lines[0]
    import_for(start["kind"])
    sys.path[:0] = folders_of(start["python_path"])
    KINDS[start["kind"]](parent, start).run()
