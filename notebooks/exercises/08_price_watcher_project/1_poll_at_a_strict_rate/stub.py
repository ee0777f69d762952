async def poll(sources, fetch, report, rate, patience=1.0):
    while True:
        for source in sources:
            try:
                async with asyncio.timeout(patience):
                    price = await fetch(source)
                    await report(source, price)
            except Exception:
                pass
            await asyncio.sleep(1 / rate)
