"""The check of exercise 7.1: many orders of few customers, prices of 0, and one that cannot be had."""

from asynclab.checking.expect import (
    ASYNC_WITH_ERRORS,
    WAIT_ERRORS,
    count,
    expect,
    expect_all_awaited,
    expect_cancelled,
    expect_done_in,
    expect_no_error_lost,
    expect_nothing_left,
    expect_side_by_side,
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
    expect_cancelled(run, price)
    if not run.cancelled and not failing:
        expect_all_awaited(run)
        calls, asked = count(len(price.calls), "call"), count(number, "order")
        expect(len(price.calls) == number, f"{asked}, and {calls} of `price`. Ask once for each order.")
        if number > 1:
            expect_side_by_side(price, number)
        expect_nothing_left(run)
        wanted: dict[str, int] = {}
        for customer, item in orders:
            wanted[customer] = wanted.get(customer, 0) + cents[item]
        expect_totals(run.value, wanted)
        expect_no_error_lost(run)
        expect_done_in(run, max((price.seconds[item] for item in items), default=0.0))
    for item in failing:
        expect(run.error, f"{price.call(item)} raised JobError, and you return {said(run.value)}. Let it get out.")
    expect_nothing_left(run)
    expect(given == orders, "Your function changed the list `orders`, which its caller may still need. Copy it first.")


def expect_totals(value, wanted):
    """Expect the total of each customer who has an order."""
    expect(isinstance(value, dict), f"Your function returned {said(value)}, not a dict of totals.")
    for customer, total in wanted.items():
        expect(customer in value, f"{customer!r} has an order, and is not in the dict. A total of 0 is one, too.")
        got = value[customer]
        is_less = type(got) is int and got < total
        why = MIXED if same_sum(value, wanted) else LOST if is_less else "Add each price once, in cents, as it is."
        expect(got == total, f"{customer!r} has to pay {total}, and the total says {said(got)}. {why}")
    for customer in value:
        expect(customer in wanted, f"{said(customer)} has no order. Only customers who have one belong in the dict.")


def same_sum(value, wanted):
    """Return whether no price is lost, though one may stand in the wrong total."""
    return all(type(each) is int for each in value.values()) and sum(value.values()) == sum(wanted.values())


LOST = "Was it written over meanwhile? Wait for the price first. Then read the total, add to it, write it, in one go."
MIXED = "No price is lost, and one went to another customer. Keep each price with its order, whichever comes first."
