"""A large table that every task needs: brought along by every task, or made once per worker."""

_table = None


def make_table(n):
    """The initializer: a dictionary of so many entries."""
    global _table
    _table = {number: str(number) for number in range(n)}


def look_up(index):
    """In the table that its process has."""
    return _table[index]


def look_up_in(table, index):
    """In a table that came with the task."""
    return table[index]
