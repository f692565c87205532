"""An external arm: a pool of threads in one process, written from src/engine/external/protocol.rs alone.

Arguments are faults that a test asks for: `die=N` (exit 7 after N tasks), `leave=N` (exit 0 then), `nonsense=N`, `silent=N`, `lie=N` (a task twice),
`deaf` (heeds no stop), `linger` (ends what it has begun first), `daemon=S` (leaves `sleep S` behind), `can=a,b` (what it says it can), `hold` (keeps what it was sent and never begins it), `count` (ends with
its own counts), `miscount` (and one too many).
"""

import json
import os
import queue
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

FAULTS = dict((argument.split("=") + ["1"])[:2] for argument in sys.argv[1:])
WINDOW = 64

parent = socket.socket(fileno=3)
lines = parent.makefile("r", encoding="utf-8")
speaking = threading.Lock()
tasks = queue.Queue()
running = threading.Event()
running.set()
done = {"succeeded": 0}


def say(kind, **fields):
    with speaking:
        parent.sendall((json.dumps({"type": kind, **fields}) + "\n").encode())


def fault(name):
    return name in FAULTS and done["succeeded"] + 1 == int(FAULTS[name])


def work(lane, task, nanoseconds):
    start = time.monotonic_ns()
    say("started", lane=lane, task=task, at=start)
    time.sleep((nanoseconds or 0) / 1e9)
    service = time.monotonic_ns() - start
    if fault("die"):
        print("out of cheese", file=sys.stderr, flush=True)
        os._exit(7)
    if fault("leave"):
        os._exit(0)
    if fault("nonsense"):
        say("succeeded", lane=lane, tasks="many")
    if fault("silent"):
        os.kill(os.getpid(), signal.SIGSTOP)
    with speaking:
        done["succeeded"] += 1
    say("succeeded", lane=lane, tasks=[[task, start, service, task]])
    if fault("lie"):
        say("succeeded", lane=lane, tasks=[[task, start, service, task]])
    say("want", tasks=1)


def worker(lane):
    while (item := tasks.get()) is not None:
        running.wait()
        if "hold" in FAULTS:
            time.sleep(600)
        work(lane, *item)


def heartbeat(every):
    while True:
        time.sleep(every)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        say("worker_usage", worker=0, user=int(usage.ru_utime * 1e9), system=int(usage.ru_stime * 1e9))


def main():
    start = json.loads(lines.readline())
    lanes = list(range(start["workers"]))
    say("hello", version=1, can=FAULTS.get("can", "pause,lanes,timeout").split(","))
    say("worker_started", worker=0, pid=os.getpid(), lanes=lanes)
    threads = [threading.Thread(target=worker, args=[lane], daemon=True) for lane in lanes]
    for thread in threads:
        thread.start()
    if "daemon" in FAULTS:
        subprocess.run(["sh", "-c", f"env -i setsid sleep {FAULTS['daemon']} > /dev/null 2>&1 &"], check=True)
    say("worker_ready", worker=0)
    threading.Thread(target=heartbeat, args=[start["silence"] / 4e9], daemon=True).start()
    say("want", tasks=WINDOW)
    for line in lines:
        message = json.loads(line)
        kind = message["type"]
        if kind == "tasks":
            service = message["service"] or [None] * message["count"]
            for offset, nanoseconds in enumerate(service):
                tasks.put((message["first"] + offset, nanoseconds))
        elif kind == "pause":
            running.clear()
        elif kind == "resume":
            running.set()
        elif kind == "end":
            threading.Thread(target=finish, args=[threads], daemon=True).start()
        elif kind == "stop" and "linger" in FAULTS:
            # What waits is never begun; what runs is reported, in a program that then is killed.
            while not tasks.empty():
                tasks.get()
        elif kind == "stop":
            time.sleep(600 if "deaf" in FAULTS else 0)
            os._exit(0)


def finish(threads):
    for _ in threads:
        tasks.put(None)
    for thread in threads:
        thread.join()
    if "count" in FAULTS or "miscount" in FAULTS:
        say("counts", succeeded=done["succeeded"] + ("miscount" in FAULTS))
    os._exit(0)


main()
