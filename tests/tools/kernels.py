"""A real Jupyter kernel under test: started in a directory, driven message by message, always killed.

    with Kernel(cwd="notebooks") as kernel:
        reply = kernel.run("import asyncio; await asyncio.sleep(0); print('hello')")
        assert reply.status == "ok" and reply.text == "hello\\n"

        cell = kernel.start("print('waiting'); await asyncio.sleep(60)")
        kernel.wait_until_printed(cell, "waiting")
        kernel.interrupt()
        assert kernel.wait(cell).status == "error"

The strict comparison and the tests of Run All execute notebooks with it; `make render`, which executes them with
nbclient, starts its kernels in the same way: the same interpreter, the same environment, the same warnings.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import ipykernel.kernelspec
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

# Every kind of warning is shown, also those that Python hides by default (ResourceWarning, DeprecationWarning).
# Shown means printed to stderr: part of the cell's output, hence a difference from what is stored, hence a failed
# test. "error" would add little: a resource that is not closed and a coroutine that is never awaited are noticed
# while an object is collected, where an exception cannot stop anything. And it would change what is printed, so
# that a stored warning would no longer be the one that a learner sees.
WARNINGS = "default"

# What a healthy kernel may write to its own stderr (not a cell's): each with the reason why it is harmless.
HARMLESS = tuple(
    re.compile(pattern)
    for pattern in (
        r"Kernel is running over TCP without encryption",  # on this machine's loopback only
    )
)

# A kernel's ports are chosen by its manager and bound by the kernel. In between another program, such as
# another kernel, may take one of them; then a second start, with new ports, is the cure.
_STARTS = 3
_PORT_TAKEN = re.compile(r"Address (already )?in use")

_OUTPUTS = {"stream", "display_data", "execute_result", "error"}
_Manager = TypeVar("_Manager", bound=KernelManager)


class _ThisInterpreter(KernelSpecManager):
    """Knows one kernel, whatever its name: ipykernel under the Python that runs this code."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=ipykernel.kernelspec.RESOURCES, **ipykernel.kernelspec.get_kernel_dict())


def new_manager(kind: type[_Manager]) -> _Manager:
    """Return a kernel manager of class `kind`, not started, for the current interpreter."""
    return kind(kernel_name="python3", kernel_spec_manager=_ThisInterpreter())


def launch_options(ipython_dir: str) -> dict[str, Any]:
    """Return the arguments of `start_kernel` under which a notebook behaves alike everywhere.

    `ipython_dir` is an empty directory: nobody's own IPython settings and start-up files count.
    """
    import matplotlib.font_manager  # noqa: F401  (builds its cache, once for a user, and says so on stderr: not in a cell)

    # pytest's variables would change the kernel: on seeing PYTEST_CURRENT_TEST, ipykernel no longer shows what
    # child processes print, and a comparison would fail that no learner ever sees fail.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environment |= {"PYTHONWARNINGS": WARNINGS, "IPYTHONDIR": ipython_dir}
    # The progress of whoever runs this is neither read nor written, unless a test names a folder for it.
    environment.setdefault("ASYNCIO_GUIDE_DATA", ipython_dir)
    # The history database is one file for all kernels of a user: several at a time would wait for its lock.
    return {"env": environment, "extra_arguments": ["--HistoryManager.hist_file=:memory:"]}


