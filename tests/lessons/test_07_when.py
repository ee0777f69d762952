"""Attacks on what chapter 7 teaches for chats: a hub that waits for no reader."""

import asyncio
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asynclab.taught import taught

m = taught(7)


class Gated:
    """A reader that takes a message when told to, and notes what it has been sent."""

    def __init__(self):
        self.heard, self.gate, self.broken = [], asyncio.Semaphore(0), None

    async def send(self, message):
        await self.gate.acquire()
        if self.broken:
            raise self.broken
        self.heard.append(message)


def run(main):
    async def within_a_while():
        async with asyncio.timeout(20):
            return await main()

    return asyncio.run(within_a_while())


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


@given(most=st.integers(1, 4), moves=st.lists(st.sampled_from(["say", 0, 1, 2]), max_size=60))
def test_each_reader_hears_what_a_queue_of_its_own_would_keep(most, moves):
    async def main():
        hub, readers = m.Hub(most), [Gated() for _ in range(3)]
        tasks = [asyncio.create_task(hub.serve(reader)) for reader in readers]
        models = [{"waits": deque(maxlen=most), "on its way": [], "heard": []} for _ in readers]
        await settled()
        for number, move in enumerate(moves):
            if move == "say":
                hub.say(number)
                for model in models:
                    model["waits" if model["on its way"] else "on its way"].append(number)
            elif models[move]["on its way"]:
                readers[move].gate.release()
                model = models[move]
                model["heard"].append(model["on its way"].pop())
                if model["waits"]:
                    model["on its way"].append(model["waits"].popleft())
            await settled()
            assert [reader.heard for reader in readers] == [model["heard"] for model in models]
            assert [queue.qsize() for queue in hub.queues.values()] == [len(model["waits"]) for model in models]
        hub.say(None)
        for reader in readers:
            for _ in range(most + 1):
                reader.gate.release()
        await asyncio.gather(*tasks)
        assert hub.queues == {}

    run(main)


def test_a_reader_that_fails_or_leaves_takes_no_other_with_it():
    async def main():
        hub, readers = m.Hub(), [Gated() for _ in range(3)]
        tasks = [asyncio.create_task(hub.serve(reader)) for reader in readers]
        await settled()
        readers[0].broken = ConnectionResetError("gone")
        hub.say("a")
        tasks[1].cancel()
        for reader in readers:
            reader.gate.release()
        ended = await asyncio.gather(*tasks[:2], return_exceptions=True)
        assert [type(each) for each in ended] == [ConnectionResetError, asyncio.CancelledError]
        assert list(hub.queues) == readers[2:]
        hub.say("b")
        hub.say(None)
        readers[2].gate.release()
        await tasks[2]
        assert readers[2].heard == ["a", "b"]

    run(main)


def test_a_reader_hears_what_is_said_while_it_is_there():
    async def main():
        hub, late = m.Hub(), Gated()
        late.gate = asyncio.Semaphore(10)
        hub.say("before")
        task = asyncio.create_task(hub.serve(late))
        await settled()
        hub.say("then")
        hub.say(None)
        await task
        hub.say("after")
        return late.heard

    assert run(main) == ["then"]


@pytest.mark.parametrize("cut", [False, True])
def test_through_hub_leaves_no_task(cut):
    async def main():
        quick, stuck = Gated(), Gated()
        quick.gate = asyncio.Semaphore(100)
        speaking = asyncio.create_task(m.through_hub([quick, stuck], range(10)))
        for _ in range(50):
            await asyncio.sleep(0)
        assert quick.heard == [*range(10)]
        assert not speaking.done()
        if cut:
            speaking.cancel()
        for _ in range(5):
            stuck.gate.release()
        await asyncio.wait([speaking])
        assert speaking.cancelled() == cut
        assert cut or stuck.heard == [0, 8, 9]  # three wait, and the last of them is the end
        return asyncio.all_tasks() == {asyncio.current_task()}

    assert run(main)
