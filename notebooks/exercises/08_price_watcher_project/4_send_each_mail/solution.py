"""Our way to do exercise 8.4."""

import asyncio

import aiosmtplib


async def deliver(waiting, send, mark, tries=3, pause=0.5):
    """Send each mail that waits, and mark it, even when cancelled; leave for the next pass what cannot be sent."""
    for number, text in await waiting():
        for attempt in range(tries):
            if attempt:
                await asyncio.sleep(pause * 2 ** (attempt - 1))
            try:
                await send(text)
            except (OSError, aiosmtplib.SMTPException):
                continue
            marking = asyncio.create_task(mark(number))
            try:
                await asyncio.shield(marking)
            finally:
                await marking
            break
