import asyncio

import pytest

from asynclab.counting import WatchedQueue


def test_every_change_of_the_length_is_noted_in_order():
    async def use():
        queue = WatchedQueue()
        for item in "abc":
            await queue.put(item)
        assert [await queue.get(), queue.get_nowait()] == ["a", "b"]
        return queue.lengths

    lengths = asyncio.run(use())
    assert [length for _, length in lengths] == [0, 1, 2, 3, 2, 1]
    assert lengths[0][0] == 0.0
    assert [moment for moment, _ in lengths] == sorted(moment for moment, _ in lengths)


def test_it_keeps_to_its_size_and_to_its_accounts():
    async def use():
        queue = WatchedQueue(maxsize=1)
        queue.put_nowait("a")
        with pytest.raises(asyncio.QueueFull):
            queue.put_nowait("b")
        assert queue.get_nowait() == "a"
        with pytest.raises(asyncio.QueueEmpty):
            queue.get_nowait()
        queue.task_done()
        await queue.join()
        return queue.lengths

    assert [length for _, length in asyncio.run(use())] == [0, 1, 0]
