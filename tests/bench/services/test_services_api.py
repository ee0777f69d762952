"""The HTTP API: each path does what it says, faults are as ordered, and the witness counts exactly."""

import asyncio
import csv
import email.utils
import hashlib
import http.client
import json
import random
import re
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import aiohttp
import psutil
import pytest

from asynclab.services import middleware
from servers import ask, everything, raw, servers, stats, wait_until

DATA = Path(__file__).parents[3] / "data"
MIB = 2**20


@pytest.fixture(scope="module")
def web():
    with servers() as web:
        yield web


@pytest.fixture
def me(request):
    """A name for the client that no other test has."""
    return re.sub(r"\W+", "-", request.node.name)


def seconds_for(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began


def at_once(web, urls, limit=0, **options):
    """The status of each of `urls`, asked for all at once."""

    async def one(session, url):
        async with session.get(url) as response:
            await response.read()
            return response.status

    async def main():
        async with aiohttp.ClientSession(web.api, connector=aiohttp.TCPConnector(limit=limit), **options) as session:
            return await asyncio.gather(*(one(session, url) for url in urls))

    return asyncio.run(main())


# What is asked for is what comes.


def test_the_first_page_lists_every_path(web):
    page = ask(f"{web.api}/").json
    assert {"/get", "/bytes/{n}", "/limited", "/ws/chat", "/users/{id}/orders", "/stats"} <= set(page["paths"])
    assert all(line.endswith(".") and "\n" not in line for line in page["paths"].values())
    assert {"client", "delay", "jitter", "latency", "error_rate", "seed", "key"} == set(
        page["parameters of every path"]
    )


def test_get_says_what_was_asked(web):
    reply = ask(web.url("/get", a="ä b", client="me"), headers={"X-Mine": "yes"})
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert reply.json["args"] == {"a": "ä b", "client": "me"}
    assert (reply.json["method"], reply.json["client"]) == ("GET", "me")
    assert reply.json["headers"]["X-Mine"] == "yes"
    assert reply.json["url"] == web.url("/get", a="ä b", client="me")
    assert ask(f"{web.api}/get?a=1&a=2").json["args"] == {"a": ["1", "2"]}
    assert ask(f"{web.api}/get", headers={"X-Client": "other"}).json["client"] == "other"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_anything_takes_any_method_and_data(web, method):
    reply = ask(f"{web.api}/anything", method, json.dumps({"é": 1}).encode()).json
    assert (reply["method"], reply["json"], reply["data"]) == (method, {"é": 1}, '{"\\u00e9": 1}')


def test_anything_that_is_no_text_and_a_header_that_is_none_are_no_error(web):
    reply = ask(f"{web.api}/anything", "POST", b"\xff\x00", {"X-Odd": b"\xff\xfe"})
    assert (reply.status, reply.json["data"], reply.json["json"]) == (200, "\ufffd\x00", None)
    assert ask(f"{web.api}/anything", "POST", bytes(17 * MIB)).status == 413


def test_without_a_host_it_answers_at_once(web):
    parts = urlsplit(web.api)
    with socket.create_connection((parts.hostname, parts.port), 5) as sock:
        sock.sendall(b"GET /get HTTP/1.0\r\n\r\n")
        assert b'"url": "http://127.0.0.1/get"' in everything(sock)


def test_every_status(web):
    connection = http.client.HTTPConnection(urlsplit(web.api).netloc, timeout=20)
    for code in range(200, 600):
        reply = ask(f"{web.api}/status/{code}", connection=connection)
        assert (reply.status, reply.body and reply.json) == (
            code,
            b"" if code in (204, 205, 304) else {"status": code},
        )
    connection.close()


@pytest.mark.parametrize("size", [0, 1, 3, 65_536, 65_537, MIB + 7])
def test_bytes_are_exact_and_seeded(web, size):
    reply = ask(f"{web.api}/bytes/{size}?seed=3")
    assert reply.headers["Content-Length"] == str(size)
    assert reply.body == random.Random(3).randbytes(size)


def test_a_hundred_mebibytes_are_not_held_in_memory(web):
    server = psutil.Process(web.pid)
    before, most, received = server.memory_info().rss, 0, 0
    connection = http.client.HTTPConnection(urlsplit(web.api).netloc, timeout=20)
    connection.request("GET", f"/bytes/{100 * MIB}")
    response = connection.getresponse()
    while chunk := response.read(4 * MIB):
        received += len(chunk)
        most = max(most, server.memory_info().rss)
    connection.close()
    assert received == 100 * MIB
    assert most - before < 30 * MIB


def test_the_head_of_a_large_body_comes_without_it(web):
    reply = ask(f"{web.api}/bytes/{2**34}", "HEAD")
    assert (reply.status, reply.headers["Content-Length"], reply.body) == (200, str(2**34), b"")
    for path in ("/get", "/stream/5", "/drip", "/slow-body?duration=30", "/users"):
        assert ask(web.api + path, "HEAD").body == b""


def test_stream_is_lines_of_json(web):
    lines = ask(f"{web.api}/stream/250").body.splitlines()
    assert [json.loads(line)["id"] for line in lines] == list(range(250))
    assert ask(f"{web.api}/stream/0").body == b""
    assert seconds_for(lambda: ask(f"{web.api}/stream/3?interval=0.1")) >= 0.2


def test_drip_takes_its_time_and_comes_in_pieces(web):
    def pieces():
        began, count, body = time.monotonic(), 0, b""
        with raw(f"{web.api}/drip?numbytes=5&duration=0.4") as sock:
            while len(body) < 5:
                received = sock.recv(1000)
                body += received.partition(b"\r\n\r\n")[2] if b"\r\n\r\n" in received else received
                count += 1
        assert body == b"*****"
        assert time.monotonic() - began >= 0.39
        return count

    assert any(pieces() >= 3 for _ in range(20)), "a busy machine receives several as one, but not always"
    assert len(ask(f"{web.api}/drip?numbytes=1234567&duration=0.1").body) == 1_234_567
    assert ask(f"{web.api}/drip?numbytes=0").body == b""


def test_a_delay_comes_before_the_head_and_a_slow_body_after_it(web):
    def times(path):
        began = time.monotonic()
        with raw(web.api + path) as sock:
            head = sock.recv(1)
            first = time.monotonic() - began
            while not head.endswith(b"}"):
                head += sock.recv(1000)
            return first, time.monotonic() - began

    assert times("/delay/0.3")[0] >= 0.3
    assert times("/get?delay=0.3")[0] >= 0.3
    first, whole = times("/slow-body?duration=1")
    assert first < 0.8 and whole >= 1
    first, whole = times("/slow-body?duration=0.3&delay=0.2")
    assert first >= 0.2 and whole >= 0.5
    assert ask(f"{web.api}/delay/0.1?delay=0.1").json["delay"] == 0.1


def test_redirects_lead_to_get_and_keep_the_query(web, me):
    async def follow(path, **options):
        async with aiohttp.ClientSession(web.api) as session, session.get(path, **options) as response:
            return len(response.history), await response.json()

    hops, page = asyncio.run(follow(f"/redirect/3?client={me}&a=1"))
    assert (hops, page["args"]) == (3, {"client": me, "a": "1"})
    assert asyncio.run(follow("/redirect/0"))[0] == 1
    with pytest.raises(aiohttp.TooManyRedirects):
        asyncio.run(follow(f"/redirect-loop?client={me}"))
    assert stats(web, me)["by_path"]["/redirect-loop"] == 10
    assert ask(f"{web.api}/redirect/2").headers["Location"] == "/redirect/1"


def test_uploads_raw_and_multipart_are_digested(web):
    data = random.Random(1).randbytes(300_000)
    one = {"size": 300_000, "sha256": hashlib.sha256(data).hexdigest(), "filename": None}
    assert ask(f"{web.api}/upload", "POST", data).json == {**one, "files": [one]}
    assert ask(f"{web.api}/upload?filename=a.bin", "PUT", data).json["filename"] == "a.bin"
    assert ask(f"{web.api}/upload", "POST").json["size"] == 0

    async def send(*files):
        form = aiohttp.FormData({"note": "a field that is no file"})
        for name, content in files:
            form.add_field("file", content, filename=name)
        async with aiohttp.ClientSession(web.api) as session, session.post("/upload", data=form) as response:
            return response.status, await response.json()

    status, reply = asyncio.run(send(("größe.bin", data), ("b.txt", b"two")))
    assert status == 200
    assert [(each["filename"], each["size"]) for each in reply["files"]] == [("größe.bin", 300_000), ("b.txt", 3)]
    assert (reply["filename"], reply["sha256"]) == ("größe.bin", one["sha256"])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"nonsense", "cannot be read"),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n', "no file"),
        (b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y\r\n\r\n1\r\n--y--\r\n--x--\r\n", "no file"),
        (b'--x\r\nContent-Disposition: form-data; filename="a"\r\n\r\nnever ends', ""),
    ],
)
def test_a_form_without_a_file_is_refused(web, body, sentence):
    reply = ask(f"{web.api}/upload", "POST", body, {"Content-Type": "multipart/form-data; boundary=x"})
    assert reply.status == 400 and sentence in reply.json["error"], reply


