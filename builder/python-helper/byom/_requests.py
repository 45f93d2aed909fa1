"""One request, one answer, each a line of JSON. Runs in the listener's thread of ``_start.py``.

``{"do":"ping"}``; ``{"do":"prepare"}`` before a capture and ``{"do":"captured"}`` after it, in the original;
``{"do":"restored","instance":{…}}`` after a restore. Both that run hooks take ``timeoutMs``.
An answer is ``{"ok":true,"pid":…,"hostname":…,"did":[…],"hooks":[…],"errors":[…],"closed":[…]}``; ``ok`` is false
when a step failed, ``closed`` names the connections that the process had open to outside.
"""

import os
import sys
import time

from byom import _reseed

_request_bytes_max = 1 << 20  # instance facts and an environment are some kilobytes
_prepared_at = None  # seconds since the epoch, in the memory of every clone
_closed = []


def answer(connection):
    import json

    from byom import _hooks

    try:
        line = _read_line(connection)
        try:
            reply = _perform(json.loads(line.decode("utf-8")))
        except BaseException as error:
            reply = _reply([], errors=[_hooks.describe(error)])
        reply["pid"] = os.getpid()
        reply["hostname"] = os.uname().nodename
        connection.sendall(json.dumps(reply).encode("utf-8") + b"\n")
    finally:
        connection.close()


def _read_line(connection):
    received = b""
    while not received.endswith(b"\n"):
        part = connection.recv(65536)
        if not part:
            break
        received += part
        if len(received) > _request_bytes_max:
            raise ValueError("the request is longer than %d bytes" % _request_bytes_max)
    return received


def _perform(request):
    todo = request.get("do")
    if todo == "ping":
        return _reply(["ping"])
    if todo == "prepare":
        return _prepare(request.get("timeoutMs"))
    if todo == "captured":
        _reseed.forget()
        return _reply(["forget"])
    if todo == "restored":
        return _restored(dict(request.get("instance") or {}), request.get("timeoutMs"))
    raise ValueError("unknown request %r" % (todo,))


def _reply(did, hooks=(), errors=(), closed=()):
    return {"ok": not errors, "did": did, "hooks": list(hooks), "errors": list(errors), "closed": list(closed)}


def _prepare(timeout_ms):
    global _prepared_at, _closed
    import gc

    from byom import _connections, _hooks, _identity

    ran, errors = _hooks.before_snapshot(timeout_ms)
    _identity.remember()
    _closed = _connections.close_outside() if not errors else []
    if _closed:
        _tell(
            "byom: closed for the snapshot: %s. Connect when it is needed, or in an after_restore hook." % ", ".join(_closed)
        )
    did = ["gc"]
    gc.collect()
    _reseed.find()
    if _trim_allocator():
        did.append("malloc_trim")
    _prepared_at = time.time()
    return _reply(did, ran, errors, _closed)


def _restored(instance, timeout_ms):
    from byom import _hooks, _identity

    # First, because what follows may look up names, read the clock or draw numbers.
    did = _identity.adopt(instance)
    reseeded, errors = _reseed.reseed_all()
    if _prepared_at is not None:
        instance["asleepSeconds"] = max(0.0, round(time.time() - _prepared_at, 3))
    instance["closedConnections"] = list(_closed)
    ran, hook_errors = _hooks.after_restore(instance, timeout_ms)
    return _reply(did + reseeded, ran, errors + hook_errors)


def _tell(line):
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except Exception:
        pass


def _trim_allocator():
    """Gives freed memory back to the kernel (glibc only), so that the snapshot does not carry it."""
    try:
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
        return True
    except Exception:
        return False
