"""A learner's guess: what is refused at once, and what is said of it beside the measurement."""

import asyncio
import gc
import html
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from asynclab import compare, trace
from asynclab.tracing.drawing import Record, shown_names
from asynclab.tracing.guess import Guessed, checked_guess, in_words


async def three_waits(guess=None):
    with trace("Three waits", guess=guess) as waits:
        async with asyncio.TaskGroup() as group:
            for seconds in (0.06, 0.03):
                group.create_task(asyncio.sleep(seconds), name=f"wait {seconds}")
            group.create_task(asyncio.sleep(0.001))
    return waits


async def compared(guess):
    variants = {"one": lambda: asyncio.sleep(0.01), "two": lambda: asyncio.sleep(0.02)}
    return await compare("Two", variants, repeats=2, guess=guess)


@pytest.mark.parametrize(
    "guess, words",
    [
        ({"a": "0.3"}, r"guess\[\"a\"\] is '0.3', which is not a number: write the seconds until it ends"),
        ({"a": None}, r'guess\["a"\] is None, which is not a number'),
        ({"a": True}, r'guess\["a"\] is True, which is not a number'),
        ({"a": -0.1}, r'guess\["a"\] is -0.1, which is not a time: write the seconds .* or \.\.\. for no guess'),
        ({"a": ..., "b": math.nan}, r'guess\["b"\] is nan, which is not a time'),
        ({"a": 10**400}, r'guess\["a"\] is 1000'),
        ({"a\nb": "1"}, r'guess\["a\\nb"\] is'),
        ({7: 0.1}, "7 is not the name of a row"),
        ([0.1], "a guess is written as"),
    ],
)
def test_nonsense_is_refused_before_anything_runs(guess, words):
    for guessing in (trace, lambda title, guess: asyncio.run(compare(title, {"a": None.__str__}, guess=guess))):
        with pytest.raises((TypeError, ValueError), match=words):
            guessing("Never begun", guess=guess)


@pytest.mark.parametrize("guess", [{"three": 0.1}, {"one": 0.1, "three": ...}])
def test_a_variant_that_is_not_there_is_refused(guess):
    with pytest.raises(ValueError, match='no variant is called "three"; the variants are one, two'):
        asyncio.run(compared(guess))


@pytest.mark.parametrize("guess", [None, ..., {}, {"wait 0.06": ..., "sleep": ..., "no such task": ...}])
def test_without_a_guess_nothing_is_said(guess):
    waits, both = asyncio.run(three_waits(guess)), asyncio.run(compared(guess and {"one": ...}))
    assert waits.guess == both.guess == {}, "so that not a byte of what is stored depends on it"
    bundles = [shown._repr_mimebundle_() for shown in (waits, waits.replay(), both)]
    told = " ".join(text for bundle in bundles for text in bundle.values())
    assert "our guess" not in told and "guess:" not in told


def test_every_row_can_be_guessed_by_the_name_it_shows():
    async def main(guess):
        with trace("Alike", guess=guess) as alike:
            async with asyncio.TaskGroup() as group:
                for name in ("x", "x", "sleep 1", "", "this cell", None):
                    group.create_task(asyncio.sleep(0.001), name=name)
        return alike

    names = {"x 1", "x 2", "sleep 1", "sleep 2", "sleep 3", "this cell 1", "this cell"}
    alike = asyncio.run(main(dict.fromkeys(names, 0.0)))
    assert {*shown_names(alike.tasks).values()} == names
    assert "in order" in alike.alt() and "no task" not in alike.alt()
    assert 'no task is called "x"; the tasks are x 1, x 2' in asyncio.run(main({"x": 0.1})).alt(), "which of the two?"


def test_what_is_collected_has_not_ended():
    async def gone():
        await asyncio.get_running_loop().create_future()

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        with trace("Gone", guess={"gone": 0.1}) as lost:
            asyncio.create_task(gone(), name="gone")  # noqa: RUF006
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            gc.collect()
        return lost

    assert "Your guess: gone had not ended" in asyncio.run(main()).alt()


def test_a_guess_is_told_in_the_picture_its_words_and_its_table():
    waits = asyncio.run(three_waits({"wait 0.06": 5, "wait 0.03": 0.03, "sleep": ..., "wait 0.6": 1, "nor this": ...}))
    shown = waits._repr_mimebundle_()
    for text in (shown["text/plain"], html.unescape(shown["text/html"]), waits.alt()):
        assert "Your guess: both in order; wait 0.06 ended 4." in text
        assert 'guess: no task is called "wait 0.6"; the tasks are wait 0.06, wait 0.03, sleep' in text
    both = asyncio.run(compared({"one": 9, "two": ...}))
    for text in (both.text(), both._repr_mimebundle_()["text/html"], both.alt()):
        assert "Your guess: one took 8.9" in text and "less than you thought" in text


