"""What a model may know of the container it runs in, and hooks around a snapshot of its memory.

    import byom
    from byom import after_restore, before_snapshot

    @before_snapshot
    def close_connections(): ...

    @after_restore
    def refresh(instance): ...  # or without the parameter

    byom.environment["MODE"]    # this instance's own, also after a restore
    byom.secrets["HF_TOKEN"]    # read when it is used: no snapshot holds it
    byom.instance["id"]         # id, containerId, modelId, version, hostname, start, startedAt

``before_snapshot`` hooks run last registered first, ``after_restore`` hooks first registered first.
A container that was never captured never calls them, so both must be optional for correctness.
A predictor may have methods of the same names instead, and its methods may be decorated.

The same facts lie in ``/run/byom/instance.json`` and ``/run/byom/secrets/NAME`` (mode 0600) for other programs.

This module is imported in every Python process of the container: it imports nothing.
"""

__all__ = ["after_restore", "before_snapshot", "environment", "instance", "secrets"]

_before_snapshot = []
_after_restore = []


def before_snapshot(hook):
    """Registers a function to be called before the container's memory is captured.

    Connections to outside that are open after the last hook are closed.
    """
    _before_snapshot.append(hook)
    return hook


def after_restore(hook):
    """Registers a function to be called in every restored instance, before it takes traffic.

    It may take one argument, a dict: what ``byom.instance`` has, and ``asleepSeconds`` (how long ago the
    memory was captured) and ``closedConnections`` (what the capture closed, such as ``10.0.0.5:5432``).
    Random generators are reseeded, and ``os.environ`` is the new instance's, before the first hook.
    """
    _after_restore.append(hook)
    return hook


def __getattr__(name):
    if name in ("environment", "instance", "secrets"):
        from byom import _identity

        return getattr(_identity, name)
    raise AttributeError("module 'byom' has no attribute %r" % name)
