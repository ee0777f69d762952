"""Answers to exercise 4.3. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
from pathlib import Path
from concurrent.futures import ThreadPoolExecutor


async def on_the_loop(read, names, limit):
    """held the event loop: no other task could run meanwhile. Hand it to `asyncio.to_thread`"""
    found = []
    for name in names:
        try:
            found.append(len(read(name).encode()))
        except (OSError, UnicodeError) as error:
            found.append(error)
    return found


async def async_around_it(read, names, limit):
    """held the event loop: no other task could run meanwhile. Hand it to `asyncio.to_thread`"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len(read(name).encode())
            except (OSError, UnicodeError) as error:
                return error

    return await asyncio.gather(*[size(name) for name in names])


async def pool_with_map(read, names, limit):
    """held the event loop"""

    def size(name):
        try:
            return len(read(name).encode())
        except (OSError, UnicodeError) as error:
            return error

    with ThreadPoolExecutor(limit) as pool:
        return list(pool.map(size, names))


async def first_error_ends_all(read, names, limit):
    """which ended everything. Catch it, where one file is read, and return it in its place"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return len((await asyncio.to_thread(read, name)).encode())

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(size(name)) for name in names]
    return [task.result() for task in tasks]


async def one_try_around_all(read, names, limit):
    """not a list of 6 results"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return len((await asyncio.to_thread(read, name)).encode())

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(size(name)) for name in names]
        return [task.result() for task in tasks]
    except* (OSError, UnicodeError) as errors:
        print(errors)


async def missing_files_alone(read, names, limit):
    """raised IsADirectoryError, which ended everything"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len((await asyncio.to_thread(read, name)).encode())
            except FileNotFoundError as error:
                return error

    return await asyncio.gather(*[size(name) for name in names])


async def errors_of_the_system_alone(read, names, limit):
    """raised UnicodeDecodeError, which ended everything. It is a `ValueError`, not an `OSError`: catch it, too"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len((await asyncio.to_thread(read, name)).encode())
            except OSError as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(size(name)) for name in names]
    return [task.result() for task in tasks]


async def text_of_the_error(read, names, limit):
    """Return the exception itself"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len((await asyncio.to_thread(read, name)).encode())
            except (OSError, UnicodeError) as error:
                return str(error)

    return await asyncio.gather(*[size(name) for name in names])


async def none_for_an_error(read, names, limit):
    """and in its place stands `None`. Return the exception itself"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len((await asyncio.to_thread(read, name)).encode())
            except (OSError, UnicodeError):
                return None

    return await asyncio.gather(*[size(name) for name in names])


async def another_error(read, names, limit):
    """and in its place stands `RuntimeError"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len((await asyncio.to_thread(read, name)).encode())
            except (OSError, UnicodeError) as error:
                return RuntimeError(f"{name}: {error}")

    return await asyncio.gather(*[size(name) for name in names])


async def kind_of_the_error(read, names, limit):
    """Return the exception itself"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len((await asyncio.to_thread(read, name)).encode())
            except (OSError, UnicodeError) as error:
                return type(error)

    return await asyncio.gather(*[size(name) for name in names])


async def bad_ones_left_out(read, names, limit):
    """missing"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return len((await asyncio.to_thread(read, name)).encode())

    found = await asyncio.gather(*[size(name) for name in names], return_exceptions=True)
    return [each for each in found if not isinstance(each, Exception)]


async def empty_ones_left_out(read, names, limit):
    """missing: `0`. Keep it, though it is falsy"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return len((await asyncio.to_thread(read, name)).encode())

    found = await asyncio.gather(*[size(name) for name in names], return_exceptions=True)
    return [each for each in found if each]


async def characters(read, names, limit):
    """Encode the text before you count"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return len(await asyncio.to_thread(read, name))

    return await asyncio.gather(*[size(name) for name in names], return_exceptions=True)


async def texts(read, names, limit):
    """Return its size in bytes"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return await asyncio.to_thread(read, name)

    return await asyncio.gather(*[size(name) for name in names], return_exceptions=True)


