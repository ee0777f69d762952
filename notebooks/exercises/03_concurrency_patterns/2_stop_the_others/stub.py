async def load_page(parts):
    try:
        async with ... as group:
            tasks = [group.create_task(...) for part in parts]
        page = [task.result() for task in tasks]
    except* ...:
        page = ...
    return page
