"""What `taught` makes of a notebook: its system cells, whole and alone."""

import asyncio
import inspect
import linecache
import pickle
import sys
import traceback
from types import ModuleType

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

import notebook_file
from asynclab.taught import NotAlone, taught
from sample_notebook import sample

SYSTEM = ["system"]
WITH_SYSTEMS = [
    path.stem
    for path in notebook_file.paths()
    if any("system" in cell.metadata.get("tags", []) for cell in notebook_file.code_cells(notebook_file.read(path)))
]


@pytest.fixture
def chapter(tmp_path, monkeypatch):
    """A function: it makes a notebook of (id, source, tags) and loads it."""
    before = set(sys.modules), set(linecache.cache)

    def make(*cells):
        notebook = sample()
        notebook.cells = [
            new_code_cell(source, id=name, metadata={"tags": tags[0]} if tags else {}) for name, source, *tags in cells
        ]
        notebook_file.write(tmp_path / "09_small.ipynb", notebook)
        return taught("09_small", tmp_path)

    yield make
    for name in set(sys.modules) - before[0]:
        if name.startswith("09_"):
            del sys.modules[name]
    for name in set(linecache.cache) - before[1]:
        del linecache.cache[name]


def defined(module):
    return {name for name in vars(module) if not name.startswith("__")}


def test_system_cells_and_imports_are_executed_in_order_and_nothing_else(chapter):
    module = chapter(
        ("setup", "import math, os.path\nfrom collections import Counter as Count\n\nbegun = True"),
        ("first", "order = ['first']\n\ndef twice(number):\n    return 2 * number", SYSTEM),
        ("demo", "raise AssertionError('a demo ran')"),
        ("second", "order += ['second']\nfour = twice(2)", SYSTEM),
        ("exercise", "def mine():\n    ...", ["exercise"]),
        ("waits", "await nothing()\nasync with nothing:\n    import never"),
        ("late", "import string\n\n[await nothing() for _ in ()]"),
        ("uses-late", "letters = string.ascii_letters", SYSTEM),
    )
    assert isinstance(module, ModuleType) and module.__name__ == "09_small"
    assert defined(module) == {"math", "os", "Count", "string", "order", "twice", "four", "letters"}
    assert module.order == ["first", "second"] and module.four == 4


def test_a_cell_with_further_tags_and_an_import_of_its_own(chapter):
    module = chapter(
        ("one", "import math\nhalf = math.pi / 2", ["nbval-ignore-output", "system"]),
        ("other", "import string", ["systems"]),
    )
    assert defined(module) == {"math", "half", "string"}


def test_prose_is_no_code(tmp_path, chapter):
    notebook = sample()
    notebook.cells = [
        new_code_cell("one = 1", id="one", metadata={"tags": SYSTEM}),
        new_markdown_cell("not = Python", id="prose", metadata={"tags": SYSTEM}),
    ]
    notebook_file.write(tmp_path / "09_prose.ipynb", notebook)
    assert defined(taught("09_prose", tmp_path)) == {"one"}


def test_every_load_is_a_new_module(chapter):
    cell = ("state", "seen = []", SYSTEM)
    first, second = chapter(cell), chapter(cell)
    first.seen.append(1)
    assert second.seen == []


def test_coroutines_work_and_functions_find_each_other(chapter):
    module = chapter(
        ("imports", "import asyncio"),
        ("outer", "async def outer():\n    return await inner() + 1", SYSTEM),
        ("inner", "async def inner():\n    await asyncio.sleep(0)\n    return 1", SYSTEM),
    )
    assert asyncio.run(module.outer()) == 2


def test_dataclasses_sources_and_pickles_work(chapter):
    point = "@dataclass\nclass Point:\n    x: 'int'\n    y: 'list[Point]'\n"
    origin = "def origin():\n    return Point(0, [])\n"
    module = chapter(
        ("imports", "from dataclasses import dataclass"), ("point", point, SYSTEM), ("origin", origin, SYSTEM)
    )
    assert pickle.loads(pickle.dumps(module.origin())) == module.Point(0, [])
    assert inspect.getsource(module.origin) == origin


