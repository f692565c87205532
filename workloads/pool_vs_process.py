"""One task of about a millisecond, for whoever runs it."""


def work(index, n=12000):
    total = 0
    for number in range(n):
        total += number * number % 7
    return total, index
