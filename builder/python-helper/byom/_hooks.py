"""Runs the hooks of a model: functions, methods of the predictor, decorated methods; plain and asynchronous."""

import os
import sys
import time

import byom

_predictor = None  # a weak reference, found before the capture so that a restore need not search
_traceback_frames = 4  # enough to see the line in the model's code
_hook_ms_default = 9500


def before_snapshot(timeout_ms):
    hooks = [(_name(hook), _bind(hook)) for hook in reversed(byom._before_snapshot)]
    predictor = _find_predictor()
    method = getattr(predictor, "before_snapshot", None)
    if method is not None and not _is_registered(method, byom._before_snapshot):
        hooks.insert(0, ("predictor.before_snapshot", method))
    return _run_in_time(hooks, {}, timeout_ms)


def after_restore(instance, timeout_ms):
    hooks = [(_name(hook), _bind(hook)) for hook in byom._after_restore]
    predictor = _predictor() if _predictor is not None else None
    method = getattr(predictor, "after_restore", None)
    if method is not None and not _is_registered(method, byom._after_restore):
        hooks.append(("predictor.after_restore", method))
    return _run_in_time(hooks, instance, timeout_ms)


def describe(error):
    """Type and text, and the last lines of code that it came through, but for this package's own."""
    import traceback

    own = os.path.dirname(__file__)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if os.path.dirname(f.filename) != own]
    where = "".join(" < %s:%d in %s" % (f.filename, f.lineno or 0, f.name) for f in reversed(frames[-_traceback_frames:]))
    return "%s: %s%s" % (type(error).__name__, error, where)


def _run_in_time(hooks, instance, timeout_ms):
    """In a thread of their own, so that one that hangs is named, with the line where it stands."""
    ran, errors = [], []
    if not hooks:
        return ran, errors
    import _thread

    done = _thread.allocate_lock()
    done.acquire()
    running = {}

    def work():
        running["thread"] = _thread.get_ident()
        try:
            for name, hook in hooks:
                running["name"] = name
                _run(name, hook, instance, ran, errors)
        finally:
            done.release()

    timeout_ms = timeout_ms or _hook_ms_default
    _thread.start_new_thread(work, ())
    if done.acquire(timeout=timeout_ms / 1000):
        return ran, errors
    where = ""
    frame = sys._current_frames().get(running.get("thread"))
    if frame is not None:
        where = ", it is at %s:%d" % (frame.f_code.co_filename, frame.f_lineno)
    late = "%s: did not end within %.1f s%s" % (running.get("name"), timeout_ms / 1000, where)
    return list(ran), [*errors, late]


def _run(name, hook, instance, ran, errors):
    """Every hook runs, also after one failed: the host decides what a failure means."""
    started = time.monotonic()
    try:
        result = hook(instance) if _takes_argument(hook) else hook()
        if hasattr(result, "__await__"):
            import asyncio

            asyncio.run(_await(result))
    except BaseException as error:
        errors.append("%s: %s" % (name, describe(error)))
    ran.append({"name": name, "ms": round((time.monotonic() - started) * 1000, 1)})


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


def _is_registered(method, hooks):
    return getattr(method, "__func__", method) in hooks


def _bind(hook):
    """A decorated method is registered as a bare function: it gets the predictor, or the one object of its class."""
    owner = _owner(hook)
    if owner is None:
        return hook
    import gc

    for candidate in gc.get_objects():
        if type(candidate) is owner:
            return hook.__get__(candidate)
    return hook


def _owner(hook):
    """The class whose body the function was defined in, when it can be found by name and is a plain method there."""
    path = (getattr(hook, "__qualname__", "") or "").rpartition(".<locals>.")[2].split(".")
    if len(path) < 2 or "<locals>" in getattr(hook, "__qualname__", ""):
        return None
    value = sys.modules.get(getattr(hook, "__module__", None) or "")
    for name in path[:-1]:
        value = getattr(value, name, None)
    is_method = isinstance(value, type) and value.__dict__.get(path[-1]) is hook
    return value if is_method else None


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


def _name(hook):
    return getattr(hook, "__qualname__", None) or repr(hook)
