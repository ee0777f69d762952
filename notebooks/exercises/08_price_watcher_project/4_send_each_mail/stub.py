import asyncio

import aiosmtplib


async def deliver(waiting, send, mark, tries=3, pause=0.5):
    for number, text in await waiting():
        try:
            await send(text)
            await mark(number)
        except aiosmtplib.SMTPException:
            await asyncio.sleep(pause)
