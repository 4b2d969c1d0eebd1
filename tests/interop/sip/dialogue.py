"""SIPp scenarios written short: a dialogue line by line, made into the XML that SIPp reads.

    < INVITE            is received; `? 180` may be; below it, indented, `Name: pattern` must be
                        found in that field, `body: pattern` anywhere; `-> name` keeps
                        the group
    > 200 INVITE sdp    is sent: a response to the latest INVITE, with a description
    > BYE               is sent: a request in the dialog; below it, indented, more fields, and the
                        body behind bars
    wait 500            milliseconds; `stay`: to repeat the last message if it is asked for again

`sdp=sendonly` gives the description a direction, `tag=b` answers as another phone, `call=2` speaks
in a second dialog, `outside` opens one, `branch=INVITE` repeats the branch of the latest one sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

TAG = "[pid]{role}[call_number]"
HERE = "[local_ip]:[local_port]"
CONTACT = f"Contact: <sip:sipp@{HERE};transport=[transport]>"
VIA = f"Via: SIP/2.0/[transport] {HERE};branch=[{{branch}}];rport"
SDP = """\
v=0
o=- 1 {version} IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [media_port] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
"""
XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 202: "Accepted",
    487: "Request Terminated", 491: "Request Pending",
}  # fmt: skip
PAUSES = {"wait": "pause", "stay": "timewait"}
WITH_CONTACT = {"INVITE", "UPDATE", "REFER", "NOTIFY"}


@dataclass
class Call:
    """One dialog as its SIPp end knows it."""

    id: str
    tag: str
    cseq: int = 0
    invite: int = 0


@dataclass
class Scenario:
    """`called`: the platform sent the INVITE that opened it."""

    title: str
    called: bool
    parts: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)  # where each method was sent last
    asked: str = ""  # the method that was sent last
    invites: int = 0  # that came
    version: int = 0  # of what was described last

    def call(self, name: str) -> Call:
        role = "y" if self.called else "x"
        id, more = ("[call_id]", "") if name == "1" else (f"{name}///[call_id]", name)
        return self.calls.setdefault(name, Call(id, TAG.format(role=role) + more))

    def xml(self) -> str:
        used = ",".join(dict.fromkeys(self.names))
        refer = f'  <Reference variables="{used}"/>\n' if used else ""
        body = "".join(self.parts)
        return f'{XML}<scenario name="{self.title}">\n{body}{refer}</scenario>\n'


def compiled(title: str, text: str) -> str:
    """The XML of a dialogue."""
    blocks = [
        (line, [more.strip() for more in rest.splitlines()])
        for line, rest in re.findall(r"^(\S.*)\n((?:[ \t]+.*\n)*)", text.strip() + "\n", re.M)
    ]
    scenario = Scenario(title, called=blocks[0][0].startswith("< INVITE"))
    for line, below in blocks:
        sign, *words = line.split()
        options = dict(word.partition("=")[::2] for word in words[1:])
        if sign in PAUSES:
            scenario.parts.append(f'  <{PAUSES[sign]} milliseconds="{words[0]}"/>\n')
        elif sign in "<?":
            receive(scenario, words[0], below, optional=sign == "?")
        elif words[0].isdecimal():
            respond(scenario, int(words[0]), options, below)
        else:
            ask(scenario, words[0], options, below)
    return scenario.xml()


def receive(scenario: Scenario, what: str, below: list[str], *, optional: bool) -> None:
    kind = "response" if what.isdecimal() else "request"
    actions = remembered(scenario) if what == "INVITE" else []
    actions += [checked(scenario, line) for line in below]
    answer = kind == "response" and scenario.asked == "INVITE"  # it says where the dialog goes
    more = ' optional="true"' if optional else ' rrs="true"' if answer else ""
    inside = "".join(f"      {action}\n" for action in actions)
    action = f"\n    <action>\n{inside}    </action>\n  " if actions else ""
    scenario.parts.append(f'  <recv {kind}="{what}"{more}>{action}</recv>\n')


def remembered(scenario: Scenario) -> list[str]:
    """What responses to an INVITE, and requests of ours in its dialog, are made of."""
    fields = {"via": "Via:", "cseq": "CSeq:", "from": "From:", "to": "To:"}
    opening = not scenario.invites
    if opening:
        fields |= {"remote": "From:", "local": "To:"}
    found = [checked(scenario, f"{name} (.*) -> INVITE{key}") for key, name in fields.items()]
    if opening:
        found.append(checked(scenario, "Contact: <(sip:[^>]*)> -> INVITEtarget"))
    scenario.invites += 1
    return found


def checked(scenario: Scenario, line: str) -> str:
    name, _, rest = line.partition(":")
    pattern, _, keep = rest.strip().partition(" -> ")
    kept = f"seen{len(scenario.names)}"
    scenario.names.append(kept)
    if keep:
        scenario.names.append(keep)
        kept = f"{kept},{keep}"
    where = 'search_in="msg"' if name == "body" else f'search_in="hdr" header="{name}:"'
    shown = escape(pattern, {'"': "&quot;"})
    return f'<ereg regexp="{shown}" {where} check_it="true" assign_to="{kept}"/>'


def respond(scenario: Scenario, status: int, options: dict[str, str], below: list[str]) -> None:
    method = next((each for each in options if each.isupper()), "")
    opening = method == "INVITE" and scenario.called and scenario.invites == 1
    tag = options.get("tag", TAG.format(role="y"))
    head = [f"SIP/2.0 {status} {REASONS.get(status, 'Refused')}"]
    if method:
        end = f";tag={tag}" if opening else ""
        to = "INVITElocal" if end else f"{method}to"
        head += [f"Via: [${method}via]", f"From: [${method}from]", f"To: [${to}]{end}"]
        head += ["[last_Call-ID:]", f"CSeq: [${method}cseq]"]
    else:
        head += ["[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]"]
    repeated = method == "INVITE" and (status >= 200 or "100rel" in " ".join(below))
    send(scenario, [*head, CONTACT, *below], options, repeated=repeated)


def ask(scenario: Scenario, method: str, options: dict[str, str], below: list[str]) -> None:
    call = scenario.call(options.get("call", "1"))
    opening = method == "INVITE" and not call.cseq and not scenario.called
    if method in ("ACK", "CANCEL"):
        cseq = int(options.get("cseq", call.invite))
    else:
        call.cseq += 1
        cseq = call.cseq
    if method == "INVITE":
        call.invite = cseq
    branch = "branch"
    if "branch" in options:
        branch += f"-{len(scenario.parts) - scenario.sent[options['branch']]}"
    via = VIA.format(branch=branch)
    ends = (call, opening or method == "CANCEL" or "outside" in options)
    scenario.asked = method
    head = start(scenario, method, ends, via)
    if "refused" in options:  # the ACK of anything but a 2xx
        head[1:] = ["[last_Via:]", "[last_From:]", "[last_To:]"]
    head += [f"Call-ID: {call.id}" if not scenario.called else "[last_Call-ID:]"]
    head += [f"CSeq: {cseq} {method}", "Max-Forwards: 70"]
    head += [CONTACT] if method in WITH_CONTACT else []
    scenario.sent[method] = len(scenario.parts)
    send(scenario, [*head, *below], options, repeated=method != "ACK")


def start(scenario: Scenario, method: str, ends: tuple[Call, bool], via: str) -> list[str]:
    call, outside = ends
    if scenario.called:
        to = f"From: [$INVITElocal];tag={call.tag}"
        return [f"{method} [$INVITEtarget] SIP/2.0", via, to, "To: [$INVITEremote]"]
    target = "sip:[service]@[remote_ip]:[remote_port]"
    return [
        f"{method} {target if outside else '[next_url]'} SIP/2.0", via,
        *([] if outside else ["[routes]"]),
        f'From: "SIPp" <sip:+15550000001@{HERE}>;tag={call.tag}',
        f"To: <{target}>" + ("" if outside else "[peer_tag_param]"),
    ]  # fmt: skip


def send(scenario: Scenario, head: list[str], options: dict[str, str], *, repeated: bool) -> None:
    body = "".join(f"{line[2:]}\n" for line in head if line.startswith("| "))
    head = [line for line in head if not line.startswith("| ")]
    if "sdp" in options:
        scenario.version += 1
        body = SDP.format(version=scenario.version)
        body += f"a={options['sdp']}\n" if options["sdp"] else ""
        head = [*head, "Content-Type: application/sdp"]
    head = [*head, "Content-Length: [len]"]
    retrans = ' retrans="500"' if repeated else ""
    lines = "\n".join(head)
    scenario.parts.append(f"  <send{retrans}><![CDATA[\n{lines}\n\n{body}\n]]></send>\n")
