# Looks at an interpreter and at the functions that it is to call, in a process that is thrown away. Answers are lines of
# JSON on descriptor 3, the first one before anything of the user's is imported.
# Descriptor 6 has the source of the worker, descriptor 7 what is asked.

sys.path[:] = [folder for folder in _whole_path if folder not in _foreign]
import binascii
import functools
import inspect
import json
import pickle
import platform

sys.path[:] = _whole_path


def answer(kind, content):
    os.write(3, (json.dumps({kind: content}) + "\n").encode())


def facts():
    affinity = getattr(os, "sched_getaffinity", None)
    count = getattr(os, "process_cpu_count", None)
    return {
        "executable": sys.executable,
        "version": "%d.%d.%d" % sys.version_info[:3],
        "full_version": sys.version.split("\n")[0],
        "implementation": platform.python_implementation(),
        "gil": gil(),
        "free_threaded": "t" in getattr(sys, "abiflags", ""),
        "cpu_count": os.cpu_count(),
        "process_cpu_count": count() if count else len(affinity(0)) if affinity else os.cpu_count(),
        "prefix": sys.prefix if sys.prefix != sys.base_prefix else None,
        "encoding": sys.getfilesystemencoding(),
        "start_method": _default_start_method(),
        "variables": [(name, os.environ[name][:1000]) for name in SHOWN if name in os.environ],
    }


def gil():
    """Whether its lock is in use: an extension that does not say that it can do without switches it on at its import."""
    enabled = getattr(sys, "_is_gil_enabled", None)
    return enabled() if enabled else True


def _default_start_method():
    return "spawn" if sys.platform == "darwin" else "forkserver" if sys.version_info >= (3, 14) else "fork"


def kind_of(function):
    """What a call of it would not do at once."""
    while isinstance(function, functools.partial):
        function = function.func
    own = getattr(type(function), "__call__", None)
    for found in (function, own) if not inspect.isroutine(function) and not inspect.isclass(function) else (function,):
        if inspect.iscoroutinefunction(found):
            return "an async function: calling it only makes a coroutine"
        if inspect.isasyncgenfunction(found):
            return "an async generator function: calling it runs nothing"
        if inspect.isgeneratorfunction(found):
            return "a generator function: calling it runs nothing"
    return None


def problem(asked):
    """Why this call cannot be made; None if it can."""
    try:
        function = resolved(asked["callable"])
    except NotThere as error:
        return {"kind": "missing", "message": str(error)}
    except SystemExit as error:
        code = SystemExit.__dict__["code"].__get__(error)
        shown = code if type(code) in (int, str, type(None)) else "of the type %s" % name_of(type(code))
        message = "it leaves the interpreter with code %s while it is imported" % shown
        return {"kind": "import", "message": message, "trace": told(error)[1]}
    except BaseException as error:
        return {"kind": "import", "message": told(error)[0], "trace": told(error)[1]}
    try:
        return _unfit(function, asked)
    except BaseException as error:  # whatever a thing of the user's does when it is looked at
        return {"kind": "call", "message": "nothing that can be looked at: %s" % told(error)[0]}


def _unfit(function, asked):
    if not callable(function):
        return {"kind": "call", "message": "of the type %s, which cannot be called" % type(function).__name__}
    odd = kind_of(function)
    if odd:
        return {"kind": "call", "message": odd}
    try:
        signature = inspect.signature(function)
    except Exception:  # some that are written in C have none, and others have one that is none
        return None
    given = Call(asked, function).arguments(Anything())
    try:
        signature.bind(*given[0], **given[1])
    except TypeError as error:
        return {"kind": "arguments", "message": str(error), "signature": _words(signature)}
    return None


def _words(signature):
    try:
        return str(signature)
    except Exception:  # the repr of a default
        return "(...)"


# What has threads of its own for linear algebra and the like, by a part of its file's name, and what limits them.
LIBRARIES = {
    "openblas": "OPENBLAS_NUM_THREADS", "libmkl": "MKL_NUM_THREADS", "blis": "BLIS_NUM_THREADS",
    "libgomp": "OMP_NUM_THREADS", "libiomp": "OMP_NUM_THREADS", "libomp": "OMP_NUM_THREADS",
}


