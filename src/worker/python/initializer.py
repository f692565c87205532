# What is done once before the first task, by a worker or by what workers are forked from.

_kept = []
PAGE = os.sysconf("SC_PAGE_SIZE")


def initialize(what, call, seed):
    """Does it; the error and its traceback, or None twice, and the answer to who asked for it."""
    pid, error, trace = getpid(), None, ""
    begin, used_before = monotonic_ns(), process_time_ns()
    try:
        while process_time_ns() - used_before < what.get("cpu_ns", 0):
            pass
        _kept.append(bytearray(b"1") * what.get("memory_bytes", 0))
        if call is not None:
            positional, keywords = call.arguments({"Seed": seed, "Index": 0, "Attempt": 0})
            call.function(*positional, **keywords)
        if unit(seed, 9, what.get("start", 0), 0) < what.get("fail_rate", 0):
            error = "the initializer failed, as it was asked to (fail_rate)"
    except BaseException as caught:
        error, trace = told(caught)
        if issubclass(type(caught), SystemExit):
            error += " (the initializer called for the end of the interpreter)"
    if getpid() != pid:  # a copy that it has forked and let go
        leave(0)
    wall, cpu = monotonic_ns() - begin, process_time_ns() - used_before
    answer = '{"wall_ns":%d,"cpu_ns":%d,"rss_bytes":%d,"error":%s,"trace":%s}' % (
        wall, cpu, resident(), quoted(safe(error)) if error else "null", quoted(safe(trace)))
    return error, trace, answer.encode()


def resident():
    """Bytes of this process that are in memory; 0 where that cannot be told."""
    try:
        statm = open_file("/proc/self/statm", READ_ONLY)
        try:
            return int(read(statm, 100).split()[1]) * PAGE
        finally:
            close(statm)
    except (OSError, ValueError):
        return 0