@pytest.mark.parametrize("form", [False, True])
def test_a_large_upload_is_not_held_in_memory(web, form):
    async def chunks():
        for _ in range(64):
            yield bytes(MIB)

    async def send():
        data = chunks()
        if form:
            data = aiohttp.FormData()
            data.add_field("file", chunks(), filename="zeros", content_type="application/octet-stream")
        async with aiohttp.ClientSession(web.api) as session, session.post("/upload", data=data) as response:
            return await response.json()

    server = psutil.Process(web.pid)
    before = server.memory_info().rss
    reply = asyncio.run(send())
    assert reply["size"] == 64 * MIB
    assert server.memory_info().rss - before < 30 * MIB


def test_pages_in_several_character_sets(web):
    page = ask(f"{web.api}/latin1")
    assert page.headers.get_content_charset() == "iso-8859-1"
    assert "<title>Déjà vu à la crèche</title>" in page.text
    wrong = ask(f"{web.api}/wrong-charset")
    assert wrong.headers.get_content_charset() == "utf-8" and wrong.body == page.body
    with pytest.raises(UnicodeDecodeError):
        wrong.text  # noqa: B018
    assert ask(f"{web.api}/unicode").json["greetings"]["ja"] == "こんにちは"


def test_people_are_those_of_the_tables(web):
    users = ask(f"{web.api}/users").json
    with (DATA / "people.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert users == [{**row, "user_id": int(row["user_id"])} for row in rows]
    assert [user["user_id"] for user in users] == list(range(101, 201))
    assert len({user["email"] for user in users}) == 100
    assert all(user["email"].isascii() and user["email"].endswith("@example.org") for user in users)
    assert sum(not user["name"].isascii() for user in users) > 50
    assert [user["user_id"] for user in ask(f"{web.api}/users?limit=3&offset=10").json] == [111, 112, 113]

    total, counts = 0, Counter()
    for user in users:
        path = f"{web.api}/users/{user['user_id']}"
        assert ask(path).json == user
        orders = ask(f"{path}/orders").json
        assert [order["order_id"] for order in orders] == [
            f"ORD-{user['user_id']}-{n:03}" for n in range(1, len(orders) + 1)
        ]
        for order in orders:
            assert set(order) == {"order_id", "user_id", "amount", "item", "date"}
            assert order["user_id"] == user["user_id"] and order["amount"] > 0 and order["date"] > user["joined"]
        assert [order["date"] for order in orders] == sorted(order["date"] for order in orders)
        preferences = ask(f"{path}/preferences").json
        assert set(preferences) == {"theme", "notifications", "language"}
        assert isinstance(preferences["notifications"], bool)
        total, counts = total + len(orders), counts + Counter([len(orders)])
    assert set(counts) == set(range(8)) and total == sum(n * many for n, many in counts.items())
    for path in ("/users/100", "/users/x", "/users/100/orders", "/users/201/preferences"):
        reply = ask(web.api + path)
        assert reply.status == 404 and "101 to 200" in reply.json["error"]


def test_prices_rise_and_fall_from_turn_to_turn_of_each_client(web, me):
    def quotes(item, client, count):
        replies = [ask(web.url(f"/prices/{item}", client=client)).json for _ in range(count)]
        assert all(set(reply) == {"item", "price"} and reply["item"] == item for reply in replies)
        return [reply["price"] for reply in replies]

    tea = quotes("tea", f"{me} 1", 20)
    assert quotes("tea", f"{me} 2", 8) + quotes("tea", f"{me} 2", 12) == tea
    assert quotes("milk", f"{me} 1", 20) != tea
    assert all(80 <= price <= 120 for price in tea) and min(tea) < 85 and max(tea) > 115
    falls = [turn for turn, (old, new) in enumerate(pairwise(tea)) if new < 90 <= old]
    assert len(falls) == 3, "in twenty turns, an alarm at 90 is heard three times"


def test_the_tables_are_what_the_script_writes(tmp_path):
    subprocess.run([sys.executable, DATA / "make_people.py", tmp_path], check=True, timeout=60)
    for name in ("people.csv", "orders.csv", "preferences.csv"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes(), "run data/make_people.py"


# What makes no sense is refused in one sentence.


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/get?delay=x", "delay must be a number of seconds from 0 to 60, not 'x'"),
        ("/get?delay=-1", "delay must be"),
        ("/get?delay=nan", "delay must be"),
        ("/get?delay=inf", "delay must be"),
        ("/get?delay=61", "delay must be"),
        ("/get?delay=", "delay must be"),
        ("/get?jitter=a", "jitter must be"),
        ("/get?error_rate=1.1", "error_rate must be a number from 0 to 1, not '1.1'"),
        ("/get?seed=1.5", "seed must be a whole number"),
        ("/get?latency=normal:1,2", "latency must be lognormal:MEDIAN,SIGMA or"),
        ("/get?latency=uniform:1", "latency must be"),
        ("/get?latency=uniform:1,x", "a bound of latency must be"),
        ("/get?latency=exponential:-1", "the mean of latency must be"),
        ("/get?latency=lognormal:0.1,99", "the sigma of latency must be"),
        ("/get?latency=", "latency must be"),
        ("/delay/abc", "delay must be"),
        ("/delay/61", "delay must be"),
        ("/status/99", "status must be a whole number from 200 to 599, not '99'"),
        ("/status/600", "status must be"),
        ("/status/2e2", "status must be"),
        ("/bytes/-1", "n must be"),
        ("/bytes/1.5", "n must be"),
        ("/drip?numbytes=x", "numbytes must be"),
        ("/drip?duration=x", "duration must be"),
        ("/stream/many", "n must be"),
        ("/stream/1?interval=x", "interval must be"),
        ("/slow-body?duration=99", "duration must be"),
        ("/redirect/-1", "n must be"),
        ("/flaky?fail=-1", "fail must be"),
        ("/retry-after?seconds=x", "seconds must be"),
        ("/retry-after?form=year", "form must be seconds or date, not 'year'"),
        ("/scripted?status=x,200", "status must be"),
        ("/scripted?encoding=x", "encoding must be utf-8 or latin-1, not 'x'"),
        ("/scripted?retry_after=x", "retry_after must be"),
        ("/limited?rate=0", "rate must be a whole number from 1"),
        ("/limited?per=0", "per must be"),
        ("/users?limit=x", "limit must be"),
        ("/stats?reset=yes", "reset must be"),
        ("/ws/echo", "ws://"),
        ("/ws/chat", "name must not be empty"),
    ],
)
def test_bad_parameters_give_400_with_a_sentence(web, path, sentence):
    reply = ask(web.api + path)
    assert (reply.status, list(reply.json)) == (400, ["error"])
    assert sentence in reply.json["error"] and "\n" not in reply.json["error"]


