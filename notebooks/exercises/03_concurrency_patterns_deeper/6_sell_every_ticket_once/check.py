"""The check of exercise 3.6: more and fewer buyers than tickets, who pay slowly or fast; and a sale is cancelled."""

import asyncio
from collections import Counter

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    NotYet,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_nothing_left,
    often,
    said,
)
from asynclab.checking.work import Work, uses

ERROR_MESSAGES = ASYNC_WITH_ERRORS | {
    "TypeError: .*'coroutine' and 'int'": (
        "`store.read()` gives a coroutine, because reading takes a while. Write `await` before it."
    ),
    "RuntimeError: Lock is not acquired": (
        "You release a lock that is not held. `async with lock:` takes it and gives it back, once."
    ),
}


class Store:
    """Holds the number of tickets left, which takes a while to read and to write."""

    def __init__(self, world, left):
        self._left, self._world, self.visits, self.read_in = left, world, Work("store", {}), {}

    async def read(self):
        """Return the number of tickets that are left."""
        with self.visits.noted("read") as call:
            await asyncio.sleep(self._world.delay(0.001, 0.01))
            self.read_in.setdefault(call.task, []).append(self._left)
            return self._left

    async def write(self, left):
        """Set the number of tickets that are left."""
        with self.visits.noted("write"):
            await asyncio.sleep(self._world.delay(0.001, 0.01))
            self._left = left


class Buyer:
    """Pays, which takes a while."""

    def __init__(self, number, payments):
        self._number, self._payments = number, payments

    async def pay(self):
        """Pay for a ticket."""
        await self._payments.function(self._number)

    def __repr__(self):
        return f"<buyer {self._number}>"


async def check(sell, world):
    """Every ticket once, to buyers that pay side by side; and none paid for that is still in the store."""
    tickets, count = world.size(5, 0, 1, 9, 60), world.size(8, 0, 1, 3, 40)
    slow = world.number % 2 == 0  # paying takes longer than all that is to be done at the store
    world.facts += [f"{tickets} tickets", f"{count} buyers", "who pay slowly" if slow else "who pay fast"]
    seconds = {i: world.rng.uniform(5, 10) if slow else world.delay(0.0005, 0.03) for i in range(1, count + 1)}
    store, payments, locks = Store(world, tickets), Work("buyer", seconds), uses(asyncio.Lock)
    run = await world.watch(store, [Buyer(i, payments) for i in seconds])
    expect_cancelled(run)
    expect_all_awaited(run)
    paid = Counter(call.item for call in payments.calls if call.outcome == "done")
    if run.cancelled:
        expect_one_buyer_at_the_store(store.visits)
        taken = tickets - store._left
        much = f"When `sell` was cancelled, {paid.total()} had paid, and {taken} tickets were taken from the store"
        expect(paid.total() <= taken, f"{much}. Await the `write` before the buyer pays.")
    else:
        sold = expect_tickets(run.value, tickets, count, locks)
        expect_one_buyer_at_the_store(store.visits)
        expect_paid(run.value, paid)
        if slow and payments.most < len(sold):
            few = f"At most {payments.most} paid at once, where {len(sold)} have a ticket"
            one = "The buyers pay one after another" if payments.most == 1 else few
            why = "Serve all side by side, with `gather` or a `TaskGroup`."
            if locks.taken and payments.most == 1:
                why = "Each holds the lock while it pays. Leave its block before you await `buyer.pay()`."
            raise NotYet(f"{one}. {why}")
        wanted = list(range(tickets, max(0, tickets - count), -1))
        much = f"{len(sold)} tickets were sold, where there are {tickets}, and {count} buyers"
        expect(len(sold) == len(wanted), f"{much}. Look at `left` first.")
        wrong = f"The tickets sold are {said(sold)}, not {said(wanted)}"
        expect(sold == wanted, f"{wrong}. A ticket's number is what `read` gave.")
        left = f"At the end the store says that {store._left} tickets are left, not {tickets - len(wanted)}"
        expect(store._left == tickets - len(wanted), f"{left}. Write `left - 1` for each.")
        expect_order(run.value, payments, store)
    expect_nothing_left(run)


def expect_tickets(value, tickets, count, locks):
    """Expect a ticket or None for each buyer, and none twice; return the tickets, the highest first."""
    if not isinstance(value, list | tuple) or len(value) != count:
        raise NotYet(
            f"You return {said(value)}. Return a list with a ticket's number or `None` for each of {count} buyers."
        )
    if strange := [each for each in value if each is not None and type(each) is not int]:
        raise NotYet(f"A buyer's ticket is {said(strange[0])}. Give its number, or `None`.")
    times = Counter(ticket for ticket in value if ticket is not None)
    zero = "A buyer got ticket 0, and there is no ticket 0: return `None` when none is left."
    expect(not times or (min(times), max(times)) != (0, tickets), zero)
    ticket, most = times.most_common(1)[0] if times else (0, 1)
    if locks.made > 1:
        why = f"You make {locks.made} locks, one for each buyer, and each lets its buyer in. Make one, for all of them."
    elif locks.made and not locks.taken:
        why = "Your lock is never acquired: write `async with` and its name around `read` and `write`."
    elif locks.made:
        why = "Your lock does not hold from `read` to `write`. Put both into one `async with` block."
    else:
        why = "While one waits between `read` and `write`, others read the same number. Put both under one lock."
    expect(most == 1, f"Ticket {ticket} was sold {often(most)}. {why}")
    return sorted(times, reverse=True)


def expect_one_buyer_at_the_store(visits):
    """Expect that no two were ever at the store at once, nor anybody between the `read` and `write` of another."""
    if visits.most > 1:
        raise NotYet(
            "Two buyers were at the store at once. Let each `read` and its `write` be one thing, during which no other "
            "buyer reads or writes: under one lock."
        )
    read_at = {}
    for i, call in enumerate(visits.calls):
        if call.item == "read":
            read_at[call.task] = i
        elif any(other.task != call.task for other in visits.calls[read_at.get(call.task, i) : i]):
            raise NotYet(
                "Between a buyer's `read` and `write`, another was at the store. Hold one lock from the `read` to the "
                "`write`."
            )


def expect_paid(value, paid):
    """Expect that whoever has a ticket paid once, and nobody else."""
    for number, ticket in enumerate(value, start=1):
        if (ticket is not None) == paid[number]:
            continue
        if set(paid.values()) == {1} and len(paid) == sum(each is not None for each in value):
            raise NotYet(f"Buyer {number} {'paid' if paid[number] else 'did not pay'}, {in_its_place(ticket)}")
        if ticket is None:
            raise NotYet(f"Buyer {number} paid, and got no ticket. Take the ticket first, and let only its buyer pay.")
        what = f"paid {often(paid[number])}" if paid[number] else "did not pay"
        raise NotYet(f"Buyer {number} got a ticket, and {what}. Await `buyer.pay()` once for each ticket.")


def expect_order(value, payments, store):
    """Expect that each ticket is that of its buyer, where a task read once, and then let a single buyer pay."""
    tasks = Counter(call.task for call in payments.calls)
    for call in payments.calls:
        ticket, read = value[call.item - 1], store.read_in.get(call.task, [])
        if tasks[call.task] == len(read) == 1 and ticket != read[0]:
            raise NotYet(f"Buyer {call.item} paid for ticket {read[0]}, {in_its_place(ticket)}")


def in_its_place(ticket):
    """Return what to say of a ticket that is in the place of another."""
    return (
        f"and {said(ticket)} stands in its place. Return the tickets in the order of `buyers`, whoever is ready first: "
        "`gather` keeps it."
    )
