"""Imported by ``byom.pth`` in every Python process: lets the host talk to the process after a restore.

A daemon thread listens on the unix socket ``/run/byom/<pid>.sock``. It imports only built-in modules (no
``socket``, no ``threading``), so that it costs about a millisecond, and it never breaks a process: each
failure ends in one line on stderr. What the requests do lives in ``_requests.py``, loaded on the first one.

``BYOM_HOOKS=0`` turns it off. The directory is made only in a container that serves a model, so that the
steps of an image's build leave nothing behind.
"""

import os
import sys

_directory = os.environ.get("BYOM_HOOKS_DIRECTORY", "/run/byom")
_listener = None
_path = None
_pid = None


def _warn(error):
    try:
        sys.stderr.write("byom: snapshot hooks are off in process %d: %r\n" % (os.getpid(), error))
    except Exception:
        pass


def _has_directory():
    if os.path.isdir(_directory):
        return True
    if not (os.environ.get("COG_PREDICT_TYPE_STUB") or os.environ.get("COG_TRAIN_TYPE_STUB")):
        return False
    try:
        os.makedirs(_directory, 0o700)
    except FileExistsError:
        pass
    except OSError:  # a read-only root without a tmpfs there, or another user than root
        return False
    return True


def _start():
    global _listener, _path, _pid
    import _socket
    import _thread

    pid = os.getpid()
    path = os.path.join(_directory, "%d.sock" % pid)
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(4)
    _listener, _path, _pid = listener, path, pid
    _thread.start_new_thread(_serve, (listener, _socket))


def _serve(listener, _socket):
    while True:
        try:
            descriptor, _ = listener._accept()
        except Exception:
            return  # closed: the process ends, or this is a fork that listens for itself
        try:
            from byom import _requests

            # A socket object over the descriptor: closing it closes the connection.
            _requests.answer(_socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, descriptor))
        except BaseException as error:
            _warn(error)


def _stop():
    try:
        if _path is not None and _pid == os.getpid():
            os.unlink(_path)
    except OSError:
        pass


def _restart_after_fork():
    try:
        if _listener is not None:
            _listener.close()
        _start()
    except BaseException as error:
        _warn(error)


def _begin():
    try:
        if os.environ.get("BYOM_HOOKS") == "0" or not hasattr(os, "fork") or not _has_directory():
            return
        _start()
        os.register_at_fork(after_in_child=_restart_after_fork)
        import atexit

        atexit.register(_stop)
    except BaseException as error:
        _warn(error)


_begin()
