async def run_all(operations):
    runs = [run() for run in operations.values()]
    outcomes = await asyncio.gather(*runs, return_exceptions=True)
    results, errors = {}, {}
    for name, outcome in zip(operations, outcomes):
        if isinstance(outcome, Exception):
            errors[name] = outcome
        else:
            results[name] = outcome
    return results, errors
