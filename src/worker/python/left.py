# What a task leaves behind that would strike in the worker's own code, between tasks: it is taken away, and told. What a task
# does while it lasts is its own affair.

ROOM = 1000  # calls within each other that the worker itself may need
_get_signal, _set_signal = _signal.getsignal, _signal.signal


class Left:
    """Whose tasks have set something, and what handlers have raised, for the worker to see to after the task."""

    threads = {}  # by thread: that its task has set one of these
    told = set()
    raised = []  # what handlers have raised while no task ran

    @staticmethod
    def clear():
        """An import or an initializer may set what it likes, for all tasks."""
        Left.threads.clear()


def _noticing(call):
    def noticed(*args):
        Left.threads[get_ident()] = True
        return call(*args)

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(noticed, name, getattr(call, name))
    return noticed


class Handler:
    """A handler of the user's for a signal. Where it strikes in our own code no task is there for it to end: what it raises is told."""

    def __init__(self, handler):
        self.handler = handler

    def __call__(self, number, frame):
        if in_a_task(frame):
            return self.handler(number, frame)
        try:
            return self.handler(number, frame)
        except BaseException as error:
            if len(Left.raised) < 100:
                Left.raised.append("signal %d: its handler raised %s" % (number, told(error)[0]))


def in_a_task(frame):
    """Whether anything of the user's is being run: under our own, which end with the module of the worker, or below."""
    while frame is not None and frame.f_code.co_filename == "<poolscope>":
        frame = frame.f_back
    return frame is not None and frame.f_back is not None


def _signal_of_a_task(number, handler):
    """Sets a handler, as signal.signal does."""
    mine = Handler(handler) if callable(handler) and type(handler) is not Handler else handler
    return users(_set_signal(number, mine))


def users(handler):
    """What the user has set, where we have put something around it."""
    return handler.handler if type(handler) is Handler else handler


def watch_what_is_left():
    """Before anything of the user's is imported."""
    _signal.signal, _signal.getsignal = _signal_of_a_task, lambda number: users(_get_signal(number))
    sys.settrace, sys.setprofile = _noticing(set_trace), _noticing(set_profile)
    sys.setrecursionlimit = _noticing(set_recursion_limit)
