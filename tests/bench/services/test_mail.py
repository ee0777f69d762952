"""The mail server: what it receives is kept as it was, some recipients are refused, some are slow.

Who sends says that he is "localhost": smtplib would else ask a resolver for the name of this machine.
"""

import smtplib
import socket
import threading
import time
from email.message import EmailMessage

import pytest

from servers import ask, servers


@pytest.fixture(scope="module")
def running():
    with servers() as web:
        yield web


@pytest.fixture
def web(running):
    ask(f"{running.api}/mail/messages", "DELETE")
    return running


def kept(web):
    return ask(f"{web.api}/mail/messages").json


def letter(subject="Hello", body="Some text.\n", **headers):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "me@example.org", "you@example.org", subject
    for name, value in headers.items():
        message[name] = value
    message.set_content(body)
    return message


def test_a_message_is_kept(web):
    message = letter("Grüße 👋", "Schöne Grüße\nzweite Zeile\n")
    with smtplib.SMTP(*web.mail, "localhost", timeout=10) as smtp:
        assert smtp.send_message(message) == {}
        smtp.sendmail("a@example.org", ["b@example.org", "c@example.org"], "Subject: two\n\nto both\n")
    first, second = kept(web)
    assert (first["from"], first["to"], first["subject"]) == ("me@example.org", ["you@example.org"], "Grüße 👋")
    assert first["body"].splitlines() == ["Schöne Grüße", "zweite Zeile"]
    assert first["size"] == len(message.as_bytes().replace(b"\n", b"\r\n"))
    assert (second["to"], second["subject"]) == (["b@example.org", "c@example.org"], "two")
    assert ask(f"{web.api}/mail/messages", "DELETE").json == {"cleared": 2}
    assert kept(web) == []


def test_some_recipients_are_refused_and_the_others_are_not(web):
    with smtplib.SMTP(*web.mail, "localhost", timeout=10) as smtp:
        refused = smtp.sendmail("a@example.org", ["b@example.org", "refuse.me@example.org"], "Subject: x\n\nbody")
        assert refused["refuse.me@example.org"][0] == 550
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            smtp.sendmail("a@example.org", ["refused@example.org"], "Subject: y\n\nbody")
        smtp.sendmail("a@example.org", ["norefuse@example.org"], "Subject: z\n\nbody")
    assert [(each["subject"], each["to"]) for each in kept(web)] == [
        ("x", ["b@example.org"]),
        ("z", ["norefuse@example.org"]),
    ]


def test_a_slow_recipient_takes_half_a_second_and_holds_up_nobody_else(web):
    def send(to):
        with smtplib.SMTP(*web.mail, "localhost", timeout=10) as smtp:
            began = time.monotonic()
            smtp.sendmail("a@example.org", [to], "Subject: x\n\nbody")
            times[to] = time.monotonic() - began

    times = {}
    slow = [f"slow{n}@example.org" for n in range(4)]
    threads = [threading.Thread(target=send, args=(to,)) for to in slow]
    for thread in threads:
        thread.start()
    send("fast@example.org")
    for thread in threads:
        thread.join()
    assert times.pop("fast@example.org") < min(times.values())
    assert min(times.values()) >= 0.5 and max(times.values()) < 4 * 0.5, "they wait side by side"
    assert len(kept(web)) == 5


@pytest.mark.parametrize(
    ("source", "subject", "body"),
    [
        (b"no header at all", "", ""),
        (b"Subject: \xff\xfe\r\n\r\nbody", "\ufffd\ufffd", "body"),
        (b"Subject: x\r\nContent-Type: text/plain; charset=nobody-knows\r\n\r\nr\xe9sum\xe9", "x", "r\xe9sum\xe9"),
        (b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nr\xe9sum\xe9", "x", "r\ufffdsum\ufffd"),
        (b"Subject: x\r\nContent-Type: application/pdf\r\n\r\nnot text", "x", ""),
        (b"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>page</p>", "x", "<p>page</p>"),
        (b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\n\r\n..dots\r\n.", "grüße", "..dots\n."),
    ],
)
def test_odd_messages_are_kept_too(web, source, subject, body):
    with smtplib.SMTP(*web.mail, "localhost", timeout=10) as smtp:
        smtp.sendmail("a@example.org", ["b@example.org"], source)
    (message,) = kept(web)
    assert message["subject"].replace("?", "\ufffd") == subject
    if source.startswith(b"Subject"):
        assert message["body"].replace("\r\n", "\n").rstrip("\n") == body


def test_the_latest_thousand_are_kept(web):
    with smtplib.SMTP(*web.mail, "localhost", timeout=10) as smtp:
        for n in range(1_003):
            smtp.sendmail("a@example.org", ["b@example.org"], f"Subject: {n}\n\n")
    messages = kept(web)
    assert [message["subject"] for message in messages] == [str(n) for n in range(3, 1_003)]


def test_a_client_that_hangs_up_in_the_middle_leaves_nothing(web):
    for words in (b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<a@b.c>\r\nRCPT TO:<slow@b.c>\r\nDATA\r\nhalf a mess"):
        with socket.create_connection(web.mail, 5) as sock:
            sock.sendall(words)
            sock.recv(100)
    with smtplib.SMTP(*web.mail, "localhost", timeout=10) as smtp:
        assert smtp.noop()[0] == 250
    assert kept(web) == []
