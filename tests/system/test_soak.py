"""A short soak, without allocations that fail: test_faults.py does that in order. `make soak` runs for long."""
from soak import soak


def test_short_soak():
    rounds, starts = soak("soak-short", 1, lambda rounds: rounds < 25, faults=False)
    assert rounds == 25 and starts >= 6
