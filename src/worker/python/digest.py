# What a result is worth as one number, the same in every process, start method and version of Python: never its pickle,
# its repr or its hash. Type names and content; sharing is ignored, a cycle is told by its depth.

DEEPEST = 200
MOST_VALUES = 100000  # in one result, each as often as it is met: some tenths of a second
MASK = (1 << 64) - 1
OPAQUE = 0  # a result that cannot be compared


class Opaque(Exception):
    pass


class Path(dict):
    left = MOST_VALUES


def digest(value):
    """From 1 to 2^64 - 1, or OPAQUE."""
    kind = type(value)
    if value is None:
        return NONE
    state = blake2b(digest_size=8)
    try:
        leaf = LEAVES.get(kind)
        if leaf is not None:
            leaf(state.update, value)
        else:
            _walk(state.update, value, Path())
    except BaseException:  # Opaque, or a class of the user's that does not bear being looked at
        return OPAQUE
    return int.from_bytes(state.digest(), "little") or 1


def _sized(feed, tag, data):
    feed(b"%s%d:" % (tag, len(data)))
    feed(data)


def _int(feed, value):
    _sized(feed, b"i", value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True))


def _float(feed, value):
    feed(b"f" + (DOUBLE(value) if value == value else b"nan"))


DOUBLE = Struct("<d").pack
CONTAINERS = list, tuple, dict, set, frozenset
LEAVES = {
    type(None): lambda feed, value: feed(b"n"),
    bool: lambda feed, value: feed(b"t" if value else b"u"),
    int: _int,
    float: _float,
    complex: lambda feed, value: (feed(b"c"), _float(feed, value.real), _float(feed, value.imag)),
    str: lambda feed, value: _sized(feed, b"s", value.encode("utf-8", "surrogatepass")),
    bytes: lambda feed, value: _sized(feed, b"b", value),
    bytearray: lambda feed, value: _sized(feed, b"a", value),
    type(Ellipsis): lambda feed, value: feed(b"."),
    range: lambda feed, value: (feed(b"r"), *(_int(feed, end) for end in (value.start, value.stop, value.step))),
}


def _alone(value, path):
    state = blake2b(digest_size=16)
    _walk(state.update, value, path)
    return state.digest()


def _walk(feed, value, path):
    kind = type(value)
    leaf = LEAVES.get(kind)
    if leaf is not None:
        return leaf(feed, value)
    # On the way to this value: where it is met again below itself, its depth says so.
    depth = path.get(id(value))
    if depth is not None:
        return feed(b"^%d;" % depth)
    if len(path) >= DEEPEST:
        raise Opaque
    path.left -= len(value) + 1 if kind in CONTAINERS else 1
    if path.left < 0:
        raise Opaque
    path[id(value)] = len(path)
    if kind is list or kind is tuple:
        feed(b"%s%d:" % (b"l" if kind is list else b"(", len(value)))
        for item in value:
            _walk(feed, item, path)
    elif kind is dict:
        feed(b"d%d:" % len(value))
        for entry in sorted(_alone(key, path) + _alone(item, path) for key, item in value.items()):
            feed(entry)
    elif kind is set or kind is frozenset:
        feed(b"%s%d:" % (b"e" if kind is set else b"z", len(value)))
        for entry in sorted(_alone(item, path) for item in value):
            feed(entry)
    else:
        _fields(feed, kind, value, path)
    del path[id(value)]


def _fields(feed, kind, value, path):
    name = ("%s.%s" % (kind.__module__, kind.__qualname__)).encode("utf-8", "replace")
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        fields = [(field, getattr(value, field)) for field in kind._fields]
    elif hasattr(kind, "__dataclass_fields__"):
        fields = [(field, getattr(value, field)) for field in kind.__dataclass_fields__ if hasattr(value, field)]
    elif "enum" in sys.modules and isinstance(value, sys.modules["enum"].Enum):
        # The name of a combination of flags is None up to 3.10, and what its value says.
        fields = [("", value.value) if issubclass(kind, sys.modules["enum"].Flag) else (value.name, value.value)]
    else:
        raise Opaque
    _sized(feed, b"o", name)
    feed(b"%d:" % len(fields))
    for field, content in fields:
        _sized(feed, b"s", field.encode("utf-8", "surrogatepass"))
        _walk(feed, content, path)


NONE = int.from_bytes(blake2b(b"n", digest_size=8).digest(), "little")
