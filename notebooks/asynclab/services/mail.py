"""The mail server: keeps what it receives, refuses some recipients, and is slow for others."""

from __future__ import annotations

import asyncio
import email
import email.policy
from collections import deque
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

_KEPT = 1_000
_SLOW = 0.5  # seconds
_LARGEST = 2**18  # bytes of a message
_MOST = 100  # recipients of a message


class Mailbox:
    """A handler of aiosmtpd. `messages` holds the latest 1,000, each {"from", "to", "subject", "body", "size"}."""

    def __init__(self) -> None:
        self.messages: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list) -> str:
        """Refuse whose name begins with "refuse", and take 0.5 seconds over one that begins with "slow"."""
        if len(envelope.rcpt_tos) >= _MOST:
            return f"452 4.5.3 A message may have {_MOST} recipients"
        if address.startswith("refuse"):
            return "550 5.1.1 No such person here"
        if address.startswith("slow"):
            await asyncio.sleep(_SLOW)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep a message; `size` is in bytes, `to` are the recipients that were accepted."""
        try:
            message = email.message_from_bytes(envelope.content, policy=email.policy.default)
            body = message.get_body(("plain", "html"))
        except RecursionError:
            return "554 5.6.0 Message nested too deeply"
        self.messages.append(
            {
                "from": envelope.mail_from,
                "to": list(envelope.rcpt_tos),
                "subject": str(message["subject"] or ""),
                "body": _content(body) if body is not None else "",
                "size": len(envelope.content),
            }
        )
        return "250 Message accepted"


def _content(part: EmailMessage) -> str:
    try:
        return part.get_content()
    except (LookupError, ValueError):  # a character set that nobody knows, or that is not one of text
        return part.get_payload(decode=True).decode("latin-1")


class _Server(SMTP):
    async def smtp_POST(self, arg: str) -> None:
        """Hang up: a page lets a browser send a form here, whose lines would be read as commands."""
        await self.push("421 4.7.0 This is a mail server")
        raise asyncio.CancelledError  # as for a client that has hung up


async def serve(mailbox: Mailbox, backlog: int) -> int:
    """Start the server on a free port of 127.0.0.1, and return the port."""

    def session() -> _Server:
        # Without a hostname it would look up its own, which needs a network and blocks the loop.
        return _Server(mailbox, hostname="localhost", ident="asynclab", enable_SMTPUTF8=True, data_size_limit=_LARGEST)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, backlog=backlog)
    return server.sockets[0].getsockname()[1]