def rows(*pairs):
    return [Guessed(name, *pair) for name, pair in zip("abcdef", pairs, strict=False)]


@pytest.mark.parametrize(
    "guessed, words",
    [
        (rows(), ""),
        (rows((0.3, 0.301)), "right within 1.00 ms"),
        (rows((0.3, 0.3)), "right to the millisecond"),
        (rows((0.1, 0.1), (0.2, 0.21), (0.3, 0.33)), "all 3 in order; right within 30.0 ms"),
        (rows((0.1, 0.3), (0.2, 0.2), (0.3, 0.1)), "in reverse order; a ended 200 ms later than you thought"),
        (rows((0.1, 0.3), (0.2, 0.1), (0.9, 0.4)), "2 of 3 in order; c ended 500 ms earlier than you thought"),
        (rows((0.3, 0.9), (0.3, 0.1)), "1 of 2 in order; a ended 600 ms later than you thought"),
        (rows((0.4, 0.4), (0.4, 0.6), (0.4, 1.0)), "1 of 3 in order; c ended 600 ms later than you thought"),
        (rows((0.3, 0.302), (0.3, 0.301)), "both in order; right within 2.00 ms"),
        (rows((0.1, 0.302), (0.2, 0.301), (0.9, 0.3)), "all 3 in order; c ended 600 ms earlier than you thought"),
        (rows((0.3, None), (0.3, 0.9)), "b ended 600 ms later than you thought; a had not ended"),
        (rows((0.3, None)), "a had not ended"),
    ],
)
def test_order_and_largest_miss(guessed, words):
    assert in_words(guessed, 1.0) == (f"Your guess: {words}." if words else "")


def test_what_is_left_open_is_no_guess():
    guess = {"a": ..., "b": 0, "c": 1.5, "d": Decimal("0.5"), "e": Fraction(1, 4), "f": np.float32(2)}
    assert checked_guess(guess) == {"b": 0.0, "c": 1.5, "d": 0.5, "e": 0.25, "f": 2.0}


def outlines(fig):
    """The ends of the dashed outlines, and where the axis ends."""
    dashed = [patch for patch in fig.axes[0].patches if patch.get_linestyle() not in ("-", "solid")]
    return sorted(patch.get_x() + patch.get_width() for patch in dashed), fig.axes[0].get_xlim()[1]


@pytest.mark.parametrize(
    "guess",
    [{}, {"wait 0.06": 0.01, "wait 0.03": ..., "nor this": ...}, {"wait 0.06": 0.1, "wait 0.03": 0.02}],
)
def test_outlines_end_where_it_was_guessed(guess):
    waits = asyncio.run(three_waits(guess))
    fig = waits._figure(Record(waits))
    drawn, axis = outlines(fig)
    guessed = sorted(1000 * end for end in waits.guess.values())
    assert drawn == pytest.approx(guessed) and "beyond" not in waits.alt()
    assert axis == pytest.approx(max([1000 * waits.duration, *(1.02 * end for end in guessed)]))
    assert ("your guess" in [text.get_text() for text in fig.legends[0].get_texts()]) == bool(drawn)


def test_what_is_guessed_beyond_the_picture_is_said():
    waits = asyncio.run(three_waits({"sleep": 1e300}))
    drawn, axis = outlines(waits._figure(Record(waits)))
    assert drawn[0] > axis == pytest.approx(3000 * waits.duration)
    assert "beyond the picture: 1e+300 s for sleep" in waits.alt() and waits._repr_mimebundle_(), "it can be drawn"
    both = asyncio.run(compared({"one": 0.03, "two": 5}))
    drawn, axis = outlines(both.plot())
    assert drawn[0] == 0.03 and drawn[1] > axis >= 3 * 0.02 and "beyond the picture: 5.00 s for two" in both.alt()


def test_of_a_crowd_a_guess_is_told_in_words_alone():
    async def crowd():
        with trace("Crowd", guess={"sleep 40": 1.0}) as many:
            await asyncio.gather(*[asyncio.sleep(0.001) for _ in range(40)])
        return many

    many = asyncio.run(crowd())
    assert "Your guess: sleep 40 ended 9" in many.alt() and many._repr_mimebundle_()
