"""Every module that is not installed can be imported, and does nothing: a test reads declarations, it runs no model."""

import importlib.abc
import importlib.machinery
import sys
import types
from unittest.mock import MagicMock


class StandIn(types.ModuleType):
    __path__ = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        # A class, so that it can be inherited from; calling it gives something that takes every call.
        value = type(name, (), {"__new__": lambda *args, **options: MagicMock()})
        setattr(self, name, value)
        return value


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        # cog and what it imports ask themselves which optional packages there are.
        if not hasattr(sys.modules.get("cog"), "current_scope"):
            return None
        spec = importlib.machinery.ModuleSpec(name, self, is_package=True)
        spec.submodule_search_locations = ["/nowhere"]
        return spec

    def create_module(self, spec):
        return StandIn(spec.name)

    def exec_module(self, module):
        pass


sys.meta_path.append(Finder())
