"""Make the README's picture: a timeline of one blocking call, measured when this script runs."""

import asyncio
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "notebooks"))

from asynclab import trace  # noqa: E402
from asynclab.page.html import png  # noqa: E402
from asynclab.tracing.drawing import draw_tasks  # noqa: E402
from asynclab.tracing.timeline import Timeline  # noqa: E402


async def heartbeat() -> None:
    """Want to act every 0.1 seconds."""
    for _ in range(7):
        await asyncio.sleep(0.1)


async def blocked() -> None:
    """Hold the loop: nobody else runs meanwhile."""
    await asyncio.sleep(0.25)
    time.sleep(0.3)  # noqa: ASYNC251
    await asyncio.sleep(0.1)


async def in_thread() -> None:
    """Do the same in a thread: the loop stays free."""
    await asyncio.sleep(0.25)
    await asyncio.to_thread(time.sleep, 0.3)


async def main() -> Timeline:
    """Run them side by side under a trace."""
    with trace("One blocking call, and everybody waits") as timeline:
        async with asyncio.TaskGroup() as group:
            group.create_task(heartbeat(), name="heartbeat")
            group.create_task(asyncio.sleep(0.35), name="download")
            group.create_task(blocked(), name="time.sleep in a task")
            group.create_task(in_thread(), name="time.sleep in a thread")
    return timeline


if __name__ == "__main__":
    timeline = asyncio.run(main())
    picture = HERE / "timeline.png"
    picture.write_bytes(png(draw_tasks(timeline, timeline.title)))
    print(f"{picture.name}: {timeline.alt()}")
