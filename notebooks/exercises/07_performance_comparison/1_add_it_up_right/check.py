"""The check of exercise 7.1: many orders of few customers, prices of 0, and one that cannot be had."""

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    WAIT_ERRORS,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_no_error_lost,
    expect_nothing_left,
    expect_side_by_side,
    often,
    said,
)
from asynclab.checking.work import JobError

ERROR_MESSAGES = ASYNC_WITH_ERRORS | WAIT_ERRORS


async def check(add_up, world):
    """Each order counts once, all at once, and nothing is left, however it ends."""
    number = world.size(6, 0, 1, 2, 40)
    orders = [(world.pick("ada", "bob", "cem"), f"item {world.pick(1, 2, 3, 4)}") for _ in range(number)]
    items = sorted({item for _, item in orders})
    cents = {item: world.pick(0, *[world.rng.randint(1, 5_000)] * 3) for item in items}
    failing = {world.pick(*items): JobError("no such price")} if world.fails and items else {}
    price = world.work("price", items, results=cents, failing=failing)
    price.closing = world.pick(0.0, 0.05)
    world.facts += [count(number, "order"), *[f"{price.call(item)} fails" for item in failing]]
    given = list(orders)

    run = await world.watch(given, price.function, may_raise=JobError)
    expect_cancelled(run)
    if not run.cancelled and not failing:
        expect_all_awaited(run)
        calls, asked = len(price.calls), count(number, "order")
        expect(calls == number, f"`price` was called {often(calls)}, for {asked}. Ask once for each order.")
        if number > 1:
            expect_side_by_side(price, number)
        expect_no_error_lost(run)
        wanted: dict[str, int] = {}
        for customer, item in orders:
            wanted[customer] = wanted.get(customer, 0) + cents[item]
        expect_totals(run.value, wanted)
    for item in failing:
        expect(run.error, f"{price.call(item)} raised JobError, and you return {said(run.value)}. Let it get out.")
    expect_nothing_left(run)
    expect(given == orders, "Your function changed the list `orders`, which its caller may still need. Copy it first.")


def expect_totals(value, wanted):
    """Expect the total of each customer who has an order."""
    expect(isinstance(value, dict), f"Your function returned {said(value)}, not a dict of totals.")
    for customer, total in wanted.items():
        expect(customer in value, f"{customer!r} has an order, and is not in the dict. A total of 0 is one, too.")
        what = f"{customer!r} has to pay {total}, and the total says {said(value[customer])}."
        lost = type(value[customer]) is int and value[customer] < total
        expect(value[customer] == total, f"{what} {LOST if lost else 'Add each price once.'}")
    for customer in value:
        expect(customer in wanted, f"{said(customer)} has no order. Only customers who have one belong in the dict.")


LOST = "Others wrote to it between your reading and your writing. Wait for the price first, and then read the total."
