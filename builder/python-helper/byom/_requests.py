"""One request, one answer, each a line of JSON. Runs in the listener's thread of ``_start.py``.

``{"do":"ping"}``, ``{"do":"prepare"}`` before a capture, ``{"do":"restored","instance":{…}}`` after a restore.
An answer is ``{"ok":true,"pid":…,"did":[…],"hooks":[…],"errors":[…]}``; ``ok`` is false when a step failed.
"""

import os
import sys
import time

import byom
from byom import _reseed

_request_bytes_max = 1 << 20  # instance facts are some hundred bytes
_predictor = None  # a weak reference, found before the capture so that a restore need not search


def answer(connection):
    import json

    try:
        line = _read_line(connection)
        try:
            reply = _perform(json.loads(line.decode("utf-8")))
        except BaseException as error:
            reply = {"ok": False, "did": [], "hooks": [], "errors": [_describe(error)]}
        reply["pid"] = os.getpid()
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
        return {"ok": True, "did": ["ping"], "hooks": [], "errors": []}
    if todo == "prepare":
        return _prepare()
    if todo == "restored":
        return _restored(request.get("instance") or {})
    raise ValueError("unknown request %r" % (todo,))


def _prepare():
    import gc

    hooks = [(_name(hook), hook) for hook in reversed(byom._before_snapshot)]
    predictor = _find_predictor()
    if hasattr(predictor, "before_snapshot"):
        hooks.insert(0, ("predictor.before_snapshot", predictor.before_snapshot))
    ran, errors = _run(hooks, {})
    did = ["gc"]
    gc.collect()
    if _trim_allocator():
        did.append("malloc_trim")
    return {"ok": not errors, "did": did, "hooks": ran, "errors": errors}


def _restored(instance):
    did, errors = _reseed.reseed_all()
    hooks = [(_name(hook), hook) for hook in byom._after_restore]
    predictor = _predictor() if _predictor is not None else None
    if hasattr(predictor, "after_restore"):
        hooks.append(("predictor.after_restore", predictor.after_restore))
    ran, hook_errors = _run(hooks, instance)
    errors.extend(hook_errors)
    return {"ok": not errors, "did": did, "hooks": ran, "errors": errors}


def _run(hooks, instance):
    """Runs every hook, also after one failed: the host decides what a failure means."""
    ran, errors = [], []
    for name, hook in hooks:
        started = time.monotonic()
        try:
            result = hook(instance) if _takes_argument(hook) else hook()
            if hasattr(result, "__await__"):
                import asyncio

                asyncio.run(_await(result))
        except BaseException as error:
            errors.append("%s: %s" % (name, _describe(error)))
        ran.append({"name": name, "ms": round((time.monotonic() - started) * 1000, 1)})
    return ran, errors


async def _await(result):
    return await result


def _takes_argument(hook):
    import inspect

    try:
        parameters = inspect.signature(hook).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(
        p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD, p.VAR_POSITIONAL)
        and p.default is p.empty
        for p in parameters
    )


def _find_predictor():
    """The object that the server calls, when its class has a hook. Searched only then: it is a walk over all objects."""
    global _predictor
    classes = tuple(
        c for c in _predictor_classes() if hasattr(c, "before_snapshot") or hasattr(c, "after_restore")
    )
    if not classes:
        return None
    import gc
    import weakref

    for candidate in gc.get_objects():
        if type(candidate) in classes:
            try:
                _predictor = weakref.ref(candidate)
            except TypeError:  # __slots__ without __weakref__
                _predictor = lambda: candidate  # noqa: E731
            return candidate
    return None


def _predictor_classes():
    """The classes that COG_PREDICT_TYPE_STUB and COG_TRAIN_TYPE_STUB name, wherever the server loaded them."""
    found = []
    for variable in ("COG_PREDICT_TYPE_STUB", "COG_TRAIN_TYPE_STUB"):
        file, _, name = os.environ.get(variable, "").rpartition(":")
        if not name:
            continue
        for module in list(sys.modules.values()):
            path = getattr(module, "__file__", None) or ""
            value = getattr(module, name, None) if os.path.basename(path) == os.path.basename(file) else None
            if isinstance(value, type):
                found.append(value)
    return found


def _trim_allocator():
    """Gives freed memory back to the kernel (glibc only), so that the snapshot does not carry it."""
    try:
        import ctypes

        ctypes.CDLL(None).malloc_trim(0)
        return True
    except Exception:
        return False


def _name(hook):
    return getattr(hook, "__qualname__", None) or repr(hook)


def _describe(error):
    return "%s: %s" % (type(error).__name__, error)
