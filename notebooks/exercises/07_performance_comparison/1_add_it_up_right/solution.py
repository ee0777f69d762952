"""Our way to do exercise 7.1."""

import asyncio


async def add_up(orders, price):
    """Return what each customer has to pay, all prices being asked for at once."""
    totals = {}

    async def add(customer, item):
        cents = await price(item)
        totals[customer] = totals.get(customer, 0) + cents

    async with asyncio.TaskGroup() as group:
        for customer, item in orders:
            group.create_task(add(customer, item))
    return totals
