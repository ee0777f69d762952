"""Our way to do exercise 3.6."""

import asyncio


async def sell(store, buyers):
    """Sell a ticket to each buyer while there are any; return the numbers of the tickets, or None, by buyer."""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
        await buyer.pay()
        return left

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])