def test_unknown_paths_and_methods_are_refused(web):
    reply = ask(f"{web.api}/nowhere")
    assert (reply.status, reply.json) == (404, {"error": "there is no /nowhere here: / lists what there is"})
    reply = ask(f"{web.api}/upload")
    assert (reply.status, reply.json) == (405, {"error": "/upload takes POST, PUT, not GET"})
    assert reply.headers["Allow"] == "POST,PUT"


# Faults come as ordered.


def test_reset_breaks_off_in_the_middle(web):
    with raw(f"{web.api}/reset") as sock:
        received = b""
        with pytest.raises(ConnectionResetError):
            while chunk := sock.recv(65536):
                received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"200 OK" in head and b"Content-Length: 2000" in head and len(body) == 1000
    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)):
        at_once(web, ["/reset"])


def test_drop_closes_before_any_answer(web):
    with raw(f"{web.api}/drop") as sock:
        assert everything(sock) == b""
    with pytest.raises(aiohttp.ServerDisconnectedError):
        at_once(web, ["/drop"])


def test_never_never_answers_and_ends_with_its_client(web, me):
    with raw(f"{web.api}/never?client={me}") as sock:
        sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            sock.recv(1)
        assert stats(web, me)["open_connections"] == 1
    wait_until(lambda: stats(web, me)["statuses"] == {"abandoned": 1})
    assert stats(web, me)["open_connections"] == 0


