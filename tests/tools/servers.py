"""Ask the servers of `Services` from a test, one request at a time and without an event loop."""

import asyncio
import http.client
import json
import socket
import time
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil

from asynclab import Services


@contextmanager
def servers():
    """Services that run during the block, and that complain of nothing."""
    web = asyncio.run(Services().start())
    try:
        yield web
        web._child.stderr.seek(0)
        assert web._child.stderr.read().decode() == ""
    finally:
        asyncio.run(web.stop())


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode(self.headers.get_content_charset())


def ask(url, method="GET", body=None, headers=(), connection=None):
    """The reply to one request; on a connection of its own unless one is given."""
    parts = urlsplit(url)
    used = connection or http.client.HTTPConnection(parts.hostname, parts.port, timeout=20)
    try:
        used.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), body, dict(headers))
        response = used.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        if connection is None:
            used.close()


@contextmanager
def raw(url, method="GET", timeout=20):
    """A socket on which a request has been written, and nothing read."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout) as sock:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        yield sock


def everything(sock):
    """All that arrives until the other side hangs up."""
    return b"".join(iter(lambda: sock.recv(65536), b""))


def stats(web, client="", **options):
    return asyncio.run(web.stats(client, **options))


def wait_until(condition, seconds=10.0):
    """Wait until `condition()` is true, and return how many seconds that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} seconds"
        time.sleep(0.01)
    return time.monotonic() - began


def gone(pid):
    """Whether a process has ended (a zombie has, too: nobody may be there to collect it)."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def refused(address):
    """Whether nothing listens there."""
    with socket.socket() as sock:
        sock.settimeout(5)
        return sock.connect_ex(address) != 0
