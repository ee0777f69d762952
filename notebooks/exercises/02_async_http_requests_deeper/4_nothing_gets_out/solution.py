"""Our way to do exercise 2.4."""

import aiohttp


async def fetch_or_explain(session, url, timeout):
    """Return the JSON at `url`, or {"error": why not}; `timeout` in seconds. Cancellation passes through."""
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(url, timeout=limit) as response:
            if response.status >= 400:
                return {"error": f"HTTP {response.status}"}
            return await response.json()
    except TimeoutError:
        return {"error": "Request timeout"}
    except (aiohttp.ClientError, ValueError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
