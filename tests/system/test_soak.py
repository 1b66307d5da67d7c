"""A short soak; `make soak` runs for long."""
from soak import soak


def test_short_soak():
    rounds, starts = soak("soak-short", 1, lambda rounds: rounds < 40)
    assert rounds == 40 and starts >= 6
