"""Every socket is on 127.0.0.1: of the servers, of a kernel, of what they start; and no name is looked up."""

import re
import subprocess
import sys
from pathlib import Path

import alone
import psutil
import pytest

from kernels import Kernel

ROOT = Path(__file__).parents[2]

# Code that would listen elsewhere, or on whatever a name means. A look at the text: what runs is watched below.
ELSEWHERE = re.compile(
    r"""(?x) 0\.0\.0\.0 | ["']::["'] | INADDR_ANY
    | (?:bind|create_server|start_server|TCPSite|listen)\([^)\n]*["'](?:localhost)?["']\s*,
    | (?:host|ip|listen_addresses)["']?\s*[=:]\s*["'](?!127\.0\.0\.1["'])(?:localhost|\*|)["']"""
)


def test_no_text_binds_elsewhere():
    files = [*ROOT.glob("notebooks/*.ipynb"), *ROOT.glob("notebooks/*/**/*.py"), *ROOT.glob("data/messages/*.py")]
    texts = {path: re.sub(r'base64,[^"\\]*', "", path.read_text("utf-8")).replace('\\"', '"') for path in files}
    found = {
        (path.name, hit[0]) for path, text in texts.items() for hit in ELSEWHERE.finditer(text.replace('\\"', '"'))
    }
    assert found == set(), "127.0.0.1 is this machine alone, whatever its files say that a name means"


STARTED = """
import os
from asynclab import Services
from asynclab.checking import process
from asynclab.services import nobody_accepts

web, kept = await Services().start(), process.Process()
waiting = nobody_accepts()
waiting.__enter__()
print(os.getpid(), web.pid)
"""


def test_whatever_a_kernel_starts_listens_on_loopback_alone():
    with Kernel(cwd=ROOT / "notebooks") as kernel:
        reply = kernel.run(STARTED)
        assert reply.problem == ""
        pid, servers = map(int, reply.text.split())
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        waits = [(each.pid, c.laddr.ip) for each in family for c in each.net_connections() if not c.raddr and c.laddr]
    assert {ip for _, ip in waits} == {"127.0.0.1"}
    assert [each for each, _ in waits].count(servers) == 3 and len(waits) > 3


PROGRAMS = {
    """
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(server.getsockname()).close()
    socket.getaddrinfo("localhost", 80)
""": [],
    """
import socket, time
with socket.create_server(("", 0)), socket.create_server(("::1", 0), family=socket.AF_INET6):
    time.sleep(0.5)
""": ["time.sleep(0.5) waits at tcp 00000000:", "time.sleep(0.5) waits at tcp6 0"],
    """
import socket
for family, place in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
    with socket.socket(family) as sock:
        assert sock.connect_ex((place, 80)) != 0
""": ["1 attempts to reach another address\n", "1 attempts to reach another address by IPv6\n"],
    """
import socket
with socket.socket(type=socket.SOCK_DGRAM) as sock:
    sock.connect(("127.0.0.53", 53))
    sock.send(b"a name")
""": ["1 datagrams"],
}


@pytest.mark.parametrize(("code", "told"), PROGRAMS.items(), ids=["home", "waits", "calls", "asks"])
def test_the_watch_tells_what_goes_beyond(code, told):
    done = subprocess.run(
        [sys.executable, alone.__file__, sys.executable, "-c", code], capture_output=True, text=True, timeout=60
    )
    if done.returncode == 77:
        pytest.skip(done.stderr)
    assert (done.returncode, done.stderr.count("\n")) == (min(len(told), 1), len(told)), done.stderr
    assert all(each in done.stderr for each in told), done.stderr
