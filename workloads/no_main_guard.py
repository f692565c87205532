"""A script without `if __name__ == "__main__"`, run in a jail: so many processes, so much time, so much output and no more."""

import os
import signal
import subprocess
import sys
import tempfile
import time

PROCESSES = 30          # live ones, itself included
SECONDS = 2.5
OUTPUT = 256 * 1024     # bytes

SCRIPTS = {
    "process": """
import multiprocessing
mp = multiprocessing.get_context("%s")
def work():
    print("worked", flush=True)
worker = mp.Process(target=work)
worker.start()
worker.join()
""",
    "pool": """
import multiprocessing
mp = multiprocessing.get_context("%s")
def work(number):
    return number * number
pool = mp.Pool(2)
print("worked", pool.map(work, range(4)), flush=True)
pool.terminate()
pool.join()
""",
}


class Jailed(Exception):
    """What became of a script that did not do what it was written for."""


def _alive(session):
    """Processes of a session that have not ended."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as file:
                    fields = file.read().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[3] == str(session) and fields[0] not in "ZX":
                found.append(int(name))
    return found


def _end(session):
    """Ends all of them, also those that are started meanwhile."""
    deadline = time.monotonic() + 10
    while _alive(session) and time.monotonic() < deadline:
        for pid in _alive(session):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.005)


def jailed(what, method):
    """Runs a script; what it said in the end. Raises if it was stopped or failed."""
    with tempfile.TemporaryDirectory() as folder:
        script, output = os.path.join(folder, "script.py"), os.path.join(folder, "output")
        with open(script, "w") as file:
            file.write(SCRIPTS[what] % method)
        with open(output, "wb") as file:
            # A session of its own: whoever it starts is found by that, and ended by it.
            child = subprocess.Popen([sys.executable, script], stdin=subprocess.DEVNULL, stdout=file,
                                     stderr=subprocess.STDOUT, start_new_session=True, cwd=folder)
        begin, most, why = time.monotonic(), 0, None
        try:
            while child.poll() is None and why is None:
                most = max(most, len(_alive(child.pid)))
                if most > PROCESSES:
                    why = "it had more than %d processes" % PROCESSES
                elif time.monotonic() - begin > SECONDS:
                    why = "it had not ended after %.1f s" % SECONDS
                elif os.path.getsize(output) > OUTPUT:
                    why = "it wrote more than %d KiB" % (OUTPUT >> 10)
                else:
                    time.sleep(0.01)
        finally:
            _end(child.pid)
            child.wait()
        with open(output, errors="replace") as file:
            said = file.read(OUTPUT)
    errors = said.count("\nRuntimeError:")
    if why is None and child.returncode == 0 and not errors:
        return said.strip()
    end = "it was stopped: %s" % why if why else "it ended by itself"
    refusal = said[said.find("\nRuntimeError:"):].split() if errors else []
    words = " ".join(refusal[:13])
    children = "1 child" if errors == 1 else "%d children" % errors
    raise Jailed("%s by %s: %s refused (%s ...); %s" % (what, method, children, words, end))