def test_malformed_is_json_by_name_alone(web):
    reply = ask(f"{web.api}/malformed")
    assert (reply.status, reply.headers.get_content_type()) == (200, "application/json")
    with pytest.raises(json.JSONDecodeError):
        reply.json  # noqa: B018


def test_flaky_fails_the_first_times_per_client_and_key(web, me):
    def statuses(n, **query):
        return [ask(web.url("/flaky", client=me, **query)).status for _ in range(n)]

    assert statuses(4) == [503, 503, 200, 200]
    assert statuses(3, key="x", fail=1) == [503, 200, 200]
    assert statuses(1, key="y", fail=0) == [200]
    assert ask(web.url("/flaky", client=f"{me} 2")).status == 503, "another client begins at the beginning"
    assert ask(web.url("/flaky", client=me)).json == {"attempts": 5}
    stats(web, me, reset=True)
    assert statuses(1) == [503]


def test_what_is_answered_can_be_scripted(web, me):
    url = web.url("/scripted", client=me, status="429,503,200", text='"é"', encoding="latin-1", retry_after=0.15)
    replies = [ask(url) for _ in range(4)]
    assert [reply.status for reply in replies] == [429, 503, 200, 200]
    assert {reply.headers["Retry-After"] for reply in replies} == {"0.15"}
    assert {reply.body for reply in replies} == {b'"\xe9"'}
    page = ask(web.url("/scripted", client=me, key="page", text="<p>", type="text/html"))
    assert (page.body, page.headers.get_content_type()) == (b"<p>", "text/html")
    assert ask(web.url("/scripted", client=me, key="none")).json is None
    with raw(f"{web.api}/scripted?status=reset") as sock, pytest.raises(ConnectionResetError):
        everything(sock)


