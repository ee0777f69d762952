"""Answers to exercise 8.4: a function with a docstring is wrong, and the docstring is in the message it gets."""

import asyncio
import contextlib

import aiosmtplib

_ERRORS = (OSError, aiosmtplib.SMTPException)


async def _finish(task):
    """Wait until a task has ended, even when cancelled."""
    try:
        await asyncio.shield(task)
    finally:
        await task


async def _mark(mark, number):
    await _finish(asyncio.create_task(mark(number)))


def _pauses(tries, pause):
    return [0, *[pause * 2**attempt for attempt in range(tries - 1)]]


async def _deliver(waiting, send, mark, pauses, errors=_ERRORS, finish=_mark):
    for number, text in await waiting():
        for pause in pauses:
            if pause:
                await asyncio.sleep(pause)
            try:
                await send(text)
            except errors:
                continue
            await finish(mark, number)
            break


async def pauses_after_the_last_try(waiting, send, mark, tries=3, pause=0.5):
    """Pause only before you try again"""
    for number, text in await waiting():
        for attempt in range(tries):
            try:
                await send(text)
            except _ERRORS:
                await asyncio.sleep(pause * 2**attempt)
            else:
                await _mark(mark, number)
                break


async def pauses_all_alike(waiting, send, mark, tries=3, pause=0.5):
    """s are due. Pause only before you try again"""
    await _deliver(waiting, send, mark, [0] + [pause] * (tries - 1))


async def tries_once_more(waiting, send, mark, tries=3, pause=0.5):
    """try each `tries` times in all"""
    await _deliver(waiting, send, mark, _pauses(tries + 1, pause))


async def catches_errors_of_smtp_alone(waiting, send, mark, tries=3, pause=0.5):
    """and that got out. Catch each OSError and SMTPException"""
    await _deliver(waiting, send, mark, _pauses(tries, pause), aiosmtplib.SMTPException)


async def lets_the_last_error_out(waiting, send, mark, tries=3, pause=0.5):
    """and that got out. Catch each OSError and SMTPException, also that of the last try"""
    for number, text in await waiting():
        for attempt in range(tries):
            try:
                await send(text)
                break
            except _ERRORS:
                if attempt == tries - 1:
                    raise
                await asyncio.sleep(pause * 2**attempt)
        await _mark(mark, number)


async def catches_everything(waiting, send, mark, tries=3, pause=0.5):
    """which did not get out. Let that end your function"""
    await _deliver(waiting, send, mark, _pauses(tries, pause), Exception)


async def cancellation_passes_for_an_error(waiting, send, mark, tries=3, pause=0.5):
    """was under way after the cancellation. Let that end your function"""
    await _deliver(waiting, send, mark, _pauses(tries, pause), (*_ERRORS, asyncio.CancelledError))


async def gives_up_at_the_first(waiting, send, mark, tries=3, pause=0.5):
    """was never called"""
    for number, text in await waiting():
        for each in _pauses(tries, pause):
            try:
                if each:
                    await asyncio.sleep(each)
                await send(text)
                break
            except _ERRORS:
                continue
        else:
            return
        await _mark(mark, number)


async def marks_what_failed(waiting, send, mark, tries=3, pause=0.5):
    """mark it as soon as it is sent, only then"""
    for number, text in await waiting():
        for each in _pauses(tries, pause):
            if each:
                await asyncio.sleep(each)
            with contextlib.suppress(*_ERRORS):
                await send(text)
                break
        await _mark(mark, number)


async def marks_when_all_are_sent(waiting, send, mark, tries=3, pause=0.5):
    """mark it as soon as it is sent"""
    sent = []

    async def note(number):
        sent.append(number)

    await _deliver(waiting, send, note, _pauses(tries, pause))
    for number in sent:
        await _mark(mark, number)


async def all_at_once(waiting, send, mark, tries=3, pause=0.5):
    """Take one mail after another"""

    async def one(mail):
        async def this():
            return [mail]

        await _deliver(this, send, mark, _pauses(tries, pause))

    async with asyncio.TaskGroup() as group:
        for mail in await waiting():
            group.create_task(one(mail))


