# What tasks print. Descriptors 1 and 2 are a pipe to the parent, who reads it all the time and keeps of it what belongs
# to tasks that did not succeed. A mark that nobody can guess is written between tasks, so that the parent can tell whose
# it is, whoever wrote it: Python, a library in C, or another program.


class Loud(io.FileIO):
    """A descriptor that notices that something was written."""

    written = False
    _write = io.FileIO.write

    def write(self, data):
        Loud.written = True
        return Loud._write(self, data)


def _noticed(call):
    """The same function, which notices that something may have been printed: it takes a task no longer than nothing."""

    def noticed(descriptor, *args):
        if descriptor in (1, 2):
            Loud.written = True
        return call(descriptor, *args)

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(noticed, name, getattr(call, name))
    return noticed


class Text(io.TextIOWrapper):
    """A stream for the threads of the task that is being done. What others print, which a task before it has left behind,
    is nobody's: it would be taken for that of a task which has nothing to do with it."""

    left = ()
    _write = io.TextIOWrapper.write

    def write(self, text):
        if Text.left and get_ident() in Text.left:
            return len(text)
        return Text._write(self, text)


def look_for_threads(main):
    """A task has ended: the threads that there are now are left from it or from those before it."""
    Text.left = frozenset(current_frames()) - {main}


class Output:
    last = None

    def __init__(self, mark):
        Output.last = self
        self.mark, self.number = bytes.fromhex(mark), 0
        self.pipe = None
        self.attach()
        self.streams = [self._replaced("stdout", 1, False), self._replaced("stderr", 2, True)]
        self.flushes = [stream.flush for stream in self.streams]
        os.write, os.writev = _noticed(os.write), _noticed(os.writev)

    def attach(self):
        """What the descriptors 1 and 2 are now is where marks go to, whatever becomes of them."""
        if self.pipe is not None:
            close(self.pipe)
        self.pipe = _high(1)
        self.same = fstat(self.pipe)
        self.watch_crashes()

    def watch_crashes(self, all_threads=False):
        """Where the interpreter is when it crashes goes to the same pipe, among its last words."""
        if faulthandler is not None:
            faulthandler.enable(file=self.pipe, all_threads=all_threads)

    @staticmethod
    def _replaced(name, number, by_line):
        old = getattr(sys, name)
        stream = Text(
            io.BufferedWriter(Loud(number, "w", closefd=False)),
            encoding=getattr(old, "encoding", "utf-8"), errors=getattr(old, "errors", "backslashreplace"),
            line_buffering=by_line)
        stream.mode = "w"
        setattr(sys, name, stream)
        setattr(sys, "__%s__" % name, stream)
        return stream

    def flush(self):
        for flush in self.flushes:
            try:
                self._unhindered(flush)
            except (OSError, ValueError):  # it was closed
                pass

    def put_mark(self):
        """Ends what belongs together; the number of its end."""
        self.number += 1
        Loud.written = False
        try:
            if same_file(fstat(self.pipe), self.same):
                self._unhindered(write, self.pipe, self.mark + self.number.to_bytes(8, "little"))
        except OSError:  # it was closed, and with it everything
            pass
        return self.number

    def say(self, words):
        """Last words, as text or bytes. A task may have closed the pipe: any copy of it will do, and no other file."""
        data = words.encode("utf-8", "replace") if type(words) is str else words
        for number in (self.pipe, 2, 1):
            try:
                if same_file(fstat(number), self.same):
                    while data:
                        data = data[self._unhindered(write, number, data) :]
                    return
            except OSError:
                pass

    def _unhindered(self, call, *args):
        """A task may have made its output non-blocking, and do so again: that holds for our copy of it too."""
        hindered = False
        try:
            while True:
                try:
                    return call(*args)
                except BlockingIOError:
                    hindered = True
                    set_blocking(self.pipe, True)
        finally:
            if hindered:
                set_blocking(self.pipe, False)


def _high(number):
    """A copy with a number that nothing else is likely to get, closed on exec."""
    from_here = 200
    try:
        return fcntl(number, F_DUPFD_CLOEXEC, from_here)
    except OSError:  # fewer are allowed
        return dup(number)
