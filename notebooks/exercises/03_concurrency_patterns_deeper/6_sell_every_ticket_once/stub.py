async def sell(store, buyers):
    async def serve(buyer):
        left = await store.read()
        if left == 0:
            return None
        await buyer.pay()
        await store.write(left - 1)
        return left

    return await asyncio.gather(*[serve(buyer) for buyer in buyers])
