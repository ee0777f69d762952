async def crawl(start, links_of, limit):
    to_read, read, failed = [start], set(), set()
    while to_read:
        page = to_read.pop()
        to_read += await links_of(page)
        read.add(page)
    return read, failed
