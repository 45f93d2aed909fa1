"""Hooks around a memory snapshot of a model container.

    from byom import before_snapshot, after_restore

    @before_snapshot
    def close_connections(): ...

    @after_restore
    def refresh(instance): ...  # or without the parameter

``before_snapshot`` hooks run last registered first, ``after_restore`` hooks first registered first.
A container that was never captured never calls them, so both must be optional for correctness.
A predictor may have methods of the same names instead.

This module is imported in every Python process of the container: it imports nothing.
"""

__all__ = ["before_snapshot", "after_restore"]

_before_snapshot = []
_after_restore = []


def before_snapshot(hook):
    """Registers a function to be called before the container's memory is captured."""
    _before_snapshot.append(hook)
    return hook


def after_restore(hook):
    """Registers a function to be called in every restored instance, before it takes traffic.

    It may take one argument: a dict that says which instance this is (``id``, ``containerId``).
    Random generators (random, numpy, torch, uuid, ssl) are reseeded before the first hook.
    """
    _after_restore.append(hook)
    return hook
