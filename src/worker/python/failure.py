# An exception as text: its class and message, and where it came from. Every part is bounded, and a traceback is cut to
# its ends before anything of it is formatted: that of a deep recursion would take seconds.

# Its names are its own (base.py): reference arms have it too.
from posix import close, fstat, open as open_file, read, stat as stat_of

ENDS = 50  # frames that are kept at each end
LONGEST = 2000  # characters of a message
MOST_CAUSES = 10
MOST_OF_A_FILE = 1 << 20  # bytes
WITHOUT_WAITING = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
LONGEST_REPORT = 60000  # characters: in JSON a character is at most twelve bytes, and a frame has room for 2^20


def _short(text, most=LONGEST):
    return text if len(text) <= most else "%s [%d characters left out] %s" % (
        text[: most // 2], len(text) - most, text[-most // 2 :])


# Of a class and of an exception, whatever their own classes say.
name_of, _module_of = type.__dict__["__qualname__"].__get__, type.__dict__["__module__"].__get__
_of_error = BaseException.__dict__
_traceback_of, _cause_of = _of_error["__traceback__"].__get__, _of_error["__cause__"].__get__
_context_of, _is_suppressed = _of_error["__context__"].__get__, _of_error["__suppress_context__"].__get__


def exact(text):
    """The same text, be it of a class of the user's."""
    return "".join((text,)) if type(text) is not str else text


def full_name(kind):
    name, module = _short(exact(name_of(kind)), 200), _module_of(kind)
    if type(module) is not str or module in ("builtins", "__main__"):
        return name
    return _short("%s.%s" % (module, name), 200)


def named(error):
    """`ValueError: no licence`"""
    name = full_name(type(error))
    try:
        text = _short(exact(str(error)))
    except BaseException as second:  # its own __str__ fails
        text = "[its message cannot be had: %s]" % name_of(type(second))
    return "%s: %s" % (name, text) if text else name


def told(error):
    """What `named` and `described` say of it, whatever the class of the exception does when it is looked at."""
    try:
        return named(error), _short(described(error), LONGEST_REPORT)
    except BaseException as second:
        return "%s: [it cannot be told: %s]" % (full_name(type(error)), full_name(type(second))), ""


def described(error):
    """The exception with its traceback and those that it came from, as Python prints them, the first cause first."""
    parts, seen = [], set()
    while error is not None and len(parts) < MOST_CAUSES:
        seen.add(id(error))
        parts.append("%s%s\n%s" % (_traceback(_traceback_of(error)), named(error), _notes(error)))
        cause, context = _cause_of(error), _context_of(error)
        if cause is not None:
            error, link = cause, "\nThe above exception was the direct cause of the following exception:\n\n"
        elif context is not None and not _is_suppressed(error):
            error, link = context, "\nDuring handling of the above exception, another exception occurred:\n\n"
        else:
            break
        if id(error) in seen:
            break
        parts.append(link)
    return "".join(reversed(parts))


def _notes(error):
    try:
        notes = getattr(error, "__notes__", None)
        return "".join(["%s\n" % _short(exact(str(note))) for note in notes[:20]]) if type(notes) is list else ""
    except BaseException:  # a class of the user's
        return ""


def _traceback(entry):
    frames = []
    while entry is not None:
        code = entry.tb_frame.f_code
        if code.co_filename != "<poolscope>" and not code.co_filename.startswith("<frozen importlib"):
            frames.append((code, entry.tb_lineno))
        entry = entry.tb_next
    if not frames:
        return ""
    left_out = len(frames) - 2 * ENDS
    if left_out > 0:
        frames[ENDS:-ENDS] = [(None, left_out)]
    lines = ["Traceback (most recent call last):\n"]
    files, before, repeated = {}, None, 0
    for code, number in frames:
        # As CPython tells a recursion.
        repeated = repeated + 1 if (code, number) == before else 0
        before = code, number
        if repeated > 2:
            again = "  [Previous line repeated %d more time%s]\n" % (repeated - 2, "s" if repeated > 3 else "")
            lines[-1:] = [again] if repeated > 3 else [lines[-1], again]
            continue
        if code is None:
            lines.append("  [%d frames left out]\n" % number)
            continue
        lines.append('  File "%s", line %s, in %s\n' % (code.co_filename, number, code.co_name))
        text = _line(code.co_filename, number, files)
        if text:
            lines.append("    %s\n" % text)
    return "".join(lines)


def _beginning(name):
    """What a file begins with. Whatever else has that name, such as a pipe that nobody writes to, is left alone."""
    if not _is_file(stat_of(name)):
        return b""
    file, data = open_file(name, WITHOUT_WAITING), b""
    try:
        while _is_file(fstat(file)) and len(data) < MOST_OF_A_FILE:
            piece = read(file, MOST_OF_A_FILE)
            if not piece:
                break
            data += piece
    finally:
        close(file)
    return data


def _is_file(status):
    return status.st_mode & 0o170000 == 0o100000


def _line(name, number, files):
    if name not in files:
        try:
            files[name] = _beginning(name).decode("utf-8", "replace").split("\n")
        except (OSError, ValueError):
            files[name] = []
    lines = files[name]
    return _short(lines[number - 1].strip(), 200) if number is not None and 0 < number <= len(lines) else ""