@dataclass
class Reply:
    """What one execution has sent so far; complete once `Kernel.wait` has returned it.

    `status` is "ok", "error", "aborted" or, until the kernel has replied, "". `outputs` are what a notebook would
    store, after every update and clearing. Text printed by a task that outlives its cell is added when it arrives,
    and counted in `late`.
    """

    status: str = ""
    ename: str = ""
    evalue: str = ""
    traceback: list[str] = field(default_factory=list)
    execution_count: int | None = None
    outputs: list[NotebookNode] = field(default_factory=list)
    idle: bool = False  # the kernel has said that this cell is over
    late: int = 0  # outputs that came after that
    clear_pending: bool = False  # clear_output(wait=True): the next output replaces all

    @property
    def text(self) -> str:
        """What the cell printed to stdout."""
        return self._stream("stdout")

    @property
    def stderr(self) -> str:
        """What the cell printed to stderr."""
        return self._stream("stderr")

    @property
    def results(self) -> list[dict[str, Any]]:
        """The MIME bundles of the cell's result and displays, in order."""
        return [output.data for output in self.outputs if "data" in output]

    @property
    def errors(self) -> list[str]:
        """The names of the exceptions shown as output."""
        return [output.ename for output in self.outputs if output.output_type == "error"]

    @property
    def problem(self) -> str:
        """What went wrong, or "": the error that ended the cell, or one that it shows."""
        if self.status == "ok" and not self.errors:
            return ""
        return "\n".join([f"{self.ename or self.errors or self.status}: {self.evalue}", *self.traceback, self.stderr])

    def _stream(self, name: str) -> str:
        return "".join(out.text for out in self.outputs if out.output_type == "stream" and out.name == name)


