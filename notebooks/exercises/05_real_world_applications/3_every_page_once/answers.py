"""Answers to exercise 5.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
import collections


async def one_after_another(start, links_of, limit):
    """while 1 of 3 places was in use"""
    to_read, known, failed = [start], {start}, set()
    while to_read:
        page = to_read.pop()
        try:
            links = await links_of(page)
        except Exception:
            failed.add(page)
            continue
        new = set(links) - known
        known |= new
        to_read += new
    return known - failed, failed


async def forever_in_a_circle(start, links_of, limit):
    """Note a page as known when you find a link to it"""
    places, read, failed = asyncio.Semaphore(limit), [], []

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.append(page)
                return
        read.append(page)
        if len(read) < 500:
            for link in links:
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return set(read), set(failed)


async def known_when_it_is_read(start, links_of, limit):
    """Note a page as known when you find a link to it"""
    places, read, failed = asyncio.Semaphore(limit), set(), set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        read.add(page)
        for link in links:
            if link not in read and link not in failed:
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return read, failed


async def known_when_it_has_a_place(start, links_of, limit):
    """Note a page as known when you find a link to it"""
    places, known, failed = asyncio.Semaphore(limit), set(), set()

    async def visit(page):
        async with places:
            known.add(page)
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def duplicates_on_one_page(start, links_of, limit):
    """Note a page as known when you find a link to it"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        new = [link for link in links if link not in known]
        known.update(new)
        for link in new:
            group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def start_is_not_known(start, links_of, limit):
    """`links_of('/')` was called twice"""
    places, known, failed = asyncio.Semaphore(limit), set(), set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return (known | {start}) - failed, failed


async def no_limit(start, links_of, limit):
    """Let each first take a place in a semaphore that they share"""
    known, failed = {start}, set()

    async def visit(page):
        try:
            links = await links_of(page)
        except Exception:
            failed.add(page)
            return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def one_place_too_many(start, links_of, limit):
    """were under way at once, where"""
    places, known, failed = asyncio.Semaphore(limit + 1), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def semaphore_for_each_page(start, links_of, limit):
    """and each lets its own through. Make one, for all of them"""
    known, failed = {start}, set()

    async def visit(page):
        async with asyncio.Semaphore(limit):
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def in_waves(start, links_of, limit):
    """Begin to read a page as soon as you know it and there is a place"""
    places, known, failed, wave = asyncio.Semaphore(limit), {start}, set(), [start]

    async def visit(page):
        async with places:
            try:
                return await links_of(page)
            except Exception:
                failed.add(page)
                return []

    while wave:
        links = {link for links in await asyncio.gather(*map(visit, wave)) for link in links}
        wave = links - known
        known |= wave
    return known - failed, failed


async def in_slices(start, links_of, limit):
    """Begin to read a page as soon as you know it and there is a place"""
    known, failed, to_read = {start}, set(), [start]

    async def visit(page):
        try:
            return await links_of(page)
        except Exception:
            failed.add(page)
            return []

    while to_read:
        some, to_read = to_read[:limit], to_read[limit:]
        for links in await asyncio.gather(*map(visit, some)):
            new = set(links) - known
            known |= new
            to_read += new
    return known - failed, failed


async def one_branch_after_another(start, links_of, limit):
    """Begin to read a page as soon as you know it and there is a place"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                await visit(link)

    await visit(start)
    return known - failed, failed


async def place_held_while_others_visit(start, links_of, limit):
    """waits for what can never happen"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
            new = set(links) - known
            known.update(new)
            await asyncio.gather(*map(visit, new))

    await visit(start)
    return known - failed, failed


async def first_error_ends_all(start, links_of, limit):
    """which ended everything. Catch it where that one page is read"""
    places, known = asyncio.Semaphore(limit), {start}

    async def visit(page):
        async with places:
            links = await links_of(page)
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known, set()


async def only_errors_of_connections(start, links_of, limit):
    """which ended everything. Catch it where that one page is read"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except ConnectionError:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def failed_pages_among_those_read(start, links_of, limit):
    """failed, and stands in the first collection"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known, failed


async def failed_pages_forgotten(start, links_of, limit):
    """failed, and is missing in the second collection"""
    places, known, read = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                return
        read.add(page)
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return read, set()


