"""Reseeds every OpenSSL that is mapped into the process: Python's own, and those that wheels bring along.

OpenSSL draws from a generator in the process's memory and asks the kernel again only after a fork, an hour or a
million blocks; a restore is none of these. Adding to the primary generator reseeds all that hang below it.
"""

import os
import sys

_ticket_keys_get, _ticket_keys_set = 58, 59  # openssl/ssl.h: SSL_CTRL_GET/SET_TLSEXT_TICKET_KEYS


def reseed():
    """How many libraries were reseeded. One that is linked into another library, unseen, is not reached."""
    import ctypes

    count = 0
    for path in _mapped("libcrypto"):
        try:
            library = ctypes.CDLL(path)
            library.RAND_add.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_double]
            library.RAND_add(os.urandom(48), 48, 48.0)
            library.RAND_poll()
            count += 1
        except (OSError, AttributeError):  # a file that only bears the name
            continue
    return count


def reseed_cryptography(binding):
    """The wheels of ``cryptography`` link OpenSSL in and show some of its functions."""
    library = getattr(getattr(binding, "Binding", None), "lib", None)
    if library is None or not hasattr(library, "RAND_add"):
        return False
    library.RAND_add(os.urandom(48), 48, 48.0)
    return True


def renew_ticket_keys(context):
    """Gives a TLS context keys of its own for session tickets; whoever had those of the snapshot could read any clone's.

    Python has no call for it. The pointer to OpenSSL's context is the first field after the object's header in
    CPython 3.7 to 3.14 (Modules/_ssl.c, PySSLContext); elsewhere nothing is touched. True when it was done.
    """
    import ctypes

    if not _knows_layout():
        return False
    paths = _mapped("libssl")
    if len(paths) != 1:  # linked in, or two of them: which is this context's?
        return False
    library = ctypes.CDLL(paths[0])
    library.SSL_CTX_ctrl.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_long, ctypes.c_char_p]
    library.SSL_CTX_ctrl.restype = ctypes.c_long
    pointer = ctypes.c_void_p.from_address(id(context) + object.__basicsize__).value
    length = library.SSL_CTX_ctrl(pointer, _ticket_keys_get, 0, None)
    if not 0 < length <= 1024:
        return False
    return library.SSL_CTX_ctrl(pointer, _ticket_keys_set, length, os.urandom(length)) == 1


def _knows_layout():
    import sysconfig

    return (
        sys.implementation.name == "cpython"
        and (3, 7) <= sys.version_info[:2] <= (3, 14)
        and not sysconfig.get_config_var("Py_GIL_DISABLED")
        and not sysconfig.get_config_var("Py_TRACE_REFS")
    )


def _mapped(name):
    """Paths of the shared libraries of this name that are mapped: ``libcrypto.so.3``, ``libcrypto-a1b2.so.1.1``."""
    paths = set()
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as maps:
            for line in maps:
                path = line.rstrip("\n").partition("/")[2]
                file = path.rpartition("/")[2]
                if file.startswith(name) and ".so" in file:
                    paths.add("/" + path)
    except OSError:
        pass
    return sorted(paths)