async def takes_an_error_of_mark_for_one_of_send(waiting, send, mark, tries=3, pause=0.5):
    """raised FileNotFoundError, which did not get out. Let that end your function"""
    for number, text in await waiting():
        for each in _pauses(tries, pause):
            if each:
                await asyncio.sleep(each)
            try:
                await send(text)
                await _mark(mark, number)
                break
            except _ERRORS:
                continue


async def mark_is_cancelled(waiting, send, mark, tries=3, pause=0.5):
    """was cancelled, though that mail is sent"""

    async def plain(mark, number):
        await mark(number)

    await _deliver(waiting, send, mark, _pauses(tries, pause), finish=plain)


async def mark_is_left_alone(waiting, send, mark, tries=3, pause=0.5):
    """still running"""

    async def shielded(mark, number):
        await asyncio.shield(mark(number))

    await _deliver(waiting, send, mark, _pauses(tries, pause), finish=shielded)


async def sends_in_a_task(waiting, send, mark, tries=3, pause=0.5):
    """A task that sends may end just when you are cancelled"""

    async def in_a_task(text):
        await asyncio.create_task(send(text))

    await _deliver(waiting, in_a_task, mark, _pauses(tries, pause))


async def finishes_the_send_too(waiting, send, mark, tries=3, pause=0.5):
    """only a `mark` that is due goes on then"""

    async def to_its_end(text):
        await _finish(asyncio.create_task(send(text)))

    await _deliver(waiting, to_its_end, mark, _pauses(tries, pause))


async def goes_on_when_cancelled(waiting, send, mark, tries=3, pause=0.5):
    """was under way after the cancellation. Let that end your function"""

    async def to_its_end(mark, number):
        marking = asyncio.create_task(mark(number))
        while not marking.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([marking])
        marking.result()

    await _deliver(waiting, send, mark, _pauses(tries, pause), finish=to_its_end)


async def pauses_in_a_list(waiting, send, mark, tries=3, pause=0.5):
    await _deliver(waiting, send, mark, _pauses(tries, pause))


async def notes_that_it_was_cancelled(waiting, send, mark, tries=3, pause=0.5):
    for number, text in await waiting():
        attempt = 0
        while attempt < tries:
            attempt += 1
            try:
                await send(text)
            except Exception as error:
                if not isinstance(error, _ERRORS):
                    raise
                if attempt < tries:
                    await asyncio.sleep(pause)
                    pause *= 2
            else:
                marking, was_cancelled = asyncio.ensure_future(mark(number)), False
                while not marking.done():
                    try:
                        await asyncio.shield(marking)
                    except asyncio.CancelledError:
                        was_cancelled = True
                marking.result()
                if was_cancelled:
                    raise asyncio.CancelledError
                break
        pause /= 2 ** min(attempt - 1, tries - 1)


async def one_mail_in_a_function(waiting, send, mark, tries=3, pause=0.5):
    async def is_sent(text, tries, pause):
        try:
            await send(text)
            return True
        except (aiosmtplib.SMTPException, OSError):
            if tries == 1:
                return False
        await asyncio.sleep(pause)
        return await is_sent(text, tries - 1, 2 * pause)

    for number, text in await waiting():
        if await is_sent(text, tries, pause):
            marking = asyncio.create_task(mark(number))
            try:
                await asyncio.shield(marking)
            except asyncio.CancelledError:
                while not marking.done():
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.shield(marking)
                raise


async def marks_on_leaving_a_stack(waiting, send, mark, tries=3, pause=0.5):
    for number, text in await waiting():
        for each in _pauses(tries, pause):
            await asyncio.sleep(each)
            async with contextlib.AsyncExitStack() as stack:
                try:
                    await send(text)
                except _ERRORS:
                    continue
                stack.push_async_callback(_mark, mark, number)
            break
