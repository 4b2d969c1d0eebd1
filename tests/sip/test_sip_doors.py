"""What the SIP carrier takes of one message and of one login; rates and bans: test_sip_guard."""

from __future__ import annotations

import asyncio

import pytest
from sip_carriers import Phone, carrier
from sip_peer import field, invite, sender

from offhook.carriers.trunks import Trunk
from offhook.sip import digest
from offhook.sip.message import MAX_FIELDS, MAX_HEAD, MAX_MESSAGE

HERE, THERE = "198.51.100.1", "203.0.113.9"
MALFORMED = "malformed"


def longer(by: bytes) -> bytes:
    """An INVITE with more in its head."""
    return invite(THERE).replace(b"\r\n\r\n", b"\r\n" + by + b"\r\n\r\n", 1)


class TestSizes:
    @pytest.mark.parametrize(
        "message",
        [
            invite(THERE) + b"x" * MAX_MESSAGE,
            longer(b"X-Long: " + b"x" * MAX_HEAD),
            longer(b"\r\n".join([b"X-Many: x"] * MAX_FIELDS)),
        ],
        ids=["message", "head", "fields"],
    )
    async def test_what_is_too_much_is_dropped_and_counted(self, message: bytes):
        phone = Phone()
        trunks = (Trunk("them", allow=(f"{THERE}/32",)),)
        async with carrier(HERE, phone, trunks=trunks) as here:
            peer = await sender(THERE)
            peer.says(message, HERE)
            await asyncio.sleep(1)
            assert here.counts[MALFORMED] == 1
            assert phone.legs == []
            peer.says(invite(THERE), HERE)
            await peer.hears("SIP/2.0 200")

    @pytest.mark.real_time
    async def test_a_head_without_end_closes_its_connection(self):
        async with (
            asyncio.timeout(10),
            carrier("127.0.0.1", Phone(), port=0, tcp=True) as here,
        ):
            reader, writer = await asyncio.open_connection(*here.address)
            writer.write(b"INVITE sip:x SIP/2.0\r\nX: " + b"x" * 2 * MAX_HEAD)
            assert await reader.read() == b""
            assert here.counts[MALFORMED] == 1
            writer.close()


class TestLogins:
    TRUNKS = (Trunk("them", peer_username="ann", peer_password="secret"),)

    async def test_a_wrong_password_and_a_nonce_used_twice_are_counted(self):
        async with carrier(HERE, Phone(), trunks=self.TRUNKS) as here:
            peer = await sender(THERE)

            async def tries(branch: str, authorization: str) -> str:
                data = invite(THERE, branch=branch)
                head = f"\r\nAuthorization: {authorization}\r\n\r\n".encode()
                data = data.replace(b"\r\n\r\n", head, 1) if authorization else data
                peer.says(data.replace(b"raw@", f"{branch}@".encode()), HERE)
                while (heard := await peer.hears("SIP/2.0")).startswith("SIP/2.0 1"):
                    pass
                return heard

            def met(challenged: str, password: str, uri: str) -> str:
                login = digest.Client(digest.Credentials("ann", password), lambda: "c" * 32)
                answer = login.answer([field(challenged, "WWW-Authenticate")], "INVITE", uri)
                assert answer
                return answer

            uri = invite(THERE).split(b" ")[1].decode()
            first = await tries("one", "")
            assert first.startswith("SIP/2.0 401")
            assert (await tries("two", met(first, "guess", uri))).startswith("SIP/2.0 401")
            assert (here.counts["login wrong"], here.counts["login stale"]) == (1, 0)
            right = met(first, "secret", uri)
            assert (await tries("three", right)).startswith("SIP/2.0 200")
            again = await tries("four", right)
            assert again.startswith("SIP/2.0 401")
            assert "stale=true" in again
            assert (here.counts["login wrong"], here.counts["login stale"]) == (1, 1)
