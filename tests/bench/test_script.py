"""`write_script`: what of a cell stands in the script and what does not, and that the script runs alone."""

import functools
import itertools
import linecache
import subprocess
import sys

import pytest

from asynclab.script import write_script
from kernels import Kernel

_numbers = itertools.count()

FIRST = '''
import asyncio, json as text
from collections import deque, Counter as Count

NAMES = ["ä", "b"]


# What stands before a definition is left out.
class Greeter:
    """Greets."""

    words = Count()  # how often


def greeting(name):
    # a comment inside
    Greeter.words[name] += 1
    return text.dumps(name, ensure_ascii=False)


greeting("demo")
if NAMES:
    print("demo")
'''

SECOND = '''
from __future__ import annotations

import asyncio
import aiohttp
from functools import (
    cache,
    wraps,
)

EVEN: list[int] = [2]
found = await asyncio.sleep(0, result=1)
several = [each async for each in aiter([])]


def twice(function):
    @wraps(function)
    def both():
        return [function(), function()]
    return both


@cache  # once
@twice
def hello():
    return f"""{greeting("b")}
  {EVEN}"""


def main() -> Unknown:
    asyncio.run(asyncio.sleep(0))
    print(*hello(), [*deque(NAMES)])
'''

SCRIPT = '''"""Say hello."""

from __future__ import annotations
import asyncio
import json as text
from collections import Counter as Count
from collections import deque
from functools import cache
from functools import wraps
import aiohttp


NAMES = ["ä", "b"]


class Greeter:
    """Greets."""

    words = Count()  # how often


def greeting(name):
    # a comment inside
    Greeter.words[name] += 1
    return text.dumps(name, ensure_ascii=False)


EVEN: list[int] = [2]


def twice(function):
    @wraps(function)
    def both():
        return [function(), function()]
    return both


@cache  # once
@twice
def hello():
    return f"""{greeting("b")}
  {EVEN}"""


def main() -> Unknown:
    asyncio.run(asyncio.sleep(0))
    print(*hello(), [*deque(NAMES)])


if __name__ == "__main__":
    main()
'''


def functions_of(source):
    """Return what a cell with this source defines, without running its demo; its source is known, as in a notebook."""
    place = f"<cell {next(_numbers)}>"
    linecache.cache[place] = len(source), None, source.splitlines(keepends=True), place
    names = {"__name__": "notebook"}
    demo = "\n".join(line for line in source.splitlines() if " async for " not in line and " await " not in line)
    exec(compile(demo, place, "exec", dont_inherit=True), names)
    return names


def output_of(script):
    """Return what a script prints that runs alone, with every warning an error."""
    command = [sys.executable, "-I", "-X", "dev", "-W", "error", script]
    done = subprocess.run(command, cwd=script.parent, capture_output=True, encoding="utf-8", timeout=60)
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_imports_stand_first_and_all_else_once_and_in_order(tmp_path):
    first, second = functions_of(FIRST), functions_of(SECOND)
    given = [first["greeting"], second["hello"], first["greeting"], second["main"]]
    script = write_script(tmp_path / "hello.py", given, "Say hello.")
    assert script.read_text("utf-8") == SCRIPT
    assert output_of(script) == "\"b\"\n  [2] \"b\"\n  [2] ['ä', 'b']\n"
    assert write_script(str(script), given[2:]) == script
    assert not script.read_text("utf-8").startswith('"""')


def test_what_has_no_source_or_no_name_of_its_own_is_refused(tmp_path):
    names = functions_of("def outer():\n    def inner(): pass\n    return inner\n\nshort = lambda: 1\n")
    for function, name in (
        (len, "len"),
        (functools.partial(len), "partial"),
        (eval("lambda: 0"), "lambda"),
        (names["short"], "lambda"),
        (names["outer"](), "outer.<locals>.inner"),
    ):
        with pytest.raises(ValueError, match=rf"{name}.* define it .*with `def`"):
            write_script(tmp_path / "script.py", [names["outer"], function])
    assert list(tmp_path.iterdir()) == []


def test_a_script_of_cells_in_a_kernel_has_the_latest_of_each(tmp_path, pytestconfig):
    with Kernel(cwd=pytestconfig.rootpath / "notebooks") as kernel:
        for source in (
            "from asynclab.script import write_script",
            "def greeting():\n    return 'first'",
            "import asyncio\n\nasync def main_():\n    await asyncio.sleep(0)\n    print(greeting())",
            "def main():\n    asyncio.run(main_())\n\nawait main_()",
            "%precision 3\ndef greeting():\n    return 'second'\n\nreply = await asyncio.sleep(0, 'third')",
            f"write_script({str(tmp_path / 'script.py')!r}, [greeting, main_, main])",
        ):
            assert kernel.run(source).status == "ok"
    assert output_of(tmp_path / "script.py") == "second\n"
