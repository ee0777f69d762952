"""Answers to exercise 7.1. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio
from collections import Counter, defaultdict


async def reads_before_it_waits(orders, price):
    """Was it written over meanwhile?"""
    totals = {}

    async def add(customer, item):
        totals.setdefault(customer, 0)
        totals[customer] += await price(item)

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def reads_into_a_name_before_it_waits(orders, price):
    """Wait for the price first. Then read the total"""
    totals = defaultdict(int)

    async def add(customer, item):
        so_far = totals[customer]
        cents = await price(item)
        totals[customer] = so_far + cents

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def waits_once_more_in_between(orders, price):
    """Was it written over meanwhile?"""
    totals = {}

    async def add(customer, item):
        cents = await price(item)
        so_far = totals.get(customer, 0)
        await asyncio.sleep(0.01)
        totals[customer] = so_far + cents

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def lock_around_all(orders, price):
    """code runs one after another"""
    totals, lock = {}, asyncio.Lock()

    async def add(customer, item):
        async with lock:
            totals[customer] = totals.get(customer, 0) + await price(item)

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def lock_of_each_customer_around_all(orders, price):
    """under way at once, where 6 should be"""
    totals, locks = {}, defaultdict(asyncio.Lock)

    async def add(customer, item):
        async with locks[customer]:
            totals[customer] = totals.get(customer, 0) + await price(item)

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def one_after_another(orders, price):
    """code runs one after another"""
    totals = {}
    for customer, item in orders:
        cents = await price(item)
        totals[customer] = totals.get(customer, 0) + cents
    return totals


async def five_at_a_time(orders, price):
    """5 were under way at once"""
    totals, places = {}, asyncio.Semaphore(5)

    async def add(customer, item):
        async with places:
            cents = await price(item)
        totals[customer] = totals.get(customer, 0) + cents

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def each_item_once(orders, price):
    """Ask once for each order"""
    items = list({item for _, item in orders})
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(price(item)) for item in items]
    cents = dict(zip(items, [task.result() for task in tasks]))
    totals = {}
    for customer, item in orders:
        totals[customer] = totals.get(customer, 0) + cents[item]
    return totals


async def each_pair_once(orders, price):
    """Ask once for each order"""
    totals = {}

    async def add(customer, item):
        cents = await price(item)
        totals[customer] = totals.get(customer, 0) + cents

    async with asyncio.TaskGroup() as group:
        for customer, item in set(orders):
            group.create_task(add(customer, item))
    return totals


async def drops_who_pays_nothing(orders, price):
    """is not in the dict"""
    totals = Counter()

    async def add(customer, item):
        if cents := await price(item):
            totals[customer] += cents

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def gather_alone(orders, price):
    """were still running"""
    prices = await asyncio.gather(*[price(item) for _, item in orders])
    totals = {}
    for (customer, _), cents in zip(orders, prices):
        totals[customer] = totals.get(customer, 0) + cents
    return totals


async def swallows_what_fails(orders, price):
    """raised JobError, and you return"""
    prices = await asyncio.gather(*[price(item) for _, item in orders], return_exceptions=True)
    totals = {}
    for (customer, _), cents in zip(orders, prices):
        if not isinstance(cents, BaseException):
            totals[customer] = totals.get(customer, 0) + cents
    return totals


async def empties_the_list(orders, price):
    """changed the list `orders`"""
    totals = {}

    async def add(customer, item):
        cents = await price(item)
        totals[customer] = totals.get(customer, 0) + cents

    async with asyncio.TaskGroup() as group:
        while orders:
            group.create_task(add(*orders.pop()))
    return totals


async def one_total_for_all(orders, price):
    """not a dict of totals"""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(price(item)) for _, item in orders]
    return sum(task.result() for task in tasks)


async def everybody_has_a_total(orders, price):
    """has no order"""
    totals = {"ada": 0, "bob": 0, "cem": 0}

    async def add(customer, item):
        cents = await price(item)
        totals[customer] += cents

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def waits_a_second_beside_the_tasks(orders, price):
    """function took 1 s"""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(price(item)) for _, item in orders]
        await asyncio.sleep(1)
    totals = Counter()
    for (customer, _), task in zip(orders, tasks):
        totals[customer] += task.result()
    return totals


async def lock_around_another_wait(orders, price):
    """function took"""
    totals, lock = {}, asyncio.Lock()

    async def add(customer, item):
        cents = await price(item)
        async with lock:
            task = totals.get(customer, 0)
            await asyncio.sleep(0.05)
            totals[customer] = task + cents

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def prices_in_order_of_completion(orders, price):
    """one went to another customer"""
    tasks = [asyncio.create_task(price(item)) for _, item in orders]
    totals = defaultdict(int)
    try:
        for (customer, _), each in zip(orders, asyncio.as_completed(tasks)):
            totals[customer] += await each
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return totals


async def swallows_its_cancellation(orders, price):
    """function caught its cancellation"""
    totals = {}

    async def add(customer, item):
        cents = await price(item)
        totals[customer] = totals.get(customer, 0) + cents

    try:
        async with asyncio.TaskGroup() as group:
            for customer, item in orders:
                group.create_task(add(customer, item))
    except asyncio.CancelledError:
        pass
    return totals


async def cancels_and_does_not_wait(orders, price):
    """still running"""
    tasks = [asyncio.create_task(price(item)) for _, item in orders]
    try:
        prices = await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        raise
    totals = Counter()
    for (customer, _), cents in zip(orders, prices):
        totals[customer] += cents
    return totals


async def starts_and_returns(orders, price):
    """still running"""
    totals = {}

    async def add(customer, item):
        cents = await price(item)
        totals[customer] = totals.get(customer, 0) + cents

    for customer, item in orders:
        asyncio.create_task(add(customer, item))
    return totals


async def sums_up_at_the_end(orders, price):
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(price(item)) for _, item in orders]
    totals = Counter()
    for (customer, _), task in zip(orders, tasks):
        totals[customer] += task.result()
    return totals


async def lock_around_the_total_alone(orders, price):
    totals, lock = defaultdict(int), asyncio.Lock()

    async def add(customer, item):
        cents = await price(item)
        async with lock:
            totals[customer] += cents

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return dict(totals)


async def waits_on_the_right_hand_side_first(orders, price):
    totals = {}

    async def add(customer, item):
        totals[customer] = await price(item) + totals.get(customer, 0)

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals


async def gather_that_cancels_the_others(orders, price):
    tasks = [asyncio.create_task(price(item)) for _, item in orders]
    try:
        prices = await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    totals = {}
    for (customer, _), cents in zip(orders, prices):
        totals.setdefault(customer, 0)
        totals[customer] += cents
    return totals


async def adds_what_comes_first(orders, price):
    totals = Counter()

    async def one(customer, item):
        return customer, await price(item)

    tasks = [asyncio.create_task(one(*o)) for o in orders]
    try:
        for each in asyncio.as_completed(tasks):
            customer, cents = await each
            totals[customer] += cents
        return dict(totals)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def a_queue_of_prices(orders, price):
    queue, totals = asyncio.Queue(), {}

    async def ask(customer, item):
        await queue.put((customer, await price(item)))

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(ask(customer, item))
        for _ in orders:
            customer, cents = await queue.get()
            totals[customer] = totals.get(customer, 0) + cents
    return totals


async def adds_in_a_callback(orders, price):
    totals = {}

    def add(customer):
        def done(task):
            if not task.cancelled() and not task.exception():
                totals[customer] = totals.get(customer, 0) + task.result()

        return done

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(price(item)).add_done_callback(add(customer))
    return totals


async def a_group_for_each_customer(orders, price):
    by = defaultdict(list)
    for customer, item in orders:
        by[customer].append(item)
    totals = {}

    async def bill(customer, items):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(price(item)) for item in items]
        totals[customer] = sum(task.result() for task in tasks)

    async with asyncio.TaskGroup() as group:
        for customer, items in by.items():
            group.create_task(bill(customer, items))
    return totals
