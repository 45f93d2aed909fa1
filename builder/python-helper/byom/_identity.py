"""Who this instance is: what the platform wrote into ``/run/byom`` of this container, read when it is asked for.

Nothing of it is kept in the process, so a clone of a snapshot sees its own and not what the original had.
Environment variables are the exception: a restored process has the original's, so they are set anew.
"""

import os
import sys
from _collections_abc import Mapping

_directory = os.environ.get("BYOM_HOOKS_DIRECTORY", "/run/byom")
_secret_bytes_max = 1 << 20
_applied = None  # the names that the platform gave, remembered at a capture


class _Instance(Mapping):
    """id, containerId, modelId, version, hostname, start (cold or restored), startedAt (ISO 8601)."""

    def __getitem__(self, name):
        return _facts()[name]

    def __iter__(self):
        return iter(_facts())

    def __len__(self):
        return len(_facts())

    def __repr__(self):
        return "byom.instance(%r)" % (_facts(),)


class _Environment(Mapping):
    """Environment variables of this instance. Without secrets, but for those of scope setup."""

    def __getitem__(self, name):
        return os.environ[name]

    def __iter__(self):
        return iter(os.environ)

    def __len__(self):
        return len(os.environ)

    def __repr__(self):
        return "byom.environment(%s)" % ", ".join(sorted(os.environ))


class _Secrets(Mapping):
    """Values by name. Each is read from its file when it is asked for; what keeps it keeps it in a snapshot."""

    def __getitem__(self, name):
        if not name or "/" in name or name.startswith("."):
            raise KeyError(name)
        try:
            return _read_and_wipe(os.path.join(_directory, "secrets", name))
        except FileNotFoundError:
            raise KeyError(name) from None

    def __iter__(self):
        try:
            return iter(sorted(os.listdir(os.path.join(_directory, "secrets"))))
        except OSError:
            return iter(())

    def __len__(self):
        return len(list(iter(self)))

    def __repr__(self):  # names only: a repr ends in logs
        return "byom.secrets(%s)" % ", ".join(self)


def _read_and_wipe(path):
    """The buffer that was read into is overwritten; the text that is returned is the caller's."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        buffer = bytearray(min(os.fstat(descriptor).st_size, _secret_bytes_max))
        length = os.readv(descriptor, [buffer]) if buffer else 0
        try:
            return str(memoryview(buffer)[:length], "utf-8")
        finally:
            buffer[:] = bytes(len(buffer))
    finally:
        os.close(descriptor)


def _read():
    import json

    try:
        with open(os.path.join(_directory, "instance.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):  # no platform started this container
        return {"hostname": os.uname().nodename, "start": "cold"}


def _facts():
    facts = _read()
    facts.pop("environment", None)
    return facts


def remember():
    """Before a capture: which variables the platform gave, so that those the next instance lacks are removed."""
    global _applied
    _applied = sorted(_read().get("environment") or {})


def adopt(given):
    """After a restore: makes the environment, time zone, host name and resolver of this process the new instance's."""
    import time

    did = []
    new = {str(name): str(value) for name, value in (given.get("environment") or {}).items()}
    if given.get("hostname"):
        new.setdefault("HOSTNAME", given["hostname"])
    zone = os.environ.get("TZ")
    for name in _applied or ():
        if name not in new:
            os.environ.pop(name, None)
    for name, value in new.items():
        if os.environ.get(name) != value:
            os.environ[name] = value
    did.append("environment")
    if os.environ.get("TZ") != zone:
        time.tzset()
        did.append("timezone")
    platform = sys.modules.get("platform")
    if platform is not None and hasattr(platform, "_uname_cache"):
        platform._uname_cache = None
        did.append("platform")
    if _refresh_resolver():
        did.append("resolver")
    return did


def _refresh_resolver():
    """glibc reads /etc/resolv.conf again by itself since 2.26; this makes it do so at once, and older ones too."""
    try:
        import ctypes

        return ctypes.CDLL(None).__res_init() == 0
    except Exception:
        return False


environment = _Environment()
instance = _Instance()
secrets = _Secrets()
