"""What befalls a request: parameters of every path, latency and errors drawn with a seed, broken connections."""

from __future__ import annotations

import hashlib
import json
import math
import random
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from .other_sites import complaint
from .parameters import LONGEST, bad, number, option, seconds, whole
from .record import Record, Visit

VISIT = web.RequestKey("visit", Visit)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Return `data` as JSON."""
    # "replace": a client's headers may hold bytes that are no text.
    body = json.dumps(data, ensure_ascii=False).encode(errors="replace")
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")


def base(request: web.Request) -> str:
    """Return the URL of this server, as the client calls it."""
    # Not request.url: without a Host header it would look up the name of this machine, and block the loop.
    return f"http://{request.headers.get('Host', '127.0.0.1')}"


def watched(record: Record) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
    """Return the middleware that counts every request but `/stats`, and deals out its delay and its error.

    What a page of another site sends is refused, and not counted.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (refused := complaint(request)) is not None:
            status, sentence = refused
            return answer({"error": sentence}, status)
        if request.path == "/stats":
            return await _or_sentence(request, handler)
        client = record.client(option(request, "client") or "")
        visit = request[VISIT] = Visit(client, request.path, request.transport)
        try:
            try:
                error = choose_fate(request, visit)
            except web.HTTPException as refused:
                response = answer({"error": refused.text}, refused.status)
            else:
                response = answer({"error": error}, 500) if error else await _or_sentence(request, handler)
            if not response.prepared:
                await visit.wait()
            visit.end(response.status)
            return response
        except BaseException as error:
            # Cancelled, or unable to write: the client has gone. Anything else is a mistake of ours.
            visit.end(500 if isinstance(error, Exception) and not isinstance(error, OSError) else "abandoned")
            raise

    return middleware


async def _or_sentence(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let the handler answer; a refusal (400, 404, 405 …) becomes JSON with a sentence."""
    try:
        return await handler(request)
    except web.HTTPException as refused:
        text = refused.text
        if isinstance(refused, web.HTTPNotFound) and text == f"404: {refused.reason}":
            text = f"there is no {request.path} here: / lists what there is"
        if isinstance(refused, web.HTTPMethodNotAllowed):
            text = f"{request.path} takes {', '.join(sorted(refused.allowed_methods))}, not {request.method}"
        headers = {"Allow": refused.headers["Allow"]} if "Allow" in refused.headers else None
        return answer({"error": text}, refused.status, headers)


def choose_fate(request: web.Request, visit: Visit) -> str:
    """Decide the delay of this request, kept in `visit`, and return the reason for an error 500, or "".

    What is random depends on the seed, the path, the key and how often this client has asked for that path and key,
    not on the time: the same sequence of requests meets the same fate. Raises HTTPBadRequest.
    """
    key = option(request, "key") or ""
    turn = visit.client.asked[visit.path, key]
    visit.client.asked[visit.path, key] += 1
    delay = seconds("delay", option(request, "delay"))
    jitter = seconds("jitter", option(request, "jitter"))
    rate = number("error_rate", option(request, "error_rate"), 0.0, 0.0, 1.0)
    seed = whole("seed", option(request, "seed"), 0, -(2**63), 2**63)
    distribution, latency = option(request, "latency"), 0.0
    fails = False
    if jitter or rate or distribution is not None:
        fate = repr((seed, visit.path, key, turn)).encode()
        rng = random.Random(int.from_bytes(hashlib.blake2b(fate, digest_size=16).digest()))
        # In this order, whatever is asked for: an error rate leaves the latencies as they were without it.
        fails = rng.random() < rate
        jitter *= rng.random()
        if distribution is not None:
            latency = _latency(distribution, rng)
    visit.pause = min(delay + jitter + latency, 3 * LONGEST)
    return f"an error drawn by error_rate={rate:g}, seed {seed}" if fails else ""


def _latency(text: str, rng: random.Random) -> float:
    name, _, rest = text.partition(":")
    values = rest.split(",")
    if name == "exponential" and len(values) == 1:
        mean = seconds("the mean of latency", values[0])
        return min(-mean * math.log(1 - rng.random()), LONGEST)
    if name == "uniform" and len(values) == 2:
        low, high = (seconds("a bound of latency", value) for value in values)
        return low + (high - low) * rng.random()
    if name == "lognormal" and len(values) == 2:
        median = seconds("the median of latency", values[0])
        sigma = number("the sigma of latency", values[1], 0.0, 0.0, 10.0)
        return min(median * math.exp(sigma * rng.gauss()), LONGEST)
    raise bad(
        f"latency must be lognormal:MEDIAN,SIGMA or exponential:MEAN or uniform:A,B, in seconds, not {text!r:.60}"
    )


def reset(request: web.Request) -> None:
    """Close the connection with RST: what the client has not read yet is lost to it."""
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    request.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    request.transport.abort()