def test_retry_after_is_answered_once_the_time_has_passed(web, me):
    url = web.url("/retry-after", client=me, seconds=0.8)
    first = ask(url)
    assert (first.status, first.headers["Retry-After"]) == (429, "0.8")
    again = ask(url)
    assert again.status == 429 and 0 < float(again.headers["Retry-After"]) <= 0.8
    time.sleep(float(again.headers["Retry-After"]))
    assert ask(url).status == 200
    assert stats(web, me)["violations"] == 1, "it asked once before its time"
    dated = ask(web.url("/retry-after", client=me, key="date", seconds=1.5, form="date"))
    wait = email.utils.parsedate_to_datetime(dated.headers["Retry-After"]).timestamp() - time.time()
    assert dated.status == 429 and 1 < wait <= 2.6


def test_the_limit_is_exact(web, me):
    path = f"/limited?rate=5&per=60&client={me}"
    assert Counter(at_once(web, [path] * 12)) == {200: 5, 429: 7}
    assert stats(web, me)["violations"] == 7
    refused = ask(web.api + path)
    assert refused.status == 429 and 0 < float(refused.headers["Retry-After"]) <= 60
    assert ask(f"{web.api}{path}&key=other").json["admitted"] == 1
    assert ask(f"{web.api}{path}-other").json["admitted"] == 1, "another client's limit is its own"


def test_over_the_limit_retry_after_is_when_there_is_room(web, me):
    url = web.url("/limited", client=me, rate=1, per=1)
    assert ask(url).status == 200
    refused = ask(url)
    assert refused.status == 429
    time.sleep(float(refused.headers["Retry-After"]))
    assert ask(url).status == 200


def test_the_limit_holds_in_any_window(web, me):
    connection = http.client.HTTPConnection(urlsplit(web.api).netloc, timeout=20)
    admitted, began = [], time.monotonic()
    while time.monotonic() - began < 1.2:
        asked = time.monotonic()
        if ask(web.url("/limited", client=me, rate=4, per=0.3), connection=connection).status == 200:
            admitted.append((asked, time.monotonic()))
    connection.close()
    # The server decided between the two times: the window is as short as that allows.
    for (asked, _), (_, answered) in zip(admitted, admitted[4:], strict=False):
        assert answered - asked >= 0.3
    assert 12 <= len(admitted) <= 20


