"""Bad days of a machine: each a row of a table, and a kernel that runs under it, and nothing else does.

In a test, `impose(prepared, monkeypatch)` puts every kernel that is started from then on under the condition. Named by
`-p conditions`, this file is a pytest plugin that does so for a whole run of the notebooks; the variable
CONDITION then holds the prepared condition.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

import kernels
import notebook_file

VARIABLE = "CONDITION"
SIZE = 12  # MiB of a disk that is soon full
_SHELL = 'set -e\n{}\ncd "$PWD"\nexec "$@"'  # the folder may be another one after what was mounted
_CLOCK = Path(__file__).with_name("jumping_clock.c")


@dataclass(frozen=True)
class Condition:
    """What is different on such a day. In every text, `@` stands for a folder that is made for it.

    `environment` has what is set, or (None) what is not there. `shell` is run before the kernel, in its process, with
    `namespaces` of its own (options of `unshare`). `made` are commands that come first. `guide` is where the guide
    lies, if not where it does. `differing` are cells whose lesson is that the system decides what they show; without
    `same`, all may show other things than what is stored.
    """

    environment: Mapping[str, str | None] = field(default_factory=dict)
    shell: str = ""
    namespaces: str = ""
    made: tuple[str, ...] = ()
    guide: str = ""
    same: bool = True
    differing: tuple[str, ...] = ()

    def prepare(self, folder: Path) -> Condition:
        """Return it with `folder` for `@`, once all is there. Skips the test where this machine lacks what it needs."""

        def placed(text: str) -> str:
            return text.replace("@", str(folder))

        for command in self.made:
            done = subprocess.run(placed(command), shell=True, capture_output=True, text=True)
            if done.returncode:
                pytest.skip(f"this machine cannot: {command}: {done.stderr.strip()[-200:]}")
        ready = Condition(
            {name: value and placed(value) for name, value in self.environment.items()},
            placed(self.shell),
            self.namespaces,
            guide=str(copy_of_the_guide(Path(placed(self.guide)))) if self.guide else "",
            same=self.same,
            differing=self.differing,
        )
        if self.shell:
            probe = subprocess.run([*ready.wrapper, "true"], capture_output=True, text=True)
            if probe.returncode:
                pytest.skip(f"this machine cannot: {self.shell}: {probe.stderr.strip()[-200:]}")
        return ready

    @property
    def wrapper(self) -> list[str]:
        """The command that comes before the kernel's own."""
        apart = ["unshare", *self.namespaces.split()] if self.namespaces else []
        if apart and os.geteuid() != 0:
            apart.append("--map-root-user")
        return [*apart, "sh", "-c", _SHELL.format(self.shell), "sh"] if self.shell else []

    @property
    def notebooks(self) -> Path:
        """The folder of the notebooks."""
        return Path(self.guide or notebook_file.ROOT) / "notebooks"


def copy_of_the_guide(folder: Path) -> Path:
    """Copy to `folder` what the notebooks and their tests need, and return it."""
    keep = shutil.ignore_patterns("__pycache__", ".*_cache", ".ipynb_checkpoints")
    for name in ("notebooks", "data", "docs", "tests/tools", "tests/notebooks"):
        shutil.copytree(notebook_file.ROOT / name, folder / name, ignore=keep)
    shutil.copy(notebook_file.ROOT / "pyproject.toml", folder)
    return folder


def impose(condition: Condition, patch: pytest.MonkeyPatch) -> None:
    """Put each kernel that starts from now on under a prepared condition."""
    new_manager, launch_options = kernels.new_manager, kernels.launch_options

    def manager_of(kind):
        manager = new_manager(kind)
        manager.kernel_spec.argv[:0] = condition.wrapper
        return manager

    def options_of(ipython_dir):
        options = launch_options(ipython_dir)
        changed = options["env"] | condition.environment
        options["env"] = {name: value for name, value in changed.items() if value is not None}
        return options

    patch.setattr(kernels, "new_manager", manager_of)
    patch.setattr(kernels, "launch_options", options_of)


def pytest_configure(config: pytest.Config) -> None:
    """Put every kernel of this run under the condition that the environment names."""
    import strict_nbval  # only where notebooks are run

    patch = pytest.MonkeyPatch()
    impose(Condition(**json.loads(os.environ[VARIABLE])), patch)
    # asyncio's debug mode tells of every turn that takes 0.1 seconds, on stderr.
    slow = re.compile(rf"{strict_nbval.REPLACED.pattern}|^Executing <.* took \d+\.\d+ seconds\n", re.MULTILINE)
    patch.setattr(strict_nbval, "REPLACED", slow)
    config.add_cleanup(patch.undo)


