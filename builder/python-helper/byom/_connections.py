"""Connections that a model opened to outside and left open: no clone may share one, so a capture closes them.

The descriptor stays, unconnected: what the model does with it next fails as after any lost connection, which
clients such as urllib3 and database pools answer by connecting again.
"""

import os

_established, _syn_sent, _syn_received, _close_wait, _listen = "01", "02", "03", "08", "0A"


def close_outside():
    """Closes the connections of this process to other hosts and returns their remote ends, ``10.0.0.5:5432``.

    Those that came in through a listening port are the server's own and stay: the platform waits for them.
    """
    try:
        ends = outside()
    except OSError:  # no /proc
        return []
    closed = []
    for descriptor, inode in _sockets():
        remote = ends.get(inode)
        if remote is not None and _disconnect(descriptor):
            closed.append(remote)
    return sorted(set(closed))


def outside():
    """By socket inode: the remote end of each connection that leaves the container (proc_net_tcp.rst)."""
    rows = []
    for name in ("tcp", "tcp6"):
        try:
            with open("/proc/self/net/" + name, encoding="ascii") as table:
                rows.extend(line.split() for line in list(table)[1:])
        except FileNotFoundError:  # no IPv6
            pass
    listening = {row[1].rpartition(":")[2] for row in rows if row[3] == _listen}
    found = {}
    for row in rows:
        if row[3] not in (_established, _syn_sent, _syn_received, _close_wait):
            continue
        if row[1].rpartition(":")[2] in listening:
            continue
        address, _, port = row[2].rpartition(":")
        text, is_loopback = _address(address)
        if not is_loopback:
            found[int(row[9])] = "%s:%d" % (text, int(port, 16))
    return found


def _address(text):
    """The kernel prints words of 32 bits in the machine's order."""
    import socket
    import sys

    words = bytes.fromhex(text)
    if sys.byteorder == "little":
        words = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    if len(words) == 16 and words[:12] == b"\0" * 10 + b"\xff\xff":
        words = words[12:]
    if len(words) == 4:
        return socket.inet_ntop(socket.AF_INET, words), words[0] == 127
    return "[%s]" % socket.inet_ntop(socket.AF_INET6, words), words == b"\0" * 15 + b"\1"


def _sockets():
    for name in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + name)
        except OSError:
            continue
        if target.startswith("socket:["):
            yield int(name), int(target[8:-1])


def _disconnect(descriptor):
    """shutdown(2) wakes whoever waits on it; connect(2) to AF_UNSPEC takes the connection and its address away."""
    import ctypes
    import socket

    libc = ctypes.CDLL(None, use_errno=True)
    libc.shutdown(descriptor, socket.SHUT_RDWR)
    return libc.connect(descriptor, bytes(16), 16) == 0
