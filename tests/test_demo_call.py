"""The demo application on a running platform, called and texted."""

from __future__ import annotations

from offhook import demo
from offhook.testing.platform import Offhook

DEMO = "+15550100100"


def platform() -> Offhook:
    offhook = Offhook(simulated={"numbers": {demo.ECHO_NUMBER: "echo"}})
    application = demo.application()
    offhook.number(
        DEMO, voice=offhook.url(application, "/voice"), sms=offhook.url(application, "/sms")
    )
    return offhook


async def test_the_demo_walks_through_its_menu() -> None:
    """M04: documents link to each other."""
    async with platform() as offhook:
        call = await offhook.call(DEMO)
        await call.hears("For the time and your number, press 1")
        call.press("1")
        await call.hears("You are calling from 1 5 5 5 0 0 0 1 1 1 1.")
        await call.hears("To record a message and hear it, press 2")
        call.press("2")
        await call.hears("when you are done.")
        await call.hears_nothing(2)  # the beep
        await call.says("this is me")
        call.press("#")
        await call.hears("This is your message of")
        await call.hears("this is me")
        await call.hears("To be put through to an echo, press 3")
        call.press("3")
        await call.hears("Press star to return.")
        await call.hears_nothing(8)  # it rings
        await call.says("hello echo")
        await call.hears("hello echo")
        call.press("*")
        await call.hears("Welcome back.")
        await call.hang_up()
        assert offhook.notifications == []


async def test_the_demo_answers_a_text() -> None:
    async with platform() as offhook:
        await offhook.text("+15550001111", DEMO, "Hello")
        await offhook.phone("+15550001111").reads('You wrote: "Hello".')
