"""A class in small: chapters 1 to 3 at once, compared with what is stored, while others compute. See soak/load.py."""

import stored
from soak.load import busy_loops, learn, strictly


def test_three_kernels_and_two_busy_loops():
    with busy_loops(2):
        learn(*map(strictly, stored.paths(["01", "02", "03"])))