def as_text(condition: Condition) -> str:
    """Return a prepared condition as the plugin reads it."""
    return json.dumps(asdict(condition))


_DEAD = "http://127.0.0.1:9"  # nobody listens there
_PROXIES = dict.fromkeys(("http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), _DEAD) | {"no_proxy": None}
_PLAIN = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}  # Python shall take the encoding of the locale
APART = "--mount --propagation private"
_NAME = "it's 100% #1 & [ä] Ελλάδα 日本語 عربى 🐍"
_LONG = "a_long_name" * 20  # longer than the address of a Unix socket may be
_DECODED = ("notebooks/04_async_context_managers.ipynb::files-run",)  # a text, in the encoding of the system
_ROOT = notebook_file.ROOT

DAYS = {
    "a read-only guide, no IPv6, umask 000": Condition(
        shell=f"mount --bind '{_ROOT}' '{_ROOT}'; mount -o remount,ro,bind '{_ROOT}'; umask 000\n"
        "ip link set lo up; sysctl -q net.ipv6.conf.all.disable_ipv6=1",
        namespaces=f"{APART} --net",
    ),
    "a full temporary folder": Condition(
        {"TMPDIR": "@/full"},
        "mount -t tmpfs -o size=64k tmpfs @/full; cat /dev/zero > @/full/rest 2>/dev/null || true",
        APART,
        ("mkdir @/full",),
    ),
    "no home, a locale that is not there": Condition({"HOME": None, "LANG": "xx_YY.UTF-8", "LC_ALL": "xx_YY.UTF-8"}),
    "a home that nobody can write in": Condition(
        {"HOME": "/proc/nobody", "MPLCONFIGDIR": "@"}, differing=("notebooks/00_start_here.ipynb::check-machine",)
    ),
    "a clock that jumps": Condition(
        {"LD_PRELOAD": "@/clock.so", "CLOCK_JUMPS": "0.05"}, made=(f"cc -shared -fPIC -O1 -o @/clock.so '{_CLOCK}'",)
    ),
    "Turkish, a dead proxy, an odd time zone": Condition(
        _PLAIN | _PROXIES | {"LOCPATH": "@", "LC_ALL": "tr_TR.ISO-8859-9", "TZ": "<+1145>-11:45<+1245>,M9.5.0,M4.1.0"},
        made=("localedef -i tr_TR -f ISO-8859-9 @/tr_TR.ISO-8859-9",),
        differing=_DECODED,
    ),
    "Arabic, names of other scripts": Condition(
        _PLAIN | {"LOCPATH": "@", "LC_ALL": "ar_EG.UTF-8", "HOME": f"@/{_NAME}", "TMPDIR": f"@/{_NAME}/tmp"},
        made=("localedef -i ar_EG -f UTF-8 @/ar_EG.UTF-8", f'mkdir -p "@/{_NAME}/tmp"'),
        guide=f"@/{_NAME}/guide",
    ),
    "ASCII, very long names, a proxy for others": Condition(
        _PLAIN
        | {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii", "HTTP_PROXY": _DEAD, "NO_PROXY": "example.com"}
        | {"HOME": f"@/{_LONG}", "TMPDIR": f"@/{_LONG}"},
        made=(f"mkdir @/{_LONG}",),
        differing=_DECODED,
        guide=f"@/{_LONG}/guide",
    ),
    "localhost is IPv6": Condition(
        shell="ip link set lo up; echo '::1 localhost' > @/hosts; mount --bind @/hosts /etc/hosts",
        namespaces=f"{APART} --net",
    ),
    "no assert, no docstring": Condition({"PYTHONOPTIMIZE": "2"}),
    "an odd shell": Condition({"COLUMNS": "1", "LINES": "1"}, "umask 077; ulimit -S -n 256; ulimit -s 1024; exec 0<&-"),
    "debug mode, development mode": Condition(
        {"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        same=False,
        # Its cell add-traced calls a loop from another thread, to show that; debug mode refuses such a call.
        differing=("notebooks/01_basic_async_await_deeper.ipynb::run_all",),
    ),
}
