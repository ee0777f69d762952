"""Answers to exercise 3.6. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def wrong_1(store, buyers):
    """ticket 5 was sold 8 times. While one waits"""
    async def serve(buyer):
        left = await store.read()
        if left == 0:
            return None
        await store.write(left - 1)
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_2(store, buyers):
    """You make 8 locks"""
    async def serve(buyer):
        async with asyncio.Lock():
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_3(store, buyers):
    """Nobody takes your lock"""
    lock = asyncio.Lock()
    async def serve(buyer):
        left = await store.read()
        if left == 0:
            return None
        await store.write(left - 1)
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_4(store, buyers):
    """Your lock does not hold from `read` to `write`"""
    lock = asyncio.Lock()
    async def serve(buyer):
        async with lock:
            left = await store.read()
        if left == 0:
            return None
        async with lock:
            await store.write(left - 1)
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_5(store, buyers):
    """Your lock does not hold from `read` to `write`"""
    lock = asyncio.Lock()
    async def serve(buyer):
        left = await store.read()
        if left == 0:
            return None
        async with lock:
            await store.write(left - 1)
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_6(store, buyers):
    """each holds the lock while it pays"""
    lock = asyncio.Lock()
    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await buyer.pay()
            await store.write(left - 1)
            return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_7(store, buyers):
    """the buyers pay one after another. Serve all of them side by side"""
    tickets = []
    for buyer in buyers:
        left = await store.read()
        if left:
            await buyer.pay()
            await store.write(left - 1)
        tickets.append(left or None)
    return tickets


async def wrong_8(store, buyers):
    """was sold twice"""
    lock = asyncio.Semaphore(2)
    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_9(store, buyers):
    """paid, and got no ticket"""
    lock = asyncio.Lock()
    async def serve(buyer):
        await buyer.pay()
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
            return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_10(store, buyers):
    """got a ticket, and did not pay"""
    lock = asyncio.Lock()
    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
            return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_11(store, buyers):
    """8 tickets were sold, where there are 5"""
    lock = asyncio.Lock()
    async def serve(buyer):
        async with lock:
            left = await store.read()
            await store.write(left - 1)
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_12(store, buyers):
    """A ticket's number is what `read` gave"""
    lock = asyncio.Lock()
    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            left -= 1
            await store.write(left)
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_13(store, buyers):
    """the store says that 5 tickets are left, not 0"""
    left = await store.read()
    async def serve(buyer):
        nonlocal left
        if left == 0:
            return None
        mine, left = left, left - 1
        await buyer.pay()
        return mine
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_14(store, buyers):
    """two buyers were at the store at once"""
    left = await store.read()
    async def serve(buyer):
        nonlocal left
        if left == 0:
            return None
        mine, left = left, left - 1
        await store.write(left)
        await buyer.pay()
        return mine
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_15(store, buyers):
    """somebody else was at the store"""
    lock, first, taken, written = asyncio.Lock(), None, 0, 0
    async def serve(buyer):
        nonlocal first, taken, written
        async with lock:
            left = await store.read()
            first = first or left
            if taken == first:
                return None
            mine, taken = first - taken, taken + 1
        async with lock:
            written += 1
            await store.write(first - written)
        await buyer.pay()
        return mine
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_16(store, buyers):
    """Return a list with a ticket's number or `None`"""
    lock = asyncio.Lock()
    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left:
                await store.write(left - 1)
        if left:
            await buyer.pay()
    async with asyncio.TaskGroup() as group:
        for buyer in buyers:
            group.create_task(serve(buyer))


async def wrong_17(store, buyers):
    """a buyer's ticket is `'sold out'`"""
    lock = asyncio.Lock()
    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left:
                await store.write(left - 1)
        if left:
            await buyer.pay()
            return left
        return "sold out"
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_18(store, buyers):
    """was still waiting after"""
    lock = asyncio.Lock()
    async def serve(buyer):
        await lock.acquire()
        left = await store.read()
        if left == 0:
            return None
        await store.write(left - 1)
        lock.release()
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_19(store, buyers):
    """Write `async with`, not `with`"""
    lock = asyncio.Lock()
    async def serve(buyer):
        with lock:
            left = await store.read()
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_20(store, buyers):
    """Write `await` before it"""
    lock = asyncio.Lock()
    async def serve(buyer):
        async with lock:
            left = store.read()
            await store.write(left - 1)
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def wrong_21(store, buyers):
    """you called acquire() and never awaited it"""
    lock = asyncio.Lock()
    async def serve(buyer):
        lock.acquire()
        left = await store.read()
        if left == 0:
            return None
        await store.write(left - 1)
        await buyer.pay()
        return left
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def right_1(store, buyers):
    lock = asyncio.Lock()
    async def take():
        async with lock:
            left = await store.read()
            await store.write(max(0, left - 1))
            return left or None
    async def serve(buyer):
        ticket = await take()
        if ticket is not None:
            await buyer.pay()
        return ticket
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(serve(buyer)) for buyer in buyers]
    return [task.result() for task in tasks]


async def right_2(store, buyers):
    tickets, payments = [], []
    for buyer in buyers:
        left = await store.read()
        tickets.append(left or None)
        if left:
            await store.write(left - 1)
            payments.append(asyncio.create_task(buyer.pay()))
    await asyncio.gather(*payments)
    return tickets


async def right_3(store, buyers):
    left, lock = await store.read(), asyncio.Lock()
    async def serve(buyer):
        nonlocal left
        if not left:
            return None
        mine, left = left, left - 1
        async with lock:
            await store.write(mine - 1)
        await buyer.pay()
        return mine
    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def right_4(store, buyers):
    left = await store.read()
    tickets = [left - i if i < left else None for i in range(len(buyers))]
    await store.write(max(0, left - len(buyers)))
    await asyncio.gather(*[buyer.pay() for buyer, ticket in zip(buyers, tickets) if ticket])
    return tickets
