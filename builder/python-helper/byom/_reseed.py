"""Gives each clone of one snapshot its own random numbers: a restored process continues the generators it had.

Every generator gets a new state, also one that the model seeded itself: what must repeat is seeded for each
prediction. Only modules that the process has loaded are touched. ``os.urandom`` and ``secrets`` ask the kernel
and need nothing. Not reached: generators inside C++ and Rust libraries, jax keys, TensorFlow's global generator,
hash randomisation.
"""

import os
import sys

_found = None  # what `find` saw before the capture, so that a restore need not walk over all objects
_chunk = 10_000  # objects whose referents are looked at together: bounds the memory of a walk


def find():
    """Before a capture: remembers the live generators and TLS contexts that a model may hold."""
    global _found
    _found = _search()


def forget():
    """After a capture: the original lets go of what it remembered."""
    global _found
    _found = None


def reseed_all():
    """Returns the names of what was reseeded and the errors."""
    did, errors = [], []
    found = _found if _found is not None else _search()
    for name, needed, reseed in _generators:
        module = sys.modules.get(needed)
        if module is None:
            continue
        try:
            if reseed(module, found) is not False:
                did.append(name)
        except BaseException as error:
            errors.append("reseed %s: %s: %s" % (name, type(error).__name__, error))
    forget()
    return did, errors


def _search():
    """Live generator objects by the name of their module."""
    import gc

    wanted = {}
    for name, path in _classes:
        value = sys.modules.get(name)
        for part in path.split("."):
            value = getattr(value, part, None)
        if isinstance(value, type):
            wanted[value] = name
    found = {name: {} for name, _ in _classes}
    if not wanted:
        return found
    classes = tuple(wanted)
    objects = gc.get_objects()
    for candidate in objects:
        if issubclass(type(candidate), classes):
            _add(found, wanted, candidate)
    if "torch" in wanted.values():  # its generators are not tracked by the collector: look at who refers to them
        for at in range(0, len(objects), _chunk):
            for candidate in gc.get_referents(*objects[at : at + _chunk]):
                if issubclass(type(candidate), classes):
                    _add(found, wanted, candidate)
    return found


def _add(found, wanted, candidate):
    for known, name in wanted.items():
        if issubclass(type(candidate), known):
            found[name][id(candidate)] = candidate
            return


def _integer(bits):
    return int.from_bytes(os.urandom(bits // 8), "little")


def _random(random, found):
    random.seed()  # from os.urandom
    for generator in found["random"].values():
        if not isinstance(generator, random.SystemRandom):
            generator.seed()


def _numpy(numpy, found):
    generators = sys.modules.get("numpy.random")
    if generators is None:
        return False
    generators.seed(_integer(32))
    for bits in found["numpy.random"].values():
        bits.state = type(bits)().state  # seeded by the kernel
    for sequence in found["numpy.random.bit_generator"].values():  # what `spawn` makes children of
        _numpy_sequence(sequence)


def _numpy_sequence(sequence):
    """As unpickling does it: a sequence has no other way to be given a new state."""
    reduced = type(sequence)().__reduce__()
    setter = getattr(sequence, "__setstate__", None) or getattr(sequence, "__setstate_cython__", None)
    if setter is not None and len(reduced) > 2 and isinstance(reduced[2], tuple):
        setter(reduced[2])


def _torch(torch, found):
    torch.manual_seed(_integer(64) >> 1)  # the CPU's and every CUDA device's generator
    for generator in found["torch"].values():
        generator.manual_seed(_integer(64) >> 1)


def _uuid(uuid, found):
    # libuuid and this module both remember a node and a clock sequence for uuid1; a random node
    # (RFC 9562, section 6.10: multicast bit set) makes clones differ at the same instant.
    uuid._node = _integer(48) | (1 << 40)
    uuid._last_timestamp = None
    if hasattr(uuid, "_generate_time_safe"):
        uuid._generate_time_safe = None


def _ssl(ssl, found):
    from byom import _openssl

    ssl.RAND_add(os.urandom(48), 48.0)
    _openssl.reseed()
    for context in found["ssl"].values():
        _openssl.renew_ticket_keys(context)


def _libc(_sys, found):
    """rand, random and drand48 of the C library, which extension modules use."""
    import ctypes

    libc = ctypes.CDLL(None)
    libc.srandom(_integer(32))  # glibc: the state of rand, too
    libc.srand48(ctypes.c_long(_integer(32)))


def _openssl_of_cryptography(binding, found):
    from byom import _openssl

    return _openssl.reseed_cryptography(binding)


def _openssl_alone(_sys, found):
    """Libraries that bring their own libcrypto, in a process that has not loaded Python's ssl module."""
    if "ssl" in sys.modules:
        return False
    from byom import _openssl

    return _openssl.reseed() > 0


def _tempfile(tempfile, found):
    tempfile._name_sequence = None


# What it is called in answers, the module that must be loaded, how. random first: others fall back to it.
_generators = (
    ("random", "random", _random),
    ("numpy", "numpy", _numpy),
    ("torch", "torch", _torch),
    ("uuid", "uuid", _uuid),
    ("ssl", "ssl", _ssl),
    ("openssl", "sys", _openssl_alone),
    ("cryptography", "cryptography.hazmat.bindings.openssl.binding", _openssl_of_cryptography),
    ("tempfile", "tempfile", _tempfile),
    ("libc", "sys", _libc),
)

_classes = (
    ("random", "Random"),
    ("numpy.random", "BitGenerator"),
    ("numpy.random.bit_generator", "SeedSequence"),
    ("torch", "Generator"),
    ("ssl", "SSLContext"),
)