async def tries_again(start, links_of, limit):
    """count the page as failed, and try it no more"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                try:
                    links = await links_of(page)
                except ConnectionError:
                    links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def empty_queue_taken_for_the_end(start, links_of, limit):
    """places was in use. Begin to read a page"""
    known, failed, queue = {start}, set(), collections.deque([start])

    async def work():
        while queue:
            page = queue.popleft()
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                continue
            for link in links:
                if link not in known:
                    known.add(link)
                    queue.append(link)

    await asyncio.gather(*[work() for _ in range(limit)])
    return known - failed, failed


async def workers_give_up_after_a_while(start, links_of, limit):
    """Let the end of the last visit end the wait"""
    known, failed, queue = {start}, set(), asyncio.Queue()
    queue.put_nowait(start)

    async def work():
        while True:
            try:
                page = await asyncio.wait_for(queue.get(), 1)
            except TimeoutError:
                return
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                continue
            for link in links:
                if link not in known:
                    known.add(link)
                    queue.put_nowait(link)

    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(work())
    return known - failed, failed


async def looks_every_millisecond(start, links_of, limit):
    """Let the end of the last visit end the wait"""
    places, known, failed, visits = asyncio.Semaphore(limit), {start}, set(), set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                visits.add(asyncio.create_task(visit(link)))

    visits.add(asyncio.create_task(visit(start)))
    try:
        while not all(each.done() for each in visits):
            await asyncio.sleep(0.001)
    finally:
        for each in visits:
            each.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
    return known - failed, failed


async def looks_all_the_time(start, links_of, limit):
    """goes on without end"""
    places, known, failed, visits = asyncio.Semaphore(limit), {start}, set(), set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                visits.add(asyncio.create_task(visit(link)))

    visits.add(asyncio.create_task(visit(start)))
    try:
        while not all(each.done() for each in visits):
            await asyncio.sleep(0)
    finally:
        for each in visits:
            each.cancel()
        await asyncio.gather(*visits, return_exceptions=True)
    return known - failed, failed


async def visits_not_awaited(start, links_of, limit):
    """still running"""
    places, known, failed, visits = asyncio.Semaphore(limit), {start}, set(), []

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                visits.append(asyncio.create_task(visit(link)))

    await visit(start)
    await asyncio.gather(*visits)
    return known - failed, failed


async def workers_never_stopped(start, links_of, limit):
    """still running"""
    known, failed, queue = {start}, set(), asyncio.Queue()
    queue.put_nowait(start)

    async def work():
        while True:
            page = await queue.get()
            try:
                for link in await links_of(page):
                    if link not in known:
                        known.add(link)
                        queue.put_nowait(link)
            except Exception:
                failed.add(page)
            queue.task_done()

    workers = [asyncio.create_task(work()) for _ in range(limit)]
    await queue.join()
    return known - failed, failed


async def done_before_its_links_are_in_the_queue(start, links_of, limit):
    """was stopped before it gave its links"""
    known, failed, queue = {start}, set(), asyncio.Queue()
    queue.put_nowait(start)

    async def work():
        while True:
            page = await queue.get()
            queue.task_done()
            try:
                for link in await links_of(page):
                    if link not in known:
                        known.add(link)
                        queue.put_nowait(link)
            except Exception:
                failed.add(page)

    workers = [asyncio.create_task(work()) for _ in range(limit)]
    try:
        await queue.join()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return known - failed, failed


async def failed_pages_are_never_done(start, links_of, limit):
    """waits for what can never happen"""
    known, failed, queue = {start}, set(), asyncio.Queue()
    queue.put_nowait(start)

    async def work():
        while True:
            page = await queue.get()
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                continue
            for link in links:
                if link not in known:
                    known.add(link)
                    queue.put_nowait(link)
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for _ in range(limit)]
        await queue.join()
        for worker in workers:
            worker.cancel()
    return known - failed, failed


async def workers_left_when_cancelled(start, links_of, limit):
    """function had been cancelled,"""
    known, failed, queue = {start}, set(), asyncio.Queue()
    queue.put_nowait(start)

    async def work():
        while True:
            page = await queue.get()
            try:
                for link in await links_of(page):
                    if link not in known:
                        known.add(link)
                        queue.put_nowait(link)
            except Exception:
                failed.add(page)
            queue.task_done()

    workers = [asyncio.create_task(work()) for _ in range(limit)]
    await queue.join()
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    return known - failed, failed


async def cancellation_taken_for_a_failure(start, links_of, limit):
    """caught its cancellation and returned as if done"""
    known, failed, pending = {start}, set(), set()

    async def visit(page):
        return await links_of(page)

    to_read, pages = [start], {}
    try:
        while to_read or pending:
            while to_read and len(pending) < limit:
                page = to_read.pop()
                task = asyncio.create_task(visit(page))
                pages[task] = page
                pending.add(task)
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if task.exception():
                    failed.add(pages[task])
                    continue
                for link in task.result():
                    if link not in known:
                        known.add(link)
                        to_read.append(link)
    except BaseException:
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
    return known - failed, failed


async def links_not_awaited(start, links_of, limit):
    """Write `await` before it"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            links = links_of(page)
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def only_the_pages_read(start, links_of, limit):
    """Return two collections"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed


async def ten_links_deep(start, links_of, limit):
    """was never called, and"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page, depth):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known and depth < 10:
                known.add(link)
                group.create_task(visit(link, depth + 1))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start, 0))
    return known - failed, failed


