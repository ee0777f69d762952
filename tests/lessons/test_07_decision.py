"""Attacks on the formula that chapter 7 decides with, and on the four ways that its explorer runs beside it."""

import asyncio
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynclab import work
from asynclab.taught import taught

chapter = taught(7)
predict = chapter.predict

JOBS, CORES = st.integers(1, 10_000), st.integers(1, 64)
SECONDS, SHARES = st.floats(0, 100), st.floats(0, 1)
SETTINGS = st.tuples(JOBS, SECONDS, SHARES, CORES)


@given(SETTINGS, st.integers(1, 100))
def test_more_jobs_take_longer_and_more_cores_never_do(setting, more):
    jobs, seconds, computing, cores = setting
    times, of_more = predict(*setting), predict(jobs + more, seconds, computing, cores)
    assert all(of_more[way] >= times[way] for way in times)
    with_more = predict(jobs, seconds, computing, cores + more)
    assert with_more["processes"] <= times["processes"]
    assert {**with_more, "processes": 0} == {**times, "processes": 0}  # one GIL: a core more is none for them


@given(SETTINGS)
def test_tasks_lose_to_sync_by_their_own_price_at_most_and_by_all_of_it_where_nothing_waits(setting):
    jobs, seconds, _, cores = setting
    price = jobs * chapter.TASK
    times = predict(*setting)
    assert times["async"] <= times["sync"] + price + 1e-6
    assert times["async"] < times["threads"]
    times = predict(jobs, seconds, 1.0, cores)
    assert times["async"] - times["sync"] == pytest.approx(price, abs=1e-6)
    assert min(times, key=times.get) in ("sync", "processes")
    times = predict(jobs, seconds, 0.0, cores)
    assert times["async"] == pytest.approx(seconds + price)


@given(JOBS, SECONDS, SHARES)
def test_a_single_core_or_a_single_job_is_no_reason_for_processes(jobs, seconds, computing):
    for times in (predict(jobs, seconds, computing, 1), predict(1, seconds, computing, 8)):
        assert times["processes"] > times["sync"]


@pytest.mark.parametrize(
    ("setting", "fastest"),
    [
        ((10, 0.02, 0.25, 2), "async"),
        ((50, 0.02, 1.0, 2), "processes"),
        ((50, 0.001, 1.0, 1), "sync"),
        ((50, 0.0001, 1.0, 8), "sync"),
        ((1, 0.05, 0.5, 8), "sync"),
    ],
)
def test_every_regime_is_there(setting, fastest):
    times = predict(*setting)
    assert min(times, key=times.get) == fastest


@pytest.mark.parametrize(
    "nonsense",
    [(0, 1, 0.5, 1), (5, -1, 0.5, 1), (5, 1, 25, 1), (5, 1, -0.1, 1), (5, 1, 0.5, 0), (5, float("nan"), 0.5, 1)],
)
def test_nonsense_is_refused_with_a_sentence(nonsense):
    with pytest.raises(ValueError, match="jobs and cores are 1 or more, seconds 0 or more, computing 0 to 1"):
        predict(*nonsense)


@pytest.mark.parametrize("setting", [(1, 0.2, 0, 1), (30, 0.2, 100, 1), (1, 20.0, 50, chapter.most_cores)])
def test_at_the_ends_of_the_sliders_all_ways_do_all_jobs_beside_what_was_predicted(setting):
    jobs, milliseconds, percent, cores = setting
    compared = asyncio.run(chapter.decide(*setting))
    assert compared.guess == predict(jobs, milliseconds / 1000, percent / 100, cores)
    assert {name: len(compared[name].value) for name in compared.names} == dict.fromkeys(compared.guess, jobs)


@pytest.mark.parametrize("platform", [sys.platform, "win32"])
def test_computing_takes_as_much_of_the_processor_as_it_says_in_each_thread(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    work.compute(0.001)  # where rounds are counted, this measures one
    threads = [threading.Thread(target=work.compute, args=[0.05]) for _ in range(3)]
    began = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.process_time() - began > 0.5 * 0.15  # a processor may have become faster since it was measured
    assert work.compute(0.02) > work.compute(0.002) > work.compute(0)