def thread_pools():
    """Libraries that were loaded with what the tasks call and that start threads, and how many they may start."""
    try:
        with open("/proc/self/maps", errors="replace") as file:
            names = {os.path.basename(line.rstrip("\n").partition("/")[2]) for line in file}
    except OSError:
        return []
    found = {}
    for name in sorted(names):
        for part, variable in LIBRARIES.items():
            if part in name:
                limit = os.environ.get(variable) or os.environ.get("OMP_NUM_THREADS") or ""
                limit = limit.split(",")[0].strip()
                threads = int(limit) if limit.isdigit() and int(limit) > 0 else None
                found.setdefault(variable, {"library": name, "variable": variable, "limit": threads})
    return list(found.values())


SHOWN = (
    "PYTHONPATH", "PYTHONHASHSEED", "LC_ALL", "LC_CTYPE", "LANG", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS", "BLIS_NUM_THREADS")
def inside(name, path):
    """Why another interpreter of this process cannot have this; None if it can."""
    from concurrent import interpreters

    own = interpreters.create()
    # Threads that an import has started would be waited for at its end.
    looked_into.append(own)
    own.prepare_main(_name=name, _path="\0".join(path))
    try:
        own.exec(IMPORT)
    except interpreters.ExecutionFailed as error:
        kind = getattr(error.excinfo.type, "__name__", "")
        return "%s cannot be had in a subinterpreter: %s" % (name, ": ".join(part for part in (kind, error.excinfo.msg) if part))
    return None


looked_into = []
IMPORT = r"""
import sys
if sys.path[:1] == [""]: del sys.path[0]
sys.path[:0] = _path.split("\0") if _path else []
module, _, path = _name.partition(":")
__import__(module)
found = sys.modules[module]
for part in path.split("."):
    found = getattr(found, part)
"""


def unfit(asked, how, path):
    """Why this call cannot be handed on so; None if it can."""
    if how["inside"]:
        return inside(asked["callable"], path)
    function, name = resolved(asked["callable"]), asked["callable"]
    if how["pickled"]:
        try:
            pickle.dumps(function)
        except BaseException as error:
            return "%s cannot be pickled: %s" % (name, told(error)[0])
    method = how["by_position"]
    if method:
        args, kwargs = Call(asked, function).arguments(Anything())
        try:
            bound = inspect.signature(function).bind(*args, **kwargs)
            args, kwargs = bound.args, bound.kwargs
        except Exception:  # there is none, or it does not fit
            pass
        if kwargs:
            return "%s hands on arguments by their positions, and %s gets `%s` by its name" % (method, name, next(iter(kwargs)))
        if how["one"] and len(args) != 1:
            return "%s hands on one argument, and %s gets %d" % (method, name, len(args))
    return None


class Anything(dict):
    """Stands in for what varies from task to task."""

    def __missing__(self, key):
        if key == "told":
            return Anything()
        return [0] * 1000 if key == "draws" else b"" if key == "Payload" else 0


def probe():
    answer("facts", facts())
    request = json.loads(os.pread(7, os.fstat(7).st_size, 0).decode())
    worker = compile(os.pread(6, os.fstat(6).st_size, 0), "<poolscope>", "exec")
    answer("code", binascii.hexlify(marshal.dumps(worker)).decode())
    for descriptor in (3, 6, 7):
        os.set_inheritable(descriptor, False)
    sys.argv[:] = [""]
    path = folders_of(request["path"])
    sys.path[:0] = path
    own = os.getpid()
    for place, asked in enumerate(request["calls"]):
        answer("trying", place)
        found = problem(asked)
        if os.getpid() != own:  # a copy that an import has forked and let go
            os._exit(0)
        if found:
            found["place"] = place
            answer("problem", found)
        elif request.get("handing_on"):
            reason = unfit(asked, request["handing_on"], path)
            if reason:
                answer("unfit", reason)
    answer("gil", gil())
    answer("thread_pools", thread_pools())
    answer("done", True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


import marshal

probe()