class Kernel:
    """A kernel of the current interpreter whose working directory is `cwd`; a context manager.

    Raises RuntimeError if the kernel does not answer within `startup_timeout` seconds, or dies.
    """

    # Sockets in a folder of its own, where there are such: the client of another kernel cannot come by mistake.
    transport = "ipc" if os.name == "posix" else "tcp"

    def __init__(self, cwd: str | os.PathLike[str], *, startup_timeout: float = 120) -> None:
        self.started: list[str] = []  # ids in the order in which the kernel began to execute them
        self.replies: dict[str, Reply] = {}  # by id, in the order in which they were sent
        self._displays: dict[str, list[NotebookNode]] = {}  # outputs that can be updated, by display id
        for left in reversed(range(_STARTS)):
            try:
                self._start(cwd, startup_timeout)
                return
            except RuntimeError as error:
                log = self.log
                self.stop()
                if not left or not _PORT_TAKEN.search(log):
                    raise RuntimeError(f"{error}\n{log}") from error
            except BaseException:
                self.stop()
                raise

    def _start(self, cwd: str | os.PathLike[str], timeout: float) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="kernel-")
        self._log_path = Path(self._directory.name, "stderr.txt")
        self.manager = new_manager(KernelManager)
        self.manager.connection_file = os.path.join(self._directory.name, "k.json")
        self.manager.transport = self.transport
        self.client: Any = None  # a BlockingKernelClient once there is something to talk to
        with self._log_path.open("wb") as log:  # the child keeps its own handle
            # stdout only repeats what cells and their child processes print, and those are replies.
            options = launch_options(self._directory.name)
            self.manager.start_kernel(cwd=os.fspath(cwd), stdout=subprocess.DEVNULL, stderr=log, **options)
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=timeout)
        self._wait_for_iopub(timeout)

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, code: str, *, stop_on_error: bool = True) -> str:
        """Send `code` as JupyterLab sends a cell, without waiting, and return the id of the execution.

        With `stop_on_error` an error aborts the cells that are queued behind this one.
        """
        # A history is kept, as for a learner: without it `Out` and `_` stay empty.
        message = self.client.execute(code, store_history=True, allow_stdin=False, stop_on_error=stop_on_error)
        self.replies[message] = Reply()
        return message

    def wait(self, message: str, timeout: float = 60) -> Reply:
        """Return the complete reply to `message`. Raises TimeoutError after `timeout` seconds."""
        reply = self.replies[message]
        self._pump_until(lambda: reply.idle and bool(reply.status), timeout, "the end of the cell")
        return reply

    def wait_until_printed(self, message: str, text: str, timeout: float = 60) -> Reply:
        """Return the reply so far, as soon as the execution has printed `text`: no sleeping, no guessing.

        Raises TimeoutError after `timeout` seconds, RuntimeError if the cell ended without printing it.
        """
        reply = self.replies[message]
        self._pump_until(lambda: text in reply.text or reply.idle, timeout, f"the text {text!r}")
        if text not in reply.text:
            raise RuntimeError(f"the cell ended without printing {text!r}: {reply}")
        return reply

    def run(self, code: str, timeout: float = 60) -> Reply:
        """Execute `code` and return its complete reply. Raises TimeoutError after `timeout` seconds."""
        # Nothing is queued behind; with stop_on_error the next request could still come early enough to be aborted.
        return self.wait(self.start(code, stop_on_error=False), timeout)

    def interrupt(self) -> None:
        """Do what the stop button does: send SIGINT."""
        self.manager.interrupt_kernel()

    @property
    def log(self) -> str:
        """What the process itself, not a cell, has written to stderr, without the harmless lines."""
        lines = self._log_path.read_text("utf-8", "replace").splitlines()
        return "\n".join(line for line in lines if line.strip() and not any(h.search(line) for h in HARMLESS))

    def is_alive(self) -> bool:
        """Return whether the process runs."""
        return bool(self.manager.has_kernel and self.manager.is_alive())

    def stop(self) -> None:
        """Kill the kernel and its child processes, close every socket. May be called again."""
        if self.client is not None:
            self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)
        self.manager.cleanup_resources()
        self._directory.cleanup()

    def _wait_for_iopub(self, timeout: float) -> None:
        """Return once outputs arrive: they come by a channel of their own, which connects later than requests."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            self.client.kernel_info()
            try:
                while self.client.get_iopub_msg(timeout=1)["content"].get("execution_state") != "idle":
                    pass
                return
            except queue.Empty:
                continue
        raise RuntimeError(f"the kernel's outputs do not arrive: {self.log}")

    def _pump_until(self, done: Callable[[], bool], timeout: float, what: str) -> None:
        end = time.monotonic() + timeout
        while not done():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {timeout:g} s for {what}")
            if not self._pump(0.05) and not self.is_alive():
                raise RuntimeError(f"the kernel died while we waited for {what}: {self.log[-2000:]}")

    def _pump(self, timeout: float) -> bool:
        """Take what has arrived; wait up to `timeout` seconds for an output. Return whether there was any."""
        found = False
        for receive, file, patience in (
            (self.client.get_iopub_msg, self._file_output, timeout),
            (self.client.get_shell_msg, self._file_reply, 0),
        ):
            try:
                message = receive(timeout=patience)
            except queue.Empty:
                continue
            found = True
            reply = self.replies.get(message["parent_header"].get("msg_id"))
            if reply is not None:
                file(reply, message)
        return found

    def _file_output(self, reply: Reply, message: dict[str, Any]) -> None:
        kind, content = message["msg_type"], message["content"]
        if kind == "status":
            reply.idle = reply.idle or content["execution_state"] == "idle"
        elif kind == "execute_input":
            self.started.append(message["parent_header"]["msg_id"])
        elif kind == "clear_output":
            reply.clear_pending = content["wait"]
            if not content["wait"]:
                reply.outputs.clear()
        elif kind == "update_display_data":
            for output in self._displays.get(content["transient"]["display_id"], ()):
                output.update(data=content["data"], metadata=content["metadata"])
        elif kind in _OUTPUTS:
            if reply.clear_pending:
                reply.outputs.clear()
                reply.clear_pending = False
            output = output_from_msg(message)
            reply.outputs.append(output)
            reply.late += reply.idle
            display = (content.get("transient") or {}).get("display_id")
            if display:
                self._displays.setdefault(display, []).append(output)

    def _file_reply(self, reply: Reply, message: dict[str, Any]) -> None:
        content = message["content"]
        reply.status = content["status"]
        reply.execution_count = content.get("execution_count")
        reply.ename, reply.evalue = content.get("ename", ""), content.get("evalue", "")
        reply.traceback = content.get("traceback", [])
