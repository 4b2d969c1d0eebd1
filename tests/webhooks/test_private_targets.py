"""The switch against requests into private networks, at each hop."""

from __future__ import annotations

import socket

import pytest
from webhook_application import moved, reply

from offhook.errors import WebhookError
from offhook.webhooks.ask import Request
from offhook.webhooks.fence import Fence

PUBLIC_ONLY = Fence.of(private=False)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0",
        "100.64.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0",
        "fc00::1", "ff02::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public_are_refused(address: str):
    assert not PUBLIC_ONLY.permits(address)
    assert Fence().permits(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1", "::ffff:93.184.216.34"])
def test_public_addresses_are_permitted(address: str):
    assert PUBLIC_ONLY.permits(address)


def test_allowed_networks_are_permitted():
    fence = Fence.of(False, ["10.1.0.0/16", "fc00::1"])
    permitted = [fence.permits(each) for each in ("10.1.2.3", "::ffff:10.1.2.3", "fc00::1")]
    assert permitted == [True, True, True]
    assert not fence.permits("10.2.0.1")


def test_an_allowed_network_must_be_one():
    with pytest.raises(ValueError, match="intranet"):
        Fence.of(False, ["intranet"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_nothing_is_sent_to_a_private_address_however_it_is_written(opened, host: str):
    async with opened(PUBLIC_ONLY) as (application, webhooks):
        url = application.at("/voice", reply()).replace("127.0.0.1", host)
        with pytest.raises(WebhookError) as refused:
            await webhooks.ask(Request(url))
        assert (refused.value.code, application.asked) == (11200, [])


async def test_a_redirect_is_checked_like_the_first_hop(opened):
    """The first address is an allowed one, the second is not."""
    with socket.socket() as inner:
        inner.bind(("127.0.0.1", 0))
        port = inner.getsockname()[1]
        async with opened(Fence.of(False, ["127.0.0.1"])) as (application, webhooks):
            away = application.at("/voice", moved(f"http://127.0.0.2:{port}/"))
            with pytest.raises(WebhookError) as refused:
                await webhooks.ask(Request(away))
            assert (refused.value.code, refused.value.url) == (
                11200, f"http://127.0.0.2:{port}/",
            )  # fmt: skip
            assert "may not be in" in refused.value.message


async def test_only_permitted_ones_of_a_names_addresses_are_used(opened):
    """`localhost` may be ::1 as well, which is not allowed here."""
    async with opened(Fence.of(False, ["127.0.0.1"])) as (application, webhooks):
        url = application.at("/voice", reply()).replace("127.0.0.1", "localhost")
        assert (await webhooks.ask(Request(url))).status == 200