async def own_mistake_among_the_results(read, names, limit):
    """in its place stands AttributeError"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            text = await asyncio.to_thread(read, name)
            return len(text.encoded())

    return await asyncio.gather(*[size(name) for name in names], return_exceptions=True)


async def all_at_once(read, names, limit):
    """where 2 are allowed. Let each first take a place in a semaphore"""

    async def size(name):
        return len((await asyncio.to_thread(read, name)).encode())

    return await asyncio.gather(*[size(name) for name in names], return_exceptions=True)


async def semaphore_for_each(read, names, limit):
    """You make 6 semaphores, and each lets its own through"""

    async def size(name):
        async with asyncio.Semaphore(limit):
            return len((await asyncio.to_thread(read, name)).encode())

    return await asyncio.gather(*[size(name) for name in names], return_exceptions=True)


async def always_five(read, names, limit):
    """files were under way at once, where"""
    places = asyncio.Semaphore(5)

    async def size(name):
        async with places:
            return len((await asyncio.to_thread(read, name)).encode())

    return await asyncio.gather(*[size(name) for name in names], return_exceptions=True)


async def one_after_another(read, names, limit):
    """no two files were ever under way at once"""
    found = []
    for name in names:
        try:
            found.append(len((await asyncio.to_thread(read, name)).encode()))
        except (OSError, UnicodeError) as error:
            found.append(error)
    return found


async def all_in_one_thread(read, names, limit):
    """no two files were ever under way at once"""

    def size(name):
        try:
            return len(read(name).encode())
        except (OSError, UnicodeError) as error:
            return error

    return await asyncio.to_thread(lambda: [size(name) for name in names])


async def place_given_back_too_early(read, names, limit):
    """files were under way at once, where"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            reading = asyncio.create_task(asyncio.to_thread(read, name))
        return len((await reading).encode())

    return await asyncio.gather(*[size(name) for name in names], return_exceptions=True)


async def in_the_order_of_ending(read, names, limit):
    """not in the order of the input"""
    places, found = asyncio.Semaphore(limit), []

    async def size(name):
        async with places:
            try:
                found.append(len((await asyncio.to_thread(read, name)).encode()))
            except (OSError, UnicodeError) as error:
                found.append(error)

    await asyncio.gather(*[size(name) for name in names])
    return found


async def good_ones_first(read, names, limit):
    """not in the order of the input"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return len((await asyncio.to_thread(read, name)).encode())

    found = await asyncio.gather(*[size(name) for name in names], return_exceptions=True)
    return sorted(found, key=lambda each: isinstance(each, Exception))


async def by_name(read, names, limit):
    """missing"""
    places, found = asyncio.Semaphore(limit), {}

    async def size(name):
        async with places:
            try:
                found[name] = len((await asyncio.to_thread(read, name)).encode())
            except (OSError, UnicodeError) as error:
                found[name] = error

    await asyncio.gather(*[size(name) for name in names])
    return [found[name] for name in dict.fromkeys(names)]


async def a_dict(read, names, limit):
    """not a list of"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return len((await asyncio.to_thread(read, name)).encode())

    found = await asyncio.gather(*[size(name) for name in names], return_exceptions=True)
    return dict(zip(names, found, strict=True))


async def cancellation_swallowed(read, names, limit):
    """caught its cancellation and returned as if done"""
    places, found = asyncio.Semaphore(limit), [None] * len(names)

    async def size(i, name):
        async with places:
            try:
                found[i] = len((await asyncio.to_thread(read, name)).encode())
            except (OSError, UnicodeError) as error:
                found[i] = error

    try:
        await asyncio.gather(*[size(i, name) for i, name in enumerate(names)])
    except asyncio.CancelledError:
        pass
    return found


async def tasks_left_when_cancelled(read, names, limit):
    """your function had been cancelled,"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len((await asyncio.to_thread(read, name)).encode())
            except (OSError, UnicodeError) as error:
                return error

    tasks = [asyncio.create_task(size(name)) for name in names]
    return [await task for task in tasks]


async def waits_for_no_task(read, names, limit):
    """Set of"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len((await asyncio.to_thread(read, name)).encode())
            except (OSError, UnicodeError) as error:
                return error

    tasks = [asyncio.create_task(size(name)) for name in names]
    try:
        await asyncio.wait(tasks)
    finally:
        for task in tasks:
            task.cancel()
    return [task.result() for task in tasks]


