"""Gives each clone of one snapshot its own random numbers: a restored process continues the generators it had.

Only modules that the process has loaded are touched. ``os.urandom`` and ``secrets`` ask the kernel and need nothing.
"""

import os
import sys


def reseed_all():
    """Returns the names of what was reseeded and the errors."""
    did, errors = [], []
    for name, reseed in _generators:
        module = sys.modules.get(name)
        if module is None:
            continue
        try:
            reseed(module)
            did.append(name)
        except BaseException as error:
            errors.append("reseed %s: %s: %s" % (name, type(error).__name__, error))
    return did, errors


def _integer(bits):
    return int.from_bytes(os.urandom(bits // 8), "little")


def _random(random):
    random.seed()  # from os.urandom


def _numpy(numpy):
    generators = sys.modules.get("numpy.random")
    if generators is not None:
        generators.seed(_integer(32))


def _torch(torch):
    torch.manual_seed(_integer(64) >> 1)  # the CPU's and every CUDA device's generator


def _uuid(uuid):
    # libuuid and this module both remember a node and a clock sequence for uuid1; a random node
    # (RFC 9562, section 6.10: multicast bit set) makes clones differ at the same instant.
    uuid._node = _integer(48) | (1 << 40)
    uuid._last_timestamp = None
    if hasattr(uuid, "_generate_time_safe"):
        uuid._generate_time_safe = None


def _ssl(ssl):
    ssl.RAND_add(os.urandom(32), 32)


def _tempfile(tempfile):
    tempfile._name_sequence = None


# random first: others fall back to it.
_generators = (
    ("random", _random),
    ("numpy", _numpy),
    ("torch", _torch),
    ("uuid", _uuid),
    ("ssl", _ssl),
    ("tempfile", _tempfile),
)
