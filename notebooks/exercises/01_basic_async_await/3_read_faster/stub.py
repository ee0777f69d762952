async def read_all(read, pages):
    texts = []
    for page in pages:
        text = await read(page)
        texts.append(text)
    return texts
