# What is called for a task: the function by its name, and its arguments from what the workload says.


class NotThere(Exception):
    """The module was imported, and what is asked for is not in it."""


def folders_of(told):
    """Names are bytes, each told as the character of its number: what text they are is this interpreter's affair."""
    return [os.fsdecode(name.encode("latin-1")) for name in told]


def resolved(name):
    """The object of `module:attribute.attribute`; whatever its import raises."""
    module, _, path = name.partition(":")
    __import__(module)
    found, walked = sys.modules[module], module
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            kind = "module" if walked == module else type(found).__name__
            raise NotThere("%s %s has no attribute %r" % (kind, walked, part)) from error
        walked += ("." if ":" in walked else ":") + part
    return found


def valued(tagged, task):
    """The value that a tagged one stands for. `task` has what varies from task to task, by its tag."""
    if isinstance(tagged, str):
        return None if tagged == "Null" else task[tagged]
    ((tag, content),) = tagged.items()
    if tag == "Str":
        return content
    if tag == "Int":
        return int(content)
    if tag == "Bool":
        return content
    if tag == "Float":
        return float(content)
    if tag == "List":
        return [valued(item, task) for item in content]
    if tag == "Map":
        return {valued(key, task): valued(value, task) for key, value in content}
    if tag == "Template":
        for name in ("index", "attempt", "seed"):
            content = content.replace("{" + name + "}", str(task[name.capitalize()]))
        return content
    if tag == "Told":
        return task["told"][content["place"]]
    if tag == "Draw":
        number = task["draws"][content["place"]]
        return int(number) if content["whole"] else number
    raise ValueError("an argument of an unknown kind: %s" % tag)


def is_fixed(tagged):
    """Whether it is the same immutable value for every task."""
    if isinstance(tagged, str):
        return tagged == "Null"
    return next(iter(tagged)) in ("Str", "Int", "Bool", "Float")


def count_in(tagged, kind):
    """How many values of a kind are in it."""
    if isinstance(tagged, str):
        return 0
    ((tag, content),) = tagged.items()
    if tag == "List":
        return sum(count_in(value, kind) for value in content)
    if tag == "Map":
        return sum(count_in(key, kind) + count_in(value, kind) for key, value in content)
    return int(tag == kind)


class Call:
    """What the tasks of a class call, with which arguments."""

    def __init__(self, work, function):
        self.function, args = function, work["args"]
        self.keywords, self.positional = args.get("Keywords"), args.get("Positional")
        values = self.positional if self.keywords is None else [value for _, value in self.keywords]
        self.fixed = self.arguments({}) if all(map(is_fixed, values)) else None
        self.out = work.get("payload", {}).get("out", 0)
        self.draws = sum(count_in(value, "Draw") for value in values)
        self.told = any(count_in(value, "Told") for value in values)

    def arguments(self, task):
        if self.keywords is None:
            return tuple([valued(value, task) for value in self.positional]), {}
        return (), {name: valued(value, task) for name, value in self.keywords}