def test_a_traceback_shows_the_lines_of_the_cell(chapter):
    module = chapter(("good", "one = 1", SYSTEM), ("bad", "def fail():\n    # why\n    return 1 / 0", SYSTEM))
    try:
        module.fail()
    except ZeroDivisionError as error:
        text = "".join(traceback.format_exception(error))
    assert '"09_small.ipynb[bad]", line 3, in fail' in text and "return 1 / 0" in text


def test_the_rules_of_this_file_are_not_those_of_the_notebook(chapter):
    module = chapter(("hint", "def f(x: int): ...", SYSTEM))
    assert module.f.__annotations__ == {"x": int}, "compiled with the annotations of taught.py's __future__"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("limit = from_demo + 1", "NameError: name 'from_demo' is not defined"),
        ("def f():\n    return from_demo", "uses from_demo"),
        ("class C:\n    def m(self):\n        return [from_demo(x) for x in self.a]", "uses from_demo"),
        ("f = lambda: from_demo", "uses from_demo"),
        ("def f(x=from_demo): ...", "NameError"),
        ("result = await from_demo()", "SyntaxError: 'await' outside function"),
        ("%time from_demo()", "not plain Python"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_system_cell_that_needs_a_demo_is_named(chapter, source, words):
    with pytest.raises(NotAlone) as caught:
        chapter(("fine", "one = 1", SYSTEM), ("demo", "from_demo = one"), ("needs-it", source, SYSTEM))
    assert str(caught.value).startswith("09_small.ipynb[needs-it] ") and words in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "def f(a, *b, c=1, **d):\n    e = [a for a in b]\n    return len(e), c, d, __name__",
        "total = 0\ndef f():\n    global total, later\n    total += 1\n    later = total\n    return later",
        "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x += 1\n        return x\n    return g",
        "class C(dict):\n    def m(self):\n        return super().copy(), __class__",
        "def f():\n    import math\n    return math.pi",
        "def f():\n    return f()",
    ],
)
def test_what_a_cell_defines_itself_is_not_missing(chapter, source):
    chapter(("fine", source, SYSTEM))


def test_a_failed_import_names_its_cell(chapter):
    with pytest.raises(NotAlone, match=r"09_small\.ipynb\[setup\] .*ModuleNotFoundError.*no_such_module"):
        chapter(("setup", "import no_such_module"), ("one", "one = 1", SYSTEM))


def test_a_notebook_that_is_not_there_or_teaches_nothing(tmp_path, chapter):
    with pytest.raises(LookupError, match=r"no cell of 09_small\.ipynb has the tag 'system'"):
        chapter(("one", "one = 1"))
    with pytest.raises(FileNotFoundError, match="no notebook is called 99_nothing; there are 09_small"):
        taught("99_nothing", tmp_path)
    with pytest.raises(FileNotFoundError, match="there are .*01_basic_async_await"):
        taught("99_nothing")


def test_a_number_means_the_chapter_itself_not_what_goes_deeper(tmp_path, chapter):
    for name in ("09_small", "09_a_deeper"):
        notebook = sample()
        notebook.cells = [new_code_cell(f"name = {name!r}", id="one", metadata={"tags": SYSTEM})]
        notebook_file.write(tmp_path / f"{name}.ipynb", notebook)
    assert taught(9, tmp_path).name == "09_small" and taught("09_a_deeper", tmp_path).name == "09_a_deeper"
    with pytest.raises(FileNotFoundError, match="there are 09_a_deeper, 09_small"):
        taught(8, tmp_path)


@pytest.mark.parametrize("name", WITH_SYSTEMS)
def test_the_systems_of_every_notebook_load_alone(name, capsys):
    assert defined(taught(name))
    assert capsys.readouterr() == ("", ""), "loading prints nothing: no demo ran"