async def as_many_pages_as_places(start, links_of, limit):
    """was never called, and `/` links to it"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known and len(known) < limit:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def errors_beside_the_failed_pages(start, links_of, limit):
    """failed, and is missing in the second collection, `[('/3',"""
    places, known, failed = asyncio.Semaphore(limit), {start}, []

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception as error:
                failed.append((page, error))
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - {page for page, _ in failed}, failed


async def every_link_noted(start, links_of, limit):
    """page stands twice in the first collection"""
    places, known, read, failed = asyncio.Semaphore(limit), {start}, [start], []

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.append(page)
                read.remove(page)
                return
        for link in links:
            read.append(link)
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return read, failed


async def queue_with_a_bound(start, links_of, limit):
    """waits for what can never happen"""
    known, failed, queue = {start}, set(), asyncio.Queue(limit)
    queue.put_nowait(start)

    async def work():
        while True:
            page = await queue.get()
            try:
                for link in await links_of(page):
                    if link not in known:
                        known.add(link)
                        await queue.put(link)
            except Exception:
                failed.add(page)
            queue.task_done()

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for _ in range(limit)]
        await queue.join()
        for worker in workers:
            worker.cancel()
    return known - failed, failed


async def impatient_with_slow_pages(start, links_of, limit):
    """was stopped before it gave its links"""
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await asyncio.wait_for(links_of(page), 0.05)
            except Exception:
                failed.add(page)
                return
        for link in links:
            if link not in known:
                known.add(link)
                group.create_task(visit(link))

    async with asyncio.TaskGroup() as group:
        group.create_task(visit(start))
    return known - failed, failed


async def workers_take_a_cancellation_for_a_failure(start, links_of, limit):
    """was cancelled, and ran on"""
    known, failed, queue = {start}, set(), asyncio.Queue()
    queue.put_nowait(start)

    async def work():
        while True:
            page = await queue.get()
            try:
                for link in await links_of(page):
                    if link not in known:
                        known.add(link)
                        queue.put_nowait(link)
            except:
                failed.add(page)
            queue.task_done()

    workers = [asyncio.create_task(work()) for _ in range(limit)]
    try:
        await queue.join()
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return known - failed, failed


async def workers_share_a_queue(start, links_of, limit):
    known, read, failed, queue = {start}, [], {}, asyncio.Queue()
    queue.put_nowait(start)

    async def work():
        while True:
            page = await queue.get()
            try:
                links = await links_of(page)
            except Exception as error:
                failed[page] = error
            else:
                read.append(page)
                for link in set(links) - known:
                    known.add(link)
                    queue.put_nowait(link)
            finally:
                queue.task_done()

    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(work()) for _ in range(limit)]
        await queue.join()
        for worker in workers:
            worker.cancel()
    return read, failed


async def waits_for_whichever_is_first(start, links_of, limit):
    known, read, failed, to_read, pages = {start}, set(), set(), [start], {}
    try:
        while to_read or pages:
            while to_read and len(pages) < limit:
                page = to_read.pop(0)
                pages[asyncio.create_task(links_of(page))] = page
            done, _ = await asyncio.wait(pages, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                page = pages.pop(task)
                if task.exception():
                    failed.add(page)
                    continue
                read.add(page)
                new = set(task.result()) - known
                known |= new
                to_read.extend(new)
    finally:
        for task in pages:
            task.cancel()
        await asyncio.gather(*pages, return_exceptions=True)
    return read, failed


async def visits_gather_their_own(start, links_of, limit):
    places, known, failed = asyncio.Semaphore(limit), {start}, set()

    async def visit(page):
        async with places:
            try:
                links = await links_of(page)
            except Exception:
                failed.add(page)
                return
        new = set(links) - known
        known.update(new)
        await asyncio.gather(*map(visit, new))

    await visit(start)
    return known - failed, failed


async def counts_what_is_open(start, links_of, limit):
    known, failed, visits = {start}, [], set()
    places, end = asyncio.Semaphore(limit), asyncio.Event()

    async def visit(page):
        try:
            async with places:
                links = await links_of(page)
        except Exception:
            failed.append(page)
            links = []
        for link in links:
            begin(link)
        visits.discard(asyncio.current_task())
        if not visits:
            end.set()

    def begin(page):
        if page in known and visits:
            return
        known.add(page)
        visits.add(asyncio.create_task(visit(page)))

    begin(start)
    try:
        await end.wait()
    finally:
        left = list(visits)
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)
    return [page for page in known if page not in failed], failed


async def workers_wait_for_a_page_or_the_end(start, links_of, limit):
    known, read, failed, to_read, changed = {start}, set(), set(), [start], asyncio.Condition()

    async def work():
        while True:
            async with changed:
                await changed.wait_for(lambda: to_read or len(read) + len(failed) == len(known))
                if not to_read:
                    return
                page = to_read.pop()
            try:
                links = await links_of(page)
            except Exception:
                links, where = [], failed
            else:
                where = read
            async with changed:
                where.add(page)
                new = set(links) - known
                known.update(new)
                to_read.extend(new)
                changed.notify_all()

    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(work())
    return read, failed


async def marks_end_the_workers(start, links_of, limit):
    read, failed, queue, places = set(), set(), asyncio.Queue(), []
    known, open_pages = {start}, 1
    queue.put_nowait(start)

    async def work():
        nonlocal open_pages
        while (page := await queue.get()) is not None:
            try:
                links = await links_of(page)
                read.add(page)
            except Exception:
                failed.add(page)
                links = ()
            for link in links:
                if link not in known:
                    known.add(link)
                    open_pages += 1
                    queue.put_nowait(link)
            open_pages -= 1
            if not open_pages:
                for _ in range(limit):
                    queue.put_nowait(None)

    await asyncio.gather(*[work() for _ in range(limit)])
    return frozenset(read), frozenset(failed)


async def a_group_in_each_visit(start, links_of, limit):
    known, read, failed, places = set(), [], [], asyncio.Semaphore(limit)

    async def visit(page):
        if page in known:
            return
        known.add(page)
        await places.acquire()
        try:
            links = await links_of(page)
        except Exception:
            failed.append(page)
            return
        finally:
            places.release()
        read.append(page)
        async with asyncio.TaskGroup() as group:
            for link in links:
                group.create_task(visit(link))

    await visit(start)
    return read, failed


async def place_first_then_a_page(start, links_of, limit):
    places, queue, known, failed = asyncio.Semaphore(limit), asyncio.Queue(), {start}, set()
    queue.put_nowait(start)

    async def visit(page):
        try:
            links = await links_of(page)
        except Exception:
            failed.add(page)
            links = []
        for link in links:
            if link not in known:
                known.add(link)
                queue.put_nowait(link)
        places.release()
        queue.task_done()

    async def hand_out():
        while True:
            await places.acquire()
            group.create_task(visit(await queue.get()))

    async with asyncio.TaskGroup() as group:
        hands_out = group.create_task(hand_out())
        await queue.join()
        hands_out.cancel()
    return known - failed, failed