async def calls_it_too_early(read, names, limit):
    """hand its *result* to a thread"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return len((await asyncio.to_thread(read(name))).encode())

    return await asyncio.gather(*[size(name) for name in names])


async def awaits_a_text(read, names, limit):
    """because it is a plain function"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            return len((await read(name)).encode())

    return await asyncio.gather(*[size(name) for name in names])


async def gather_gives_the_errors(read, names, limit):
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            text = await asyncio.to_thread(read, name)
        return len(text.encode("utf-8"))

    return await asyncio.gather(*[size(name) for name in names], return_exceptions=True)


async def any_error(read, names, limit):
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len(bytes(await asyncio.to_thread(read, name), "utf-8"))
            except Exception as error:
                return error

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(size(name)) for name in names]
    return [task.result() for task in tasks]


async def workers_share_an_iterator(read, names, limit):
    found, numbered = [None] * len(names), iter(enumerate(names))

    def size(name):
        try:
            return len(read(name).encode())
        except (OSError, ValueError) as error:
            return error

    async def work():
        for i, name in numbered:
            found[i] = await asyncio.to_thread(size, name)

    async with asyncio.TaskGroup() as group:
        for _ in range(limit):
            group.create_task(work())
    return found


async def own_pool(read, names, limit):
    loop = asyncio.get_running_loop()

    def size(name):
        try:
            return len(read(name).encode())
        except (OSError, UnicodeDecodeError) as error:
            return error

    with ThreadPoolExecutor(limit) as pool:
        return await asyncio.gather(*[loop.run_in_executor(pool, size, name) for name in names])


async def some_files_for_each_thread(read, names, limit):
    def some(part):
        found = []
        for name in part:
            try:
                found.append(len(read(name).encode()))
            except (OSError, UnicodeError) as error:
                found.append(error)
        return found

    parts = await asyncio.gather(*[asyncio.to_thread(some, names[i::limit]) for i in range(limit)])
    return [parts[i % limit][i // limit] for i in range(len(names))]


async def chunks_as_in_the_chapter(read, names, limit):
    places, step = asyncio.Semaphore(limit), len(names) // 4 + 1

    def size(name):
        try:
            return len(read(name).encode())
        except Exception as error:
            return error

    async def visit(some):
        async with places:
            return await asyncio.to_thread(lambda: [size(name) for name in some])

    visits = [visit(names[start : start + step]) for start in range(0, len(names), step)]
    return [each for found in await asyncio.gather(*visits) for each in found]


async def batches(read, names, limit):
    found = []
    for i in range(0, len(names), limit):
        reads = [asyncio.to_thread(read, name) for name in names[i : i + limit]]
        found += await asyncio.gather(*reads, return_exceptions=True)
    return [each if isinstance(each, Exception) else len(each.encode()) for each in found]


async def each_name_once(read, names, limit):
    places, found = asyncio.Semaphore(limit), {}

    async def size(name):
        async with places:
            try:
                found[name] = len((await asyncio.to_thread(read, name)).encode())
            except (OSError, UnicodeError) as error:
                found[name] = error

    async with asyncio.TaskGroup() as group:
        for name in set(names):
            group.create_task(size(name))
    return tuple(found[name] for name in names)


async def queue_of_names(read, names, limit):
    queue, found = asyncio.Queue(), {}
    for item in enumerate(names):
        queue.put_nowait(item)

    async def work():
        while not queue.empty():
            i, name = queue.get_nowait()
            try:
                text = await asyncio.to_thread(read, name)
                found[i] = len(text.encode())
            except (OSError, UnicodeError) as error:
                found[i] = error

    await asyncio.gather(*[work() for _ in range(limit)])
    return [found[i] for i in range(len(names))]


async def opens_the_files_itself(read, names, limit):
    """`read` was never called"""
    places = asyncio.Semaphore(limit)

    async def size(name):
        async with places:
            try:
                return len(await asyncio.to_thread(Path(name).read_bytes))
            except OSError as error:
                return error

    return await asyncio.gather(*[size(name) for name in names])