def test_seeded_fates_repeat(web, me):
    def fates(client, seed, **more):
        return [ask(web.url("/get", client=client, error_rate=0.4, seed=seed, **more)).status for _ in range(40)]

    first = fates(f"{me} 1", 5)
    assert fates(f"{me} 2", 5) == first
    assert fates(f"{me} 2", 5) != first, "the next forty requests have fates of their own"
    assert fates(f"{me} 3", 6) != first
    assert fates(f"{me} 4", 5, jitter=0.001) == first, "what is random in time does not change what fails"
    assert 5 < first.count(500) < 30 and set(first) == {200, 500}
    stats(web, f"{me} 1", reset=True)
    assert fates(f"{me} 1", 5) == first, "a new record begins at the beginning"


def test_fates_by_key_do_not_depend_on_the_order(web, me):
    def by_key(order, client):
        urls = [f"/get?{urlencode({'client': client, 'error_rate': 0.5, 'key': key})}" for key in order]
        return dict(zip(order, at_once(web, urls), strict=True))

    keys = [str(n) for n in range(60)]
    assert by_key(keys, f"{me} 1") == by_key(keys[::-1], f"{me} 2")


def test_an_error_rate_of_one_always_fails_and_of_zero_never(web):
    assert {ask(web.url("/get", error_rate=1)).status for _ in range(10)} == {500}
    assert {ask(web.url("/get", error_rate=0)).status for _ in range(10)} == {200}
    assert "error_rate=1" in ask(web.url("/users", error_rate=1)).json["error"]


def test_latencies_are_distributed_as_asked():
    rng = random.Random(0)
    for text, middle in [("lognormal:0.2,0.5", 0.2), ("exponential:0.2", 0.2 * 0.693), ("uniform:0.1,0.5", 0.3)]:
        drawn = [middleware._latency(text, rng) for _ in range(4000)]
        assert statistics.median(drawn) == pytest.approx(middle, rel=0.1), text
        assert min(drawn) >= 0
    assert max(middleware._latency("lognormal:60,10", rng) for _ in range(100)) <= middleware.LONGEST


def test_latency_delays_and_can_be_asked_for_in_headers(web):
    assert seconds_for(lambda: ask(web.url("/get", latency="uniform:0.2,0.2"))) >= 0.2
    assert seconds_for(lambda: ask(web.url("/get", delay=0.1, jitter=0))) >= 0.1
    assert seconds_for(lambda: ask(f"{web.site}/robots.txt", headers={"X-Latency": "uniform:0.2,0.2"})) >= 0.2
    assert ask(f"{web.api}/get", headers={"X-Error-Rate": "1"}).status == 500
    assert ask(f"{web.api}/get", headers={"X-Delay": "soon"}).status == 400


# The server is the witness.


def test_a_thousand_requests_at_once_are_answered(web, me):
    statuses = at_once(web, [f"/delay/0.5?client={me}"] * 1000)
    assert statuses == [200] * 1000
    seen = stats(web, me)
    assert (seen["requests"], seen["connections"], seen["statuses"]) == (1000, 1000, {"200": 1000})
    assert 100 < seen["peak"] <= 1000


def test_the_peak_is_exact(web, me):
    sockets = [raw(f"{web.api}/never?client={me}") for _ in range(20)]
    for sock in sockets:
        sock.__enter__()
    wait_until(lambda: stats(web, me)["requests"] == 20)
    seen = stats(web, me)
    assert (seen["peak"], seen["connections"], seen["open_connections"]) == (20, 20, 20)
    for sock in sockets:
        sock.__exit__(None, None, None)
    wait_until(lambda: stats(web, me)["statuses"] == {"abandoned": 20})
    assert stats(web, me)["open_connections"] == 0
    ask(web.url("/get", client=me))
    assert stats(web, me)["peak"] == 20


@pytest.mark.parametrize("path", ["/delay/0.01", "/bytes/100000", "/drip?numbytes=3&duration=0.01", "/stream/5"])
def test_a_client_with_few_connections_is_seen_with_no_more(web, me, path):
    mark = "&" if "?" in path else "?"
    at_once(web, [f"{path}{mark}client={me}"] * 70, limit=7)
    seen = stats(web, me)
    assert (seen["requests"], seen["connections"]) == (70, 7)
    assert 1 <= seen["peak"] <= 7
    if path == "/delay/0.01":
        assert seen["peak"] > 1


def test_connections_are_counted_not_requests(web, me):
    connection = http.client.HTTPConnection(urlsplit(web.api).netloc, timeout=20)
    for _ in range(5):
        ask(web.url("/get", client=me), connection=connection)
    assert (stats(web, me)["connections"], stats(web, me)["open_connections"]) == (1, 1)
    ask(web.url("/get", client=me))
    wait_until(lambda: stats(web, me)["open_connections"] == 1)
    assert stats(web, me)["connections"] == 2
    connection.close()
    wait_until(lambda: stats(web, me)["open_connections"] == 0)


