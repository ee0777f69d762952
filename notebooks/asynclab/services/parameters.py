"""The parameters of a request, from its query or its headers; one that makes no sense is refused with a sentence."""

from __future__ import annotations

import math

from aiohttp import web

LONGEST = 60.0  # seconds that a request can be delayed


def bad(message: str) -> web.HTTPBadRequest:
    """Return the error to raise for a parameter that makes no sense."""
    return web.HTTPBadRequest(text=message)


def number(name: str, text: str | None, default: float, least: float, most: float, what: str = "a number") -> float:
    """Return `text` as a number, or `default` if there is none. Raises HTTPBadRequest outside `least` to `most`."""
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise bad(f"{name} must be {what} from {least:,.10g} to {most:,.10g}, not {text!r:.60}")
    return value


def seconds(name: str, text: str | None, default: float = 0.0, least: float = 0.0, most: float = LONGEST) -> float:
    """Return `text` as a time in seconds, as `number` does."""
    return number(name, text, default, least, most, "a number of seconds")


def whole(name: str, text: str | None, default: int, least: int, most: int) -> int:
    """Return `text` as a whole number, as `number` does."""
    value = default
    if text is not None:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise bad(f"{name} must be a whole number from {least:,} to {most:,}, not {text!r:.60}")
    return value


def option(request: web.Request, name: str) -> str | None:
    """Return a parameter of every path: from the query, else from a header such as `X-Error-Rate`."""
    text = request.query.get(name)
    return request.headers.get(f"X-{name.replace('_', '-')}") if text is None else text
