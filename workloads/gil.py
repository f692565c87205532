"""Pure Python: the interpreter runs one bytecode at a time, so threads take turns."""


def collatz(n, salt=0):
    """The longest Collatz sequence that begins below n, and where."""
    best, where = 0, 0
    for start in range(1, n):
        steps, x = 0, start
        while x != 1:
            x = x // 2 if x % 2 == 0 else 3 * x + 1
            steps += 1
        if steps > best:
            best, where = steps, start
    return best, where, salt
