"""What it costs to carry bytes to a worker and back."""


def carry(data, index):
    """Does nothing with them."""
    return len(data) if data else 0, index
