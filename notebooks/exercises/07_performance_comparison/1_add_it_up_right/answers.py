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
    """Your code runs one after another"""
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
    """Your code runs one after another"""
    totals = {}
    for customer, item in orders:
        cents = await price(item)
        totals[customer] = totals.get(customer, 0) + cents
    return totals


async def five_at_a_time(orders, price):
    """At most 5 were under way at once"""
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
