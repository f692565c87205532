"""A worker in another language, written from src/worker/PROTOCOL.md alone, with nothing but the standard library.

usage: foreign.py board|started|nothing __worker LINE PARENT    (the first says how it tells which task it is in)
"""
import json, mmap, os, resource, select, signal, socket, struct, subprocess, sys, tempfile, time
from collections import deque

HEAD, RUN, RECORD = struct.Struct("<IBBH"), struct.Struct("<QIHHQ"), struct.Struct("<4Q")
MASK, NO_TASK, REPORT_AFTER, PIECE = 2**64 - 1, 2**64 - 1, 100_000, (1 << 20) - 8
now = time.monotonic_ns


def fnv(data, value=0xCBF29CE484222325):
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & MASK
    return value


def unit(seed, *counters):
    def mix(z):
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        return z ^ z >> 31
    purpose, index, draw = counters
    for number in (purpose, index + 1, draw + 1):
        seed = mix(seed + 0x9E3779B97F4A7C15 * number & MASK)
    return ((seed >> 11) + 0.5) / 2**53


class Worker:
    def __init__(self, tells, line):
        self.socket, self.tells = socket.socket(fileno=3), tells
        board = memoryview(mmap.mmap(4, 4096 * 64))[line * 64:line * 64 + 64]
        self.u32, self.u64 = board.cast("I"), board.cast("Q")
        self.setup, self.classes, self.payloads, self.tasks = None, {}, {}, deque()
        self.inbox, self.out, self.records = b"", bytearray(), []
        self.reported, self.retired, self.ended = now(), False, False

    def say(self, kind, payload, flags=0):
        self.out += HEAD.pack(len(payload), kind, flags, 0) + payload

    def put_records(self):
        while self.records:
            used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
            total = lambda name, unit=1: int(sum(getattr(usage, name) for usage in used) * unit)
            usage = struct.pack("<6Q", total("ru_utime", 10**9), total("ru_stime", 10**9), total("ru_minflt"),
                                total("ru_majflt"), total("ru_nvcsw"), total("ru_nivcsw"))
            self.say(2, usage + b"".join(RECORD.pack(*record) for record in self.records[:512]))
            del self.records[:512]

    def report(self):
        self.tell(NO_TASK, 0)
        self.put_records()
        self.socket.sendall(self.out)
        self.out.clear()
        self.reported = now()

    def tell(self, task, start, program=0):
        if self.tells == "board":
            self.u32[0] = self.u32[0] + 1 & 0xFFFFFFFF
            self.u64[1] = task
            if task != NO_TASK:
                self.u64[2], self.u32[8] = start, program
                if not program:
                    self.u64[3] = start
            self.u32[0] = self.u32[0] + 1 & 0xFFFFFFFF
        elif self.tells == "started" and task != NO_TASK:
            self.socket.sendall(HEAD.pack(24, 7, 0, 0) + struct.pack("<QQII", task, start, program, 0))

    def read(self):
        data = self.socket.recv(1 << 16)
        self.ended = not data
        self.inbox += data
        while len(self.inbox) >= 8 and len(self.inbox) >= 8 + HEAD.unpack_from(self.inbox)[0]:
            length, kind, flags, _lane = HEAD.unpack_from(self.inbox)
            payload, self.inbox = self.inbox[8:8 + length], self.inbox[8 + length:]
            self.take(kind, flags, payload)

    def take(self, kind, flags, payload):
        if kind == 1:
            self.setup = json.loads(payload)
            if self.setup["protocol"] != 2:
                sys.exit("this worker speaks protocol 2")
            hello = {"protocol": 2, "pid": os.getpid(), "tells": self.tells}
            self.say(1, json.dumps(hello).encode())
            self.report()
        elif kind == 2:
            self.classes[struct.unpack_from("<H", payload)[0]] = json.loads(payload[2:])
        elif kind == 3:
            self.tasks.extend((first + n, *rest) for first, count, *rest in RUN.iter_unpack(payload) for n in range(count))
        elif kind == 4:
            self.report()
            self.initialize(json.loads(payload))
        elif kind == 5:
            index, = struct.unpack_from("<Q", payload)
            self.payloads[index] = self.payloads.get(index, b"") + payload[8:]
        elif kind == 6:
            self.retired = True
        else:
            sys.exit(f"unknown frame kind {kind}")

    def initialize(self, what):
        begin, used = now(), time.process_time_ns()
        while time.process_time_ns() - used < what.get("cpu_ns", 0):
            pass
        self.kept = bytearray(b"1") * what.get("memory_bytes", 0)
        answer = {"wall_ns": now() - begin, "cpu_ns": time.process_time_ns() - used}
        if unit(self.setup["seed"], 9, what.get("start", 0), 0) < what.get("fail_rate", 0):
            answer["error"] = "the initializer failed"
        self.say(5, json.dumps(answer).encode())
        self.report()
        if "error" in answer:
            sys.exit("the initializer failed")

    def leaves(self):
        if self.tells != "board" and not self.ended and select.select([self.socket], [], [], 0)[0]:
            self.read()
        return self.retired or self.tells == "board" and self.u32[1] != 0

    def work(self):
        index, klass, attempt, begin_by = self.tasks.popleft()
        start = now()
        if begin_by and start >= begin_by:
            self.put_records()
            self.say(4, struct.pack("<2Q", index, 1))
        else:
            self.tell(index, start)
            start, value, failure = self.run(self.classes[klass], index, attempt, start)
            end = now()
            if failure is None:
                self.records.append((index, start, end - start, value))
            else:
                self.put_records()
                self.say(3, json.dumps({"index": index, "start": start, "service": end - start, **failure}).encode())
        self.payloads.pop(index, None)
        if self.tells == "nothing" or now() - self.reported >= REPORT_AFTER:
            self.report()

    def run(self, work, index, attempt, start):
        match work:
            case {"Kernel": "Noop"}:
                return start, index, None
            case {"Sleep": {"Constant": length}}:
                time.sleep(length["secs"] + length["nanos"] / 1e9)
                return start, length["secs"] * 10**9 + length["nanos"], None
            case {"Command": {"argv": argv}}:
                return self.program(argv, index, attempt, start)
            case "Echo":
                data = self.payloads.get(index, b"")
                pieces = [data[at:at + PIECE] for at in range(0, len(data), PIECE)] or [b""]
                for piece in pieces:
                    self.say(6, struct.pack("<Q", index) + piece, int(piece is not pieces[-1]))
                return start, fnv(data), None
        return start, 0, {"message": f"this worker cannot do {work}"}

    def program(self, argv, index, attempt, start):
        values = {"{index}": index, "{attempt}": attempt, "{seed}": self.setup["seed"]}
        for name, value in values.items():
            argv = [text.replace(name, str(value)) for text in argv]
        folder = self.setup.get("folder")
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "retired", True))
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                           cwd=bytes(folder) if folder else None,
                                           env={**os.environ, "POOLSCOPE_TASK": f"{index}.{attempt}"})
            except OSError as error:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                return start, 0, {"message": f"{argv[0]}: {error.strerror}", "not_started": True}
            start = now()
            self.tell(index, start, process.pid)
            code = process.wait()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            written = [(stream.seek(0), stream.read())[1] for stream in (out, err)]
        if code == 0:
            return start, fnv(written[0]), None
        short = [data if len(data) < 16384 else data[:4096] + b"\n...\n" + data[-12000:] for data in written]
        return start, 0, {"exit": {"code": code} if code > 0 else {"signal": -code},
                          "stdout_tail": short[0].decode(errors="replace"),
                          "stderr_tail": short[1].decode(errors="replace"),
                          "output_omitted_bytes": sum(map(len, written)) - sum(map(len, short))}

    def serve(self):
        while not self.ended or self.tasks:
            while self.tasks and not self.leaves():
                self.work()
            self.report()
            if self.leaves():
                return
            if not (self.tasks or self.out or self.ended):
                self.read()
        self.report()


try:
    Worker(sys.argv[1], int(sys.argv[3])).serve()
except (BrokenPipeError, ConnectionResetError):
    pass
