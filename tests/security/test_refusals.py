"""The servers serve programs of this machine: no file, no page of another site, nothing without end."""

import asyncio
import gzip
import http.client
import smtplib
import socket
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest

from servers import Reply, ask, everything, servers, stats

MIB = 2**20
HANDSHAKE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}


@pytest.fixture(scope="module")
def web():
    with servers() as web:
        yield web


def sent(url, method, path, headers=(), body=b""):
    """The reply to a request whose path and headers are sent as they are, to the last dot."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    connection._validate_path = lambda path: None
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": urlsplit(url).netloc, "Content-Length": len(body), **dict(headers)}.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        response = connection.getresponse()
        body = b"" if response.status == 101 else response.read()
        return Reply(response.status, response.headers, body)
    finally:
        connection.close()


PEPS = "data/peps.csv"


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/..%2f..%2fetc%2fpasswd", "/..%5c..%5cetc%5cpasswd",
        "/%252e%252e%252fetc%252fpasswd", "//etc/passwd", "/etc/passwd", "/etc/passwd%00.html", "/file:///etc/passwd",
        f"/../../../{PEPS}", f"/tricky/../../../../{PEPS}", f"/tricky/..%2f..%2f..%2f{PEPS}", "/tricky/%2e%2e%2f0",
        "/pep-0008/../../services/website.py", "/users/..%2f..%2fpeople.csv", "/..;/people.csv", "/%c0%ae%c0%ae/x",
        "/.git/config", "/%zz", "/mail/messages/..%2f..%2fpeople.csv", "http://other.example/etc/passwd",
    ],
)  # fmt: skip
def test_no_path_leads_to_a_file(web, path):
    for server in (web.api, web.site):
        reply = sent(server, "GET", path)
        assert (reply.status, list(reply.json)) == (404, ["error"]), "a sentence, and nothing else"


OWN = "127.0.0.1", "localhost", "[::1]"
OTHERS = (
    "other.example", "127.0.0.1.other.example", "other.example@127.0.0.1", "localhost.other.example", "0.0.0.0",
    "127.1", "2130706433", "[::ffff:127.0.0.1]", "localhost.", "127.0.0.1:", "127.0.0.1:80:80", "",
    "127.0.0.1, other.example", "xn--127-0.example", "[::1", "127.0.0.1\t#",
)  # fmt: skip


def test_a_name_that_is_not_ours_is_refused_and_not_counted(web):
    for server, path in ((web.api, "/get"), (web.site, "/robots.txt")):
        port = urlsplit(server).port
        for name in (*OWN, *(f"{each}:{port}" for each in OWN)):
            assert sent(server, "GET", f"{path}?client=host", {"Host": name}).status == 200, name
        for name in (*OTHERS, *(f"{each}:{port}" for each in OTHERS)):
            for target in (
                f"{path}?client=host",
                "/stats?of=host&reset=1",
                "/nowhere",
                f"http://127.0.0.1:{port}{path}",
            ):
                reply = sent(server, "GET", target, {"Host": name})
                assert (reply.status, "web.api" in reply.json["error"]) == (421, True), (name, target)
    assert stats(web, "host")["requests"] == 4 * len(OWN)


def test_a_page_of_another_site_is_refused_and_changes_nothing(web):
    with smtplib.SMTP(*web.mail, "localhost", timeout=60) as smtp:
        smtp.sendmail("a@example.org", ["b@example.org"], "Subject: kept\n\n")
    own, port = web.api, urlsplit(web.api).port
    others = ("https://other.example", "null", "", "file://", f"http://localhost:{port}", f"https://127.0.0.1:{port}")
    others += ("http://127.0.0.1", f"{own}.other.example", f"{own}/", f"{own}, {own}", "http://127.0.0.1:8888")
    requests = [("GET", "/get"), ("POST", "/anything"), ("POST", "/upload"), ("DELETE", "/mail/messages")]
    requests += [("OPTIONS", "/mail/messages"), ("GET", "/stats?reset=1&of=page"), ("GET", "/ws/echo?client=page")]
    requests += [("GET", f"/ws/chat?name={name}&client=page") for name in ("a", "b")]
    for origin in others:
        for method, path in requests:
            headers = {"Origin": origin, **(HANDSHAKE if "/ws/" in path else {})}
            reply = sent(own, method, path, headers)
            assert (reply.status, "Origin" in reply.json["error"]) == (403, True), (origin, method, path)
            assert not any(name.lower().startswith("access-control") for name in reply.headers)
    assert stats(web, "page")["requests"] == 0
    assert [each["subject"] for each in ask(f"{own}/mail/messages").json] == ["kept"]
    for origin in ({}, {"Origin": own}):  # a program, and a page of these servers
        assert sent(own, "GET", "/ws/chat?name=a&room=own", HANDSHAKE | origin).status == 101
        assert sent(own, "POST", "/anything", origin).status == 200
    preflight = {"Access-Control-Request-Method": "DELETE"}
    assert sent(own, "OPTIONS", "/mail/messages", preflight).status == 405, "so a browser sends no DELETE"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/bytes/1000000000000", 400), ("/bytes/1e12", 400), ("/stream/1000000000000", 400), ("/delay/1e9", 400),
        ("/drip?numbytes=1000000000000", 400), ("/drip?duration=1e9", 400), ("/get?delay=1e9", 400),
        ("/get?latency=uniform:0,1e9", 400), ("/redirect/1000000000000", 400), ("/users?limit=1000000000000", 400),
        ("/limited?per=1e308", 400), (f"/get?seed={'9' * 6000}", 400), (f"/status/{'1' * 6000}", 400),
        ("/scripted?type=text/html%0d%0aX-Bad:%20yes", 400), ("/scripted?retry_after=1%0d%0aX-Bad:%20yes", 400),
        ("/redirect/1?a=%0d%0aX-Bad:%20yes", 302), ("/get?client=%0d%0aX-Bad:%20yes", 200),
    ],
)  # fmt: skip
def test_what_is_too_much_and_what_would_be_a_header_of_its_own_is_neither(web, path, status):
    reply = ask(web.api + path)
    assert (reply.status, reply.headers["X-Bad"]) == (status, None)
    assert len(reply.body) < 1000, "what was wrong is not repeated at length"


def test_json_that_is_too_deep_is_only_no_json(web):
    assert ask(f"{web.api}/anything", "POST", b"[" * MIB).json["json"] is None


def test_large_bodies_take_no_memory(web):
    server = psutil.Process(web.pid)
    before = server.memory_info().rss
    for path, status in (("/anything", 413), ("/get", 200), ("/nowhere", 404), ("/get?delay=1e9", 400)):
        assert ask(web.api + path, "POST", bytes(100 * MIB)).status == status
        assert server.memory_info().rss - before < 40 * MIB, path
    assert ask(web.site, "POST", bytes(100 * MIB)).status == 405
    zeros = gzip.compress(bytes(100 * MIB))
    for path in ("/anything", "/upload"):
        assert ask(web.api + path, "POST", zeros, {"Content-Encoding": "gzip"}).status == 200
        assert server.memory_info().rss - before < 40 * MIB, "a body is not unpacked"


def test_who_says_little_holds_up_nobody(web):
    """A connection on which nothing comes is kept, since learners think between two cells; others do not notice."""
    address = "127.0.0.1", urlsplit(web.api).port
    silent = [socket.create_connection(address, 5) for _ in range(200)]
    for sock, words in zip(silent, [b"", b"G", b"GET /get HTTP/1.1\r\nHost: lo"] * 66, strict=False):
        sock.sendall(words)
    try:
        assert ask(f"{web.api}/get").status == 200
    finally:
        for sock in silent:
            sock.close()


def test_a_message_of_a_room_is_short(web):
    async def main():
        async with aiohttp.ClientSession(web.api) as session, session.ws_connect("/ws/chat?name=a&room=long") as socket:
            assert (await socket.receive_json())["type"] == "joined"
            await socket.send_str("x" * 60_000)
            assert len((await socket.receive_json())["text"]) == 60_000
            await socket.send_str("x" * 70_000)
            assert (await socket.receive()).data == aiohttp.WSCloseCode.MESSAGE_TOO_BIG

    asyncio.run(asyncio.wait_for(main(), 20))


TO_ALL = [f"p{n}@example.org" for n in range(103)]
NESTED = b"Content-Type: message/rfc822\r\n\r\n" * 3000
FORMS = b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(3000))


def test_mail_has_limits(web):
    ask(f"{web.api}/mail/messages", "DELETE")

    def refused(source):
        with pytest.raises(smtplib.SMTPResponseException) as caught:
            smtp.sendmail("a@example.org", ["b@example.org"], source)
        return caught.value.smtp_code

    with smtplib.SMTP(*web.mail, "localhost", timeout=60) as smtp:
        assert smtp.ehlo()[0] == 250 and smtp.esmtp_features["size"] == str(2**18)
        assert {code for code, _ in smtp.sendmail("a@example.org", TO_ALL, "Subject: all\n\n").values()} == {452}
        long = (b"x" * 900 + b"\r\n") * 300
        assert refused(long) == 552, "as it says its size"
        del smtp.esmtp_features["size"]
        assert refused(long) == 552, "as it is"
        assert [refused(NESTED), refused(FORMS)] == [554, 554]
        assert smtp.docmd("VRFY", "x" * 10_000)[0] == 500
        odd = b"Content-Type: text/plain; charset=%s\r\n\r\n\xff..\x00"
        for charset in (b"idna", b"hex", b"zlib", b'"\x00"', b"undefined"):
            smtp.sendmail("a@example.org", ["b@example.org"], odd % charset)
    kept = ask(f"{web.api}/mail/messages").json
    assert [len(each["to"]) for each in kept] == [100, 1, 1, 1, 1, 1]


def test_a_form_of_a_page_that_is_sent_to_the_mail_server_is_no_mail(web):
    """Any page can let a browser post to any port: the body would be read as commands."""
    ask(f"{web.api}/mail/messages", "DELETE")
    letter = b"HELO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<d@e.f>\r\nDATA\r\nSubject: bad\r\n\r\n.\r\nQUIT\r\n"
    with socket.create_connection(web.mail, 5) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://other.example\r\n\r\n" + letter)
        everything(sock)
    assert ask(f"{web.api}/mail/messages").json == []
