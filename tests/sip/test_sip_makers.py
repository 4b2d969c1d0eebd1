"""INVITEs as the equipment of some makers writes them, in their essentials: what is understood."""

from __future__ import annotations

import pytest
from sip_carriers import Phone, carrier
from sip_ends import sip
from sip_peer import description, sender

# Names of fields in capitals, a caller who is told to us alone, ICE though nothing is sealed.
DIRECT_ROUTING = """
INVITE sip:+15550001111@sbc1.example.com:5061;user=phone;transport=tls SIP/2.0
FROM: "Ann Example"<sip:+15550009999@sip.routing.test:5061;user=phone>;tag=c2d9a3f5f6b34d6a
TO: <sip:+15550001111@sbc1.example.com:5061;user=phone>
CSEQ: 1 INVITE
CALL-ID: 0dad9d1f2dbd4ab8bd6bf5ad4c7c2fd8
VIA: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK4f3ad5a1
RECORD-ROUTE: <sip:127.0.0.1:5060;transport=udp;lr>
CONTACT: <sip:api-du-a.routing.test:443;x-i=0dad;x-c=0dad9d1f/d/8/1c3b5a>
MIN-SE: 300
SUPPORTED: histinfo,timer
CONTENT-TYPE: application/sdp
ALLOW: INVITE
ALLOW: ACK
ALLOW: BYE
P-ASSERTED-IDENTITY: <tel:+15550009999>,<sip:ann@example.com>
PRIVACY: id
SESSION-EXPIRES: 3600
HISTORY-INFO: <sip:+1555@x?Reason=SIP%3bcause%3d302%3btext%3d%22Moved%22>;index=1

v=0
o=- 0 0 IN IP4 127.0.0.1
s=session
c=IN IP4 127.0.0.1
t=0 0
m=audio 50080 RTP/AVP 104 9 18 0 8 97 101 13 118
c=IN IP4 127.0.0.1
a=rtcp:50081
a=ice-ufrag:HMhR
a=ice-pwd:Ei1Hq7QGD4jUTxc1oKcB8Iqz
a=rtcp-mux
a=candidate:1 1 UDP 2130706431 127.0.0.1 50080 typ srflx raddr 10.0.0.1 rport 50080
a=label:main-audio
a=mid:1
a=sendrecv
a=rtpmap:104 SILK/16000
a=rtpmap:9 G722/8000
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:97 RED/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=rtpmap:13 CN/8000
a=rtpmap:118 CN/16000
a=ptime:20
"""

# A description beside what ISDN and the gateway's own protocol say, fax at once, codecs we lack.
GATEWAY = """
INVITE sip:15550001111@127.0.0.2:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK3A1A2D
Remote-Party-ID: "ANN " <sip:5550009999@127.0.0.1>;party=calling;screen=yes;privacy=off
From: "ANN " <sip:5550009999@127.0.0.1>;tag=1B3F2C4A-1F6B
To: <sip:15550001111@127.0.0.2>
Call-ID: 9F3E4A5B-5C6D11EB-8F9A@127.0.0.1
Supported: 100rel,timer,resource-priority,replaces,sdp-anat
Min-SE:  1800
Allow: INVITE, OPTIONS, BYE, CANCEL, ACK, PRACK, UPDATE, REFER, SUBSCRIBE, NOTIFY, INFO, REGISTER
CSeq: 101 INVITE
Timestamp: 1606730400
Contact: <sip:5550009999@127.0.0.1:5060>
Expires: 180
Session-Expires:  1800
Content-Type: multipart/mixed;boundary=uniqueBoundary
Mime-Version: 1.0

--uniqueBoundary
Content-Type: application/sdp
Content-Disposition: session;handling=required

v=0
o=SIP-GW-UserAgent 5318 9876 IN IP4 127.0.0.1
s=SIP Call
c=IN IP4 127.0.0.1
t=0 0
m=audio 16384 RTP/AVP 18 0 101 19
c=IN IP4 127.0.0.1
a=rtpmap:18 G729/8000
a=fmtp:18 annexb=no
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-16
a=rtpmap:19 CN/8000
a=ptime:20
m=image 16386 udptl t38
c=IN IP4 127.0.0.1
a=T38FaxVersion:0

--uniqueBoundary
Content-Type: application/x-q931
Content-Disposition: signal;handling=optional
Content-Length: 4

abcd
--uniqueBoundary
Content-Type: application/gtd
Content-Disposition: signal;handling=optional

IAM,
PRN,isdn*,,NI***,

--uniqueBoundary--
"""

# Folded lines, commas in names, the one who is called twice, keys with a number that we cannot do.
PBX = """
INVITE sip:5550001111@example.com;user=phone SIP/2.0
From: "Ext 1001, Ann" <sip:1001@example.com>;tag=80e4d0
To: "5550001111" <sip:5550001111@example.com;user=phone>
Call-ID: 80fdc1a2a3b41e98c1d00505690f3c5
CSeq: 1 INVITE
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-AP-x;rport;ft=127.0.0.1~13c4,
 SIP/2.0/TLS 10.0.0.2;branch=z9hG4bK80d;rport=15070;received=10.0.0.2;ibmsid=local.1594
Record-Route: <sip:127.0.0.1:5060;lr;sap=-1*1*016asm-callprocessing.sar-1~1>,
 <sip:10.0.0.2;transport=tls;lr>
Supported: 100rel,histinfo,join,replaces,sdp-anat,timer
Contact: "Ext 1001, Ann" <sip:1001@10.0.0.2:5061;transport=tls;gsid=80e4d0-a1b2>
Alert-Info: <cid:internal@example.com>
History-Info: <sip:5550001111@example.com>;index=1
History-Info: "x" <sip:5550001111@example.com;user=phone>;index=1.1
Min-SE: 1200
P-Asserted-Identity: "Ext 1001, Ann" <sip:1001@example.com>
P-Location: SM;origloc="HQ";origsiglocation="HQ";orig-media-loc="x"
Session-Expires: 1200;refresher=uac
Content-Type: application/sdp

v=0
o=- 1 1 IN IP4 10.0.0.2
s=-
c=IN IP4 127.0.0.1
b=AS:64
t=0 0
a=avf:avc=n prio=n
a=csup:avf-v0
m=audio 2056 RTP/SAVP 0 8 120
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^31 UNENCRYPTED_SRTCP
a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:{key}|2^31|1:1
a=crypto:3 AES_CM_128_HMAC_SHA1_32 inline:{key}
a=rtpmap:120 telephone-event/8000
a=ptime:20
""".replace("{key}", "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR")


@pytest.mark.parametrize(
    ("said", "called", "sections"),
    [
        (DIRECT_ROUTING, ("+15550001111", "anonymous"), ["m=audio 10000 RTP/AVP 0 101 13"]),
        (
            GATEWAY, ("15550001111", "5550009999"),
            ["m=audio 10000 RTP/AVP 0 101 19", "m=image 0 udptl t38"],
        ),
        (PBX, ("5550001111", "1001"), ["m=audio 10000 RTP/SAVP 0 120"]),
    ],
)  # fmt: skip
async def test_it_is_answered(said: str, called: tuple[str, str], sections: list[str]):
    phone = Phone()
    async with carrier("127.0.0.2", phone):
        peer = await sender("127.0.0.1")
        peer.says(sip(said))
        answer = await peer.hears("SIP/2.0 200")
    assert phone.called == [called]
    assert phone.leg.about.forwarded_from == ""
    lines = description(answer).split("\r\n")
    assert [line for line in lines if line.startswith("m=")] == sections
    assert ("a=crypto:3 " in description(answer)) == ("SAVP" in sections[0])
