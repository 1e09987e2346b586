"""Stand-in."""

from numpy.lib import stride_tricks as _stride_tricks


def as_strided(x, shape=None, strides=None):
    return x._view(_stride_tricks.as_strided(x._host, shape, strides))
