# The probe of the interpreter lock, where `setup` asks for it: a thread that sleeps, and notes how much later than it was
# to it goes on, because somebody else had the lock. Its waking makes a task hand the lock over: what runs beside it is no
# measurement. It says nothing itself; who reports tasks takes along what it has noted.

PROBE_PERIOD = 20_000_000  # nanoseconds
MOST_LATE = 4096  # that are kept until they are told


class GilProbe:
    def __init__(self, lanes):
        self.lanes, self.late = lanes, []
        start_new_thread(self.run, ())

    def run(self):
        late, now, period = self.late, monotonic_ns, PROBE_PERIOD / 1e9
        while True:
            busy, due = self.is_busy(), now() + PROBE_PERIOD
            sleep(period)
            lateness = max(now() - due, 0)
            # Where nobody works there is nothing to wait for, and nothing is shown by that.
            if not (busy or self.is_busy()):
                continue
            if len(late) >= MOST_LATE:
                lateness = max(lateness, late.pop())
            late.append(lateness)

    def is_busy(self):
        return any(lane.long[TASK] != NO_TASK for lane in self.lanes())

    def told(self):
        """A frame of what it has noted since it was asked last, or nothing."""
        count = len(self.late)
        if not count:
            return b""
        late = self.late[:count]
        del self.late[:count]
        payload = Struct("<%dQ" % (count + 1)).pack(int(getswitchinterval() * 1e9), *late)
        return HEADER.pack(len(payload), 10, 0, 0) + payload
