"""M25: edge cases tried for nothing, with test credentials."""

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

client = Client()
OK, THEIRS, URL = "+15005550006", "+14155550199", "http://application.test/voice"


def tried(what, act):
    try:
        print(f"{what}: {act().status}")
    except TwilioRestException as refused:
        print(f"{what}: {refused.status} {refused.code}")


def buy(**asked):
    return client.incoming_phone_numbers.create(**asked)


def text(to=THEIRS, from_=OK):
    return client.messages.create(to=to, from_=from_, body="Hello")


def call(to=THEIRS, from_=OK):
    return client.calls.create(to=to, from_=from_, url=URL)


tried("Portugal", lambda: buy(phone_number="+351210123456"))
tried("Peru", lambda: call(to="+5117084900"))
for last in range(10):
    tried(f"buy {last}", lambda n=last: buy(phone_number=f"+1500555000{n}"))
for code in (533, 500, 415):
    tried(f"area {code}", lambda n=code: buy(area_code=str(n)))
for last in range(10):
    tried(f"text to {last}", lambda n=last: text(to=f"+1500555000{n}"))
    tried(f"text from {last}", lambda n=last: text(from_=f"+1500555000{n}"))
    tried(f"call to {last}", lambda n=last: call(to=f"+1500555000{n}"))
    tried(f"call from {last}", lambda n=last: call(from_=f"+1500555000{n}"))
tried("a call", lambda: client.calls("CA" + "0" * 32).fetch())
tried("the account", lambda: client.api.v2010.accounts(client.username).fetch())
