"""Answers to exercise 3.6. One with a docstring is wrong: its first line is the message that it must get."""

import asyncio


async def without_a_lock(store, buyers):
    """While one waits between `read` and `write`, others read the same number"""

    async def serve(buyer):
        left = await store.read()
        if left == 0:
            return None
        await store.write(left - 1)
        await buyer.pay()
        return left

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def lock_for_each_buyer(store, buyers):
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


async def lock_never_taken(store, buyers):
    """Your lock is never acquired"""
    lock = asyncio.Lock()

    async def serve(buyer):
        left = await store.read()
        if left == 0:
            return None
        await store.write(left - 1)
        await buyer.pay()
        return left

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def lock_given_back_between(store, buyers):
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


async def lock_around_the_write_only(store, buyers):
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


async def pays_with_the_lock_in_hand(store, buyers):
    """buyers pay one after another. Each holds the lock while it pays"""
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


async def one_after_another(store, buyers):
    """buyers pay one after another. Serve all side by side"""
    tickets = []
    for buyer in buyers:
        left = await store.read()
        if left:
            await buyer.pay()
            await store.write(left - 1)
        tickets.append(left or None)
    return tickets


async def two_at_the_store(store, buyers):
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


async def all_pay(store, buyers):
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


async def nobody_pays(store, buyers):
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


async def sells_what_is_not_there(store, buyers):
    """8 tickets were sold, where there are 5"""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            await store.write(left - 1)
        await buyer.pay()
        return left

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def number_after_the_sale(store, buyers):
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


async def never_writes(store, buyers):
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


async def writes_side_by_side(store, buyers):
    """buyers were at the store at once"""
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


async def writes_later(store, buyers):
    """another was at the store. Hold one lock"""
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


async def returns_nothing(store, buyers):
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


async def sold_out_in_words(store, buyers):
    """buyer's ticket is `'sold out'`"""
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


async def lock_not_given_back(store, buyers):
    """waits for what can never happen"""
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


async def lock_without_async(store, buyers):
    """Write `async with`, not `with`"""
    lock = asyncio.Lock()

    async def serve(buyer):
        with lock:
            left = await store.read()

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def read_without_await(store, buyers):
    """Write `await` before it"""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = store.read()
            await store.write(left - 1)

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def acquire_without_await(store, buyers):
    """called acquire() and never awaited it"""
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


async def appended_when_ready(store, buyers):
    """stands in its place. Return the tickets in the order of `buyers`"""
    lock, tickets = asyncio.Lock(), []

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left:
                await store.write(left - 1)
        if left:
            await buyer.pay()
        tickets.append(left or None)

    await asyncio.gather(*[serve(buyer) for buyer in buyers])
    return tickets


async def zero_when_none_is_left(store, buyers):
    """there is no ticket 0: return `None` when none is left"""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left:
                await store.write(left - 1)
        if left:
            await buyer.pay()
        return left

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def tickets_sorted(store, buyers):
    """stands in its place. Return the tickets in the order of `buyers`"""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left:
                await store.write(left - 1)
        if left:
            await buyer.pay()
        return left

    tickets = await asyncio.gather(*[serve(buyer) for buyer in reversed(buyers)])
    return [ticket or None for ticket in sorted(tickets, reverse=True)]


async def leaves_out_who_gets_none(store, buyers):
    """Return a list with a ticket's number or `None` for each of 8 buyers"""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left:
                await store.write(left - 1)
        if left:
            await buyer.pay()
        return left

    tickets = await asyncio.gather(*[serve(buyer) for buyer in buyers])
    return [ticket for ticket in tickets if ticket]


async def five_at_a_time(store, buyers):
    """5 paid at once, where 8 have a ticket"""
    lock, places = asyncio.Lock(), asyncio.Semaphore(5)

    async def serve(buyer):
        async with places:
            async with lock:
                left = await store.read()
                if left == 0:
                    return None
                await store.write(left - 1)
            await buyer.pay()
            return left

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])


async def pays_twice(store, buyers):
    """got a ticket, and paid twice"""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
        await buyer.pay()
        return left

    tickets = await asyncio.gather(*[serve(buyer) for buyer in buyers])
    await asyncio.gather(*[buyer.pay() for buyer, ticket in zip(buyers, tickets) if ticket])
    return tickets


async def pays_beside_the_write(store, buyers):
    """tickets were taken from the store. Await the `write` before the buyer pays"""
    tickets = []
    async with asyncio.TaskGroup() as group:
        for buyer in buyers:
            left = await store.read()
            tickets.append(left or None)
            if left:
                group.create_task(buyer.pay())
                await store.write(left - 1)
    return tickets


async def tasks_of_nobody(store, buyers):
    """were still running. Await every task you start"""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
        await buyer.pay()
        return left

    tasks = [asyncio.create_task(serve(buyer)) for buyer in buyers]
    return [await task for task in tasks]


async def cancelled_and_returns(store, buyers):
    """caught its cancellation and returned as if done"""
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
        await buyer.pay()
        return left

    try:
        return await asyncio.gather(*[serve(buyer) for buyer in buyers])
    except asyncio.CancelledError:
        return [None] * len(buyers)


async def lock_in_a_function_of_its_own(store, buyers):
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


async def main_task_at_the_store(store, buyers):
    tickets = []
    async with asyncio.TaskGroup() as group:
        for buyer in buyers:
            left = await store.read()
            tickets.append(left or None)
            if left:
                await store.write(left - 1)
                group.create_task(buyer.pay())
    return tickets


async def counts_by_itself(store, buyers):
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


async def all_at_once_at_the_store(store, buyers):
    left = await store.read()
    tickets = [left - i if i < left else None for i in range(len(buyers))]
    await store.write(max(0, left - len(buyers)))
    await asyncio.gather(*[buyer.pay() for buyer, ticket in zip(buyers, tickets) if ticket])
    return tickets


async def semaphore_of_one(store, buyers):
    place = asyncio.Semaphore(1)

    async def serve(buyer):
        await place.acquire()
        try:
            left = await store.read()
            if left:
                await store.write(left - 1)
        finally:
            place.release()
        if not left:
            return None
        await buyer.pay()
        return left

    return await asyncio.gather(*map(serve, buyers))


async def puts_back_what_is_not_paid(store, buyers):
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
        try:
            await buyer.pay()
        except asyncio.CancelledError:
            async with lock:
                await store.write(await store.read() + 1)
            raise
        return left

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(serve(buyer)) for buyer in buyers]
    return [task.result() for task in tasks]


async def lets_them_pay_when_cancelled(store, buyers):
    lock = asyncio.Lock()

    async def serve(buyer):
        async with lock:
            left = await store.read()
            if left == 0:
                return None
            await store.write(left - 1)
        payment = asyncio.create_task(buyer.pay())
        try:
            await asyncio.shield(payment)
        finally:
            await payment
        return left

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(serve(buyer)) for buyer in buyers]
    return [task.result() for task in tasks]


async def clerk_with_a_queue(store, buyers):
    line, tickets = asyncio.Queue(), {}

    async def clerk():
        left = await store.read()
        while True:
            buyer, sold = await line.get()
            tickets[buyer] = left or None
            if left:
                left -= 1
                await store.write(left)
            sold.set()

    async def serve(buyer):
        sold = asyncio.Event()
        line.put_nowait((buyer, sold))
        await sold.wait()
        if tickets[buyer]:
            await buyer.pay()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(clerk())
        async with asyncio.TaskGroup() as served:
            for buyer in buyers:
                served.create_task(serve(buyer))
        task.cancel()
    return [tickets[buyer] for buyer in buyers]