def test_statuses_and_paths_are_counted_and_the_sum_is_right(web, me):
    for path in ("/get", "/get", "/status/404", "/nowhere", "/get?delay=x", "/get?error_rate=1", "/malformed"):
        ask(f"{web.api}{path}{'&' if '?' in path else '?'}client={me}")
    for path in ("/reset", "/drop"):
        with raw(f"{web.api}{path}?client={me}") as sock, pytest.raises(OSError, match=".*"):
            raise OSError(len(everything(sock)))
    seen = stats(web, me)
    assert seen["statuses"] == {"200": 3, "400": 1, "404": 2, "500": 1, "dropped": 1, "reset": 1}
    assert seen["requests"] == 9 == sum(seen["statuses"].values()) == sum(seen["by_path"].values())
    assert seen["by_path"]["/get"] == 4
    assert stats(web, me) == seen, "looking is not counted"
    assert stats(web, me, reset=True) == seen
    assert stats(web, me)["requests"] == 0
    assert ask(f"{web.api}/stats?of={me}").json == stats(web, me)


def test_a_client_that_gives_up_is_seen_to(web, me):
    async def main():
        timeout = aiohttp.ClientTimeout(total=0.2)
        async with aiohttp.ClientSession(web.api, timeout=timeout) as session:
            with pytest.raises(TimeoutError):
                await session.get(f"/delay/30?client={me}")

    asyncio.run(main())
    wait_until(lambda: stats(web, me)["statuses"] == {"abandoned": 1})
    assert stats(web, me)["open_connections"] == 0


def test_a_client_that_leaves_a_download_is_seen_to(web, me):
    with raw(f"{web.api}/bytes/{2**33}?client={me}") as sock:
        sock.recv(1000)
    wait_until(lambda: stats(web, me)["statuses"] == {"abandoned": 1})


# Websockets.


def test_the_echo_sends_back_text_and_bytes(web, me):
    async def main():
        async with aiohttp.ClientSession(web.api) as session, session.ws_connect(f"/ws/echo?client={me}") as socket:
            await socket.send_str("grüß dich")
            await socket.send_bytes(b"\x00\xff")
            return await socket.receive_str(), await socket.receive_bytes()

    assert asyncio.run(main()) == ("grüß dich", b"\x00\xff")
    wait_until(lambda: stats(web, me)["statuses"] == {"101": 1})


def test_in_a_room_everyone_hears_everyone(web):
    async def main():
        async with aiohttp.ClientSession(web.api) as session, session.ws_connect("/ws/chat?name=ann") as ann:
            assert await ann.receive_json() == {"type": "joined", "from": "ann", "text": "", "members": ["ann"]}
            async with session.ws_connect("/ws/chat?name=bob") as bob:
                for each in (ann, bob):
                    assert (await each.receive_json())["members"] == ["ann", "bob"]
                await bob.send_str("héllo")
                for each in (ann, bob):
                    heard = await each.receive_json()
                    assert (heard["type"], heard["from"], heard["text"]) == ("message", "bob", "héllo")
                async with session.get("/ws/chat?name=bob&room=other") as plain:
                    assert plain.status == 400
                with pytest.raises(aiohttp.WSServerHandshakeError) as taken:
                    await session.ws_connect("/ws/chat?name=bob")
                assert taken.value.status == 409
                async with session.ws_connect("/ws/chat?name=bob&room=other") as elsewhere:
                    assert (await elsewhere.receive_json())["members"] == ["bob"]
            left = await ann.receive_json()
            assert (left["type"], left["from"], left["members"]) == ("left", "bob", ["ann"])

    asyncio.run(asyncio.wait_for(main(), 20))


def test_a_member_that_vanishes_has_left(web):
    async def main():
        async with aiohttp.ClientSession(web.api) as session, session.ws_connect("/ws/chat?name=a&room=v") as a:
            async with session.ws_connect("/ws/chat?name=b&room=v") as b:
                b._response.connection.transport.abort()
                while (heard := await a.receive_json())["type"] != "left":
                    pass
            return heard["from"]

    assert asyncio.run(asyncio.wait_for(main(), 20)) == "b"
