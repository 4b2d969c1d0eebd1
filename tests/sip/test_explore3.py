from __future__ import annotations
import asyncio, pytest
from sip_carriers import Phone, carrier, not_ringing, sip_of, target, first_lines, traced
from sip_ends import sip
from sip_peer import SDP, ack, description, field, invite, sender, sender_call
from offhook.testing import Offhook
P = "127.0.0.1"
PLAIN = SDP.format(host=P)

async def hears_final(peer):
    while True:
        async with asyncio.timeout(100):
            t = await peer.heard.get()
        if t.startswith("SIP/2.0") and not t.startswith("SIP/2.0 1"):
            return t

async def test_v6():
    phone = Phone()
    async with carrier("127.0.0.2", phone):
        peer = await sender(P)
        peer.says(invite(P, PLAIN.replace("IP4 127.0.0.1","IP6 2001:db8::1")))
        got = await hears_final(peer)
        print("RESULT v6", got.splitlines()[0])
        if "200" in got[:12]:
            peer.says(ack(P, field(got,"To")))
            tone = asyncio.ensure_future(phone.leg.media.play_tone((((440,), 1.0),)))
            await asyncio.sleep(2)
            print("RESULT v6", phone.leg.ended.done(), tone)
            st = await phone.leg.hang_up() if False else None

@pytest.mark.parametrize("fields", [["Expires: 0"], ["Expires: 180"], ["Require: 100rel"], ["Supported: 100rel, timer", "Session-Expires: 1800;refresher=uac", "Min-SE: 90"], ["Session-Expires: 1800"], ["Session-Expires: 30"], ["Supported: timer","Session-Expires: 30"], ["Min-SE: 7200", "Supported: timer"], ["Accept:"], ["Accept: application/dtmf-relay"], ["Accept: application/sdp, application/isup"], ["Accept-Encoding:"],["Accept-Encoding: gzip"], ["Content-Disposition: session;handling=required"], ["Content-Disposition: early-session"], ["Content-Encoding:"], ["Content-Language: en"], ["MIME-Version: 1.0"], ["Max-Forwards: 0"], ["Privacy: none"], ["Privacy: header;session;user;id;critical"], ["P-Asserted-Identity: <sip:fritz@ims>, <tel:+4930>"], ["Supported:"], ["Require:"], ["Require: timer"], ["Require: precondition"], ["Record-Route: <sip:1.2.3.4;lr=on>, <sip:1.2.3.5;lr;r2=on;ftag=a>"], ["Record-Route: sip:127.0.0.1;lr"], ["Geolocation: <cid:x>"], ["History-Info: <sip:a@b>;index=1, <sip:c@d?Reason=SIP%3Bcause%3D302>;index=1.1"], ["Alert-Info: <urn:alert:x>"], ["Call-Info: <sip:x>;method=\"NOTIFY;Event=telephone-event;Duration=2000\""], ["Date: nonsense"], ["User-Agent:"], ["Warning: 399 x \"y\""], ["Subject: \xfc"], ["X-A: 1", "X-A: 2"], ["Allow: INVITE ACK BYE"], ["Identity: abc;info=<https://x>;alg=ES256;ppt=shaken"], ["P-Charging-Vector: icid-value=\"x\";icid-generated-at=1"], ["Timestamp: 54"], ["In-Reply-To: x"], ["Replaces: abc;to-tag=1;from-tag=2"], ["Join: abc;to-tag=1;from-tag=2"]])
async def test_fields(fields):
    phone = Phone(thinks=1)
    async with carrier("127.0.0.2", phone) as here:
        peer = await sender(P)
        peer.says(invite(P, None, *fields))
        got = await hears_final(peer)
        print("RESULT", fields, got.splitlines()[0], phone.called, [l for l in got.splitlines() if l.startswith(("Session-E","Min-SE","Require", "Unsupp"))], here.counts)

async def test_contact_forms():
    for n, c in enumerate(["sip:127.0.0.1;transport=udp", '"A" <sip:x@127.0.0.1:5060;ob>;+sip.instance="<urn:uuid:1>"', "<sips:x@127.0.0.1>", "<tel:+1555>", "<sip:pbx.invalid>", "<sip:127.0.0.1;transport=TCP>", "<sip:127.0.0.1;transport=tls>", "<sip:127.0.0.1;transport=foo>", "<sip:127.0.0.1?X=y>", "<sip:x%00@127.0.0.1>", "*", "", "<sip:0.0.0.0>", "<sip:localhost>", "<sip:10.9.9.9>", "<sip:anonymous@anonymous.invalid>"]):
        phone = Phone()
        async with carrier("127.0.0.2", phone) as here:
            peer = await sender(P)
            peer.says(invite(P).replace(b"Contact: <sip:127.0.0.1>", f"Contact: {c}".encode()))
            got = await hears_final(peer)
            line = got.splitlines()[0]
            bye = None
            if " 200 " in line:
                peer.says(ack(P, field(got,"To")))
                await asyncio.sleep(1)
                h = asyncio.ensure_future(phone.leg.hang_up())
                try:
                    async with asyncio.timeout(10):
                        bye = (await peer.hears("BYE")).splitlines()[0]
                except TimeoutError: bye = "NO BYE"
                h.cancel()
                await asyncio.sleep(40)
            print("RESULT", c, line, bye)
            peer.transport.close()
