async def add_up(orders, price):
    totals = {}

    async def add(customer, item):
        totals.setdefault(customer, 0)
        totals[customer] += await price(item)

    await asyncio.gather(*[add(customer, item) for customer, item in orders])
    return totals
