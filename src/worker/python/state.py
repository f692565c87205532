# What tasks do to their process that those after them in the same worker will find so: as in CPython's own pool it stays,
# and it is told. And what the library would do on behalf of a task that it should not.

SIGNALS = [number for number in range(1, 32) if number not in (9, 19)]


class Handlers:
    """Those of all signals. They are the same if they are the same objects: what theirs say of it is not asked."""

    def __init__(self):
        self.all = [users(getsignal(number)) for number in SIGNALS]

    def __eq__(self, other):
        return list(map(id, self.all)) == list(map(id, other.all))


class State:
    """What is looked at. It is cheap enough to be looked at after each task of some length, and now and then otherwise."""

    def __init__(self):
        self.environ, self.told = _environment, set()
        self.seen = self.look()
        self.looked = monotonic_ns()

    def look(self):
        return self.folder(), dict(self.environ), Handlers(), self.descriptors()

    @staticmethod
    def folder():
        try:
            return getcwd()
        except OSError:  # it was removed
            return None

    @staticmethod
    def descriptors():
        found = []
        for number in (0, 1, 2):
            try:
                status = fstat(number)
                found.append((status.st_dev, status.st_ino))
            except OSError:
                found.append(None)
        return found

    def changes(self):
        """What is not as it was, each kind of change once: what it is, and more about it."""
        seen, self.seen = self.seen, self.look()
        self.looked = monotonic_ns()
        if seen == self.seen:
            return []
        found = []
        (folder, names, handlers, files), (now, names_now, handlers_now, files_now) = seen, self.seen
        if folder != now:
            found.append(("working directory", "to %s" % now if now else "which is gone"))
        if names != names_now:
            odd = sorted(name for name in {**names, **names_now} if names.get(name) != names_now.get(name))
            found.append(("environment", _listed([fsdecode(name) for name in odd])))
        if handlers != handlers_now:
            odd = [number for number, old, new in zip(SIGNALS, handlers.all, handlers_now.all) if old is not new]
            found.append(("signal handlers", "signal %s" % _listed(list(map(str, odd)))))
        if files != files_now:
            odd = [str(number) for number, old, new in zip((0, 1, 2), files, files_now) if old != new]
            found.append(("standard descriptors", "number %s" % _listed(odd)))
        found = [change for change in found if change[0] not in self.told]
        self.told.update(kind for kind, _ in found)
        return found


def _listed(names):
    return ", ".join(_short(name, 100) for name in names[:5]) + (" and %d more" % (len(names) - 5) if names[5:] else "")


class SharedMemory:
    """Finds no module, but makes `multiprocessing.shared_memory` register what a process has made and nothing else.
    Up to 3.12 it registers what it has only been attached to as well (python/cpython#82300), and when this worker ends,
    its resource tracker would remove it from under all others."""

    name = "multiprocessing.shared_memory"

    def find_spec(self, name, path=None, target=None):
        if name != self.name:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if hasattr(finder, "find_spec") else None
            if spec is not None:
                break
        else:
            return None
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            self.mend(module.SharedMemory, __import__("multiprocessing.resource_tracker").resource_tracker)

        spec.loader.exec_module = exec_module
        return spec

    @staticmethod
    def mend(kind, tracker):
        begin, register, unregister = kind.__init__, tracker.register, tracker.unregister
        attaching, attached, made = set(), set(), set()

        def __init__(self, name=None, create=False, *args, **keywords):
            if create:
                return begin(self, name, create, *args, **keywords)
            attaching.add(get_ident())
            try:
                begin(self, name, create, *args, **keywords)
            finally:
                attaching.discard(get_ident())

        def only_made(name, what):
            if what == "shared_memory" and get_ident() in attaching:
                if name not in made:
                    attached.add(name)
                return
            if what == "shared_memory":
                made.add(name)
            register(name, what)

        def forget(name, what):
            if what == "shared_memory" and name in attached and name not in made:
                return attached.discard(name)
            made.discard(name)
            unregister(name, what)

        kind.__init__, tracker.register, tracker.unregister = __init__, only_made, forget


sys.meta_path.insert(0, SharedMemory())
