async def breakfast(prepare):
    async with asyncio.TaskGroup() as group:
        toast = group.create_task(..., name="toast")
        tea = group.create_task(..., name="tea")
    return [toast.result(), tea.result()]
