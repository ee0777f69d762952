"""Run a command in a network of its own, which has loopback alone, and tell what it did beyond 127.0.0.1.

    python tests/security/alone.py                              # every quick test: what `make alone` does
    python tests/security/alone.py python -m pytest tests/lessons/test_02_http.py

Told are, of the command and of all its children: sockets that listen at any other address (looked for 20 times a
second), attempts to reach one, and names that a resolver was asked for (both counted by the kernel, exactly). The
machine's own name is one that no file knows, so that looking it up asks a resolver, too.

The exit code is that of the command, 1 if there is something to tell, and 77 where the system gives no such network:
that needs Linux, and either root or namespaces for users.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_NEW_NETWORK, _NEW_NAME, _NEW_USER = 0x40000000, 0x04000000, 0x10000000
_SET_FLAGS, _UP = 0x8914, 0x1 | 0x40  # of an interface
_LOOK = 0.05  # seconds
_LISTENS = "0A"
_OWN = re.compile("0100007F:|0{8}:0000$")  # 127.0.0.1, and what is not bound
_IMPOSSIBLE = 77
_WATCHED = {
    "IpOutNoRoutes": "attempts to reach another address",
    "Ip6OutNoRoutes": "attempts to reach another address by IPv6",
    "UdpOutDatagrams": "datagrams, as they ask a resolver for a name",
    "Udp6OutDatagrams": "datagrams by IPv6, as they ask a resolver for a name",
}


def enter() -> None:
    """Move this process, and all that it starts from now on, into such a network. Raises OSError."""
    import fcntl  # not on Windows

    library, uid, gid = ctypes.CDLL(None, use_errno=True), os.geteuid(), os.getegid()
    for more in (0, _NEW_USER):
        if library.unshare(_NEW_NETWORK | _NEW_NAME | more) == 0:
            break
    else:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    if more:  # the same user as before, who may do as he likes with this network
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
        Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
    socket.sethostname("a-machine-that-no-file-knows")
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, _SET_FLAGS, b"lo".ljust(16, b"\0") + _UP.to_bytes(2, sys.byteorder) + bytes(14))


def counts() -> dict[str, int]:
    """Return what the kernel has counted in this network, by its own names."""
    lines = Path("/proc/self/net/snmp").read_text().splitlines()
    found = dict(line.split() for line in Path("/proc/self/net/snmp6").read_text().splitlines())
    for names, numbers in zip(lines[::2], lines[1::2], strict=True):  # "Ip: OutNoRoutes …" above "Ip: 0 …"
        kind = names.partition(":")[0]
        found |= {kind + name: number for name, number in zip(names.split(), numbers.split(), strict=True)}
    return {name: int(found[name]) for name in _WATCHED}


def listeners() -> Iterator[tuple[str, str]]:
    """Yield each socket that waits elsewhere than at 127.0.0.1: the address as the kernel writes it, its number."""
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
            _, place, _, state, *_, inode = line.split()[:10]
            if (state == _LISTENS or table.startswith("udp")) and not _OWN.match(place):
                yield f"{table} {place}", inode


def owner(inode: str) -> str:
    """Return the command of the process that has this socket."""
    ours = os.stat("/proc/self/ns/net").st_ino
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            sockets = map(os.readlink, (process / "fd").iterdir())
            if os.stat(process / "ns/net").st_ino == ours and f"socket:[{inode}]" in sockets:
                words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return " ".join(words.split())[-150:]
    return "a process that is gone"


def watch(command: list[str]) -> int:
    """Run the command to its end, print what there is to tell, and return the exit code."""
    told, before, began = 0, counts(), time.monotonic()
    known: set[tuple[str, str]] = set()
    with subprocess.Popen(command) as process:
        running = True
        while running:
            running = process.poll() is None  # once more when it has ended
            time.sleep(_LOOK)
            waiting, now = set(listeners()), counts()
            news = [f"{owner(inode)} waits at {place}" for place, inode in waiting - known]
            news += [f"{more} {what}" for name, what in _WATCHED.items() if (more := now[name] - before[name])]
            known, before, told = waiting, now, told + len(news)
            for line in news:
                print(f"alone, after {time.monotonic() - began:.1f} s: {line}", file=sys.stderr, flush=True)
    return process.returncode or min(told, 1)


if __name__ == "__main__":
    try:
        enter()
    except (OSError, AttributeError) as error:  # where there is no unshare, too
        print(f"this system gives no network of its own: {error}", file=sys.stderr)
        sys.exit(_IMPOSSIBLE)
    sys.exit(watch(sys.argv[1:] or [sys.executable, "-m", "pytest"]))
