"""JupyterHub with configurable-http-proxy on 127.0.0.1, for the length of a rehearsal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

CONFIGURATION = Path(__file__).with_name("rehearsal_config.py")
READY = 180  # seconds for hub and proxy to start


@dataclass(frozen=True)
class Hub:
    """A hub that answers: where, as which process, and with a token that may make students."""

    url: str
    pid: int
    version: str
    token: str

    def session(self, token: str) -> aiohttp.ClientSession:
        """Return a client of the hub, and of the servers behind it, for the owner of `token`."""
        # No limit for the whole: a progress or a websocket is open as long as it takes. Who waits sets one.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=60)
        return aiohttp.ClientSession(self.url, headers={"Authorization": f"token {token}"}, timeout=timeout)

    async def add(self, names: list[str]) -> dict[str, str]:
        """Make students called `names` and return a token for each."""
        async with self.session(self.token) as session:
            await _post(session, "/hub/api/users", {"usernames": names})
            return {name: (await _post(session, f"/hub/api/users/{name}/tokens", {}))["token"] for name in names}


@contextlib.asynccontextmanager
async def running(folder: Path, overlay: Path, proxy: list[str]) -> AsyncIterator[Hub]:
    """Start a hub whose packages are in `overlay`, with all that it writes in `folder`; stop it at the end.

    Raises RuntimeError with the hub's log if it does not answer within `READY` seconds.
    """
    url, hub_url, proxy_url = (f"http://127.0.0.1:{port}" for port in _free_ports(3))
    token = secrets.token_hex()
    rehearsal = {
        "folder": str(folder),
        "url": url,
        "hub_url": hub_url,
        "proxy_url": proxy_url,
        "proxy": proxy,
        "server": [sys.executable, "-m", "jupyterhub.singleuser"],
        "token": token,
    }
    # Servers and kernels find the packages of the hub, as in a real class, where they are in one environment.
    environment = {**os.environ, "REHEARSAL": json.dumps(rehearsal), "PYTHONPATH": str(overlay)}
    environment.pop("CONFIGPROXY_AUTH_TOKEN", None)
    command = [sys.executable, "-m", "jupyterhub", "--config", str(CONFIGURATION)]
    log = folder / "hub.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, env=environment, stdout=file, stderr=file, process_group=0
        )
    try:
        version = await _version(process, url)
        if not version:
            raise RuntimeError(f"the hub did not start:\n{log.read_text('utf-8', 'replace')[-3000:]}")
        yield Hub(url, process.pid, version, token)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()  # then it ends servers and proxy
        try:
            await asyncio.wait_for(process.wait(), 60)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)


async def _version(process: asyncio.subprocess.Process, url: str) -> str:
    """Return the version of the hub once it answers, or "" if it does not."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(READY), aiohttp.ClientSession(url) as session:
            while process.returncode is None:
                with contextlib.suppress(aiohttp.ClientError):
                    async with session.get("/hub/api/") as response:
                        if response.ok:
                            return (await response.json())["version"]
                await asyncio.sleep(0.2)
    return ""


async def _post(session: aiohttp.ClientSession, path: str, content: dict[str, Any]) -> Any:
    async with session.post(path, json=content) as response:
        if not response.ok:
            raise RuntimeError(f"the hub refuses {path}: {response.status} {await response.text()}")
        return await response.json()


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [server.getsockname()[1] for server in servers]
