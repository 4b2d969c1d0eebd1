"""What Prometheus reads at `/metrics`.  docs/metrics.md lists it.

What can be read when somebody asks is in a table, and costs nothing until then; what has to be
measured as it happens comes through hooks. Labels have few values: none names an account, a number
or a call.
"""

from __future__ import annotations

import asyncio
import platform as python
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offhook import __version__, clock
from offhook.app import Platform
from offhook.carriers.sip_carrier import SipCarrier
from offhook.frozen import frozen
from offhook.media.orders import Stats, Tally
from offhook.speech.service import Speech
from offhook.webhooks.ask import CANCELLED, Kind

Reading = Iterable[tuple[tuple[str, ...], float]]

METHODS = ("GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS")
LOOK = 0.5  # seconds between two looks at how late the loop is
DOORS = (
    "malformed", "stray", "undeliverable", "refused", "limited", "bans", "banned", "full", "idle",
    "connections refused", "handshakes refused", "slow", "login wrong", "login stale",
    "retransmitted", "repeated", "trunk full", "trunk failed",
    "trunk failover", "server failover", "phone lost",
)  # fmt: skip
FAST = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
SLOW = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
LOSS = (0.0, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
JITTER = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)


@frozen
class Seen:
    """What the figures are read from."""

    platform: Platform
    sip: SipCarrier
    sound: Tally


@frozen
class Figure:
    """A metric that is read when it is asked for; a counter's name gets `_total`."""

    name: str
    kind: Literal["gauge", "counter"]
    about: str
    labels: tuple[str, ...]
    read: Callable[[Seen], Reading]


def _one(value: Callable[[Seen], float]) -> Callable[[Seen], Reading]:
    return lambda seen: [((), value(seen))]


def _counted(kind: str) -> Callable[[Seen], Reading]:
    """What the exchange has counted of a kind."""
    return lambda seen: [
        (rest, count)
        for (what, *rest_), count in seen.platform.exchange.counts.items()
        if what == kind and (rest := tuple(rest_))
    ]


def _live(seen: Seen) -> Reading:
    exchange = seen.platform.exchange
    records = [each.record for each in exchange.attempts.values()]
    records += [each.record for each in exchange.live.values()]
    return Counter((each.direction, each.status) for each in records).items()


def _queues(seen: Seen) -> Counter[str]:
    """Calls that wait for their turn, by account."""
    attempts = seen.platform.exchange.attempts.values()
    return Counter(each.record.account_sid for each in attempts if not each.initiated)


def _legs(seen: Seen) -> Reading:
    return [((codec or "none",), count) for codec, count in seen.platform.media.legs.items()]


def _speech(seen: Seen) -> Reading:
    speech = seen.platform.speech
    if not isinstance(speech, Speech):
        return []
    return [((role,), speech.waiting[role]) for role in ("speak", "decode", "encode")]


def _registrations(seen: Seen) -> float:
    phones = seen.sip.phones
    return phones.registrar.count(clock.utc().timestamp()) if phones else 0


def _connections(seen: Seen) -> Reading:
    return [((transport,), count) for transport, count in seen.sip.load.connections.items()]


def _doors(seen: Seen) -> Reading:
    counts = seen.sip.counts
    return [((what,), counts[what]) for what in {**dict.fromkeys(DOORS), **counts}]


def _reachable(seen: Seen) -> Reading:
    states = seen.sip.upstream.states.values()
    return [((each.trunk.name,), each.reachable) for each in states if each.reachable is not None]


def _registered(seen: Seen) -> Reading:
    states = [each for each in seen.sip.upstream.states.values() if each.trunk.register]
    return [((each.trunk.name,), each.registered == "registered") for each in states]


def _trunk_calls(seen: Seen) -> Reading:
    for each in seen.sip.upstream.states.values():
        yield (each.trunk.name, "carried"), each.calls - each.failed
        yield (each.trunk.name, "failed"), each.failed


def _packets(seen: Seen) -> Reading:
    return [(("sent",), seen.sound.packets_sent), (("received",), seen.sound.packets_received)]


FIGURES = (
    Figure("offhook_build_info", "gauge", "The version that runs; always 1", ("version", "python"),
           lambda _: [((__version__, python.python_version()), 1)]),
    Figure("offhook_ready", "gauge", "1 while calls can be taken", (),
           _one(lambda seen: seen.platform.healthy)),
    Figure("offhook_tasks", "gauge", "Tasks of the event loop", (),
           _one(lambda _: len(asyncio.all_tasks()))),
    Figure("offhook_calls", "counter", "Calls that have ended, by their final status",
           ("direction", "status"), _counted("call")),
    Figure("offhook_calls_begun", "counter",
           "Calls that came in or were asked for; their rate is calls a second", ("direction",),
           _counted("begun")),
    Figure("offhook_calls_live", "gauge", "Calls that have not ended", ("direction", "status"),
           _live),
    Figure("offhook_calls_queued", "gauge", "Calls that wait to be placed", (),
           _one(lambda seen: _queues(seen).total())),
    Figure("offhook_calls_queued_deepest", "gauge", "Those of the account that has most of them",
           (), _one(lambda seen: max(_queues(seen).values(), default=0))),
    Figure("offhook_refused", "counter",
           "Calls and texts that limits forbade: their destination, or too many calls at a time",
           ("why",), _counted("refused")),
    Figure("offhook_recordings_live", "gauge", "Recordings under way", (),
           _one(lambda seen: len(seen.platform.exchange.takings))),
    Figure("offhook_messages", "counter", "Changes of messages' statuses",
           ("direction", "status"), _counted("message")),
    Figure("offhook_debugger_entries", "counter", "Errors and warnings of the debugger", ("code",),
           _counted("debugger")),
    Figure("offhook_webhooks_in_flight", "gauge", "Requests to applications that are waited for",
           (), _one(lambda seen: seen.platform.exchange.webhooks.under_way)),
    Figure("offhook_callbacks_waiting", "gauge", "Status callbacks that are not sent yet", (),
           _one(lambda seen: seen.platform.exchange.notifier.waiting)),
    Figure("offhook_store_writes_waiting", "gauge", "Writes to the database that have not begun",
           (), _one(lambda seen: seen.platform.exchange.store.waiting)),
    Figure("offhook_speech_waiting", "gauge", "Requests to the speech processes without an answer",
           ("process",), _speech),
    Figure("offhook_media_workers", "gauge", "Processes for sound that are up", (),
           _one(lambda seen: sum(host.healthy for host in seen.platform.media.hosts))),
    Figure("offhook_media_workers_wanted", "gauge", "Those that the settings ask for", (),
           _one(lambda seen: seen.platform.settings.workers)),
    Figure("offhook_media_late_ticks", "counter",
           "Ticks of 20 ms that a worker began more than 10 ms late", (),
           _one(lambda seen: seen.sound.late_ticks)),
    Figure("offhook_media_legs", "gauge", "Legs of the media plane; none: without RTP", ("codec",),
           _legs),
    Figure("offhook_rtp_port_pairs_free", "gauge", "Pairs of UDP ports that no leg has", (),
           _one(lambda seen: seen.platform.media.free_ports)),
    Figure("offhook_rtp_packets", "counter", "Packets of sound", ("direction",), _packets),
    Figure("offhook_rtp_packets_lost", "counter", "Packets that were expected and did not come", (),
           _one(lambda seen: seen.sound.lost)),
    Figure("offhook_rtp_packets_late", "counter", "Packets that came too late to be played", (),
           _one(lambda seen: seen.sound.late)),
    Figure("offhook_rtp_packets_duplicate", "counter", "Packets that came twice", (),
           _one(lambda seen: seen.sound.duplicates)),
    Figure("offhook_sip_calls", "gauge", "Calls of the SIP carrier", (),
           _one(lambda seen: seen.sip.load.calls)),
    Figure("offhook_sip_dialogs", "gauge", "SIP dialogs", (),
           _one(lambda seen: seen.sip.load.dialogs)),
    Figure("offhook_sip_transactions", "gauge", "SIP transactions", (),
           _one(lambda seen: seen.sip.load.transactions)),
    Figure("offhook_sip_tasks", "gauge", "Tasks of the SIP carrier", (),
           _one(lambda seen: seen.sip.load.tasks)),
    Figure("offhook_sip_connections", "gauge", "Open connections for SIP", ("transport",),
           _connections),
    Figure("offhook_sip_bans", "gauge", "Addresses that are not listened to at present", (),
           _one(lambda seen: seen.sip.load.bans)),
    Figure("offhook_sip_registrations", "gauge", "Contacts of registered phones", (),
           _one(_registrations)),
    Figure("offhook_sip_messages", "counter",
           "SIP messages by method, or by class for responses", ("direction", "kind"),
           lambda seen: seen.sip.traffic.items()),
    Figure("offhook_sip_events", "counter",
           "What was turned away at the door, and what went wrong on the way", ("what",), _doors),
    Figure("offhook_trunk_calls_live", "gauge", "Calls by a trunk, in and out", ("trunk",),
           lambda seen: [((name,), count) for name, count in seen.sip.load.trunks.items()]),
    Figure("offhook_trunk_reachable", "gauge", "1 when a watched trunk answers, else 0", ("trunk",),
           _reachable),
    Figure("offhook_trunk_registered", "gauge", "1 while we are registered with a trunk, else 0",
           ("trunk",), _registered),
    Figure("offhook_trunk_calls", "counter",
           "Calls out that a trunk was given: carried, or failed and left for the next",
           ("trunk", "outcome"), _trunk_calls),
)  # fmt: skip


@frozen
class Spread:
    """A histogram of what is measured as it happens."""

    name: str
    about: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...]


WEBHOOKS = Spread(
    "offhook_webhook_seconds", "Requests to applications. Outcome: ok, gone when nobody waited for "
    "the answer any more, or the code of the error", ("kind", "outcome"), SLOW,
)  # fmt: skip
WRITES = Spread(
    "offhook_store_write_seconds", "Writes to the database, their wait included", (), FAST
)
SPEECH = Spread("offhook_speech_seconds", "Requests to the speech processes", ("process",), SLOW)
REQUESTS = Spread("offhook_api_request_seconds", "Requests to the API", ("method", "status"), SLOW)
LAG = Spread(
    "offhook_event_loop_lag_seconds", "How late the event loop is, twice a second", (), FAST
)
LEG_LOSS = Spread(
    "offhook_leg_loss_ratio", "Share of its packets that a leg lost, at its end", ("codec",), LOSS
)
LEG_JITTER = Spread(
    "offhook_leg_jitter_seconds", "Jitter (RFC 3550) of a leg, at its end", ("codec",), JITTER
)
ROUND_TRIP = Spread(
    "offhook_leg_round_trip_seconds", "Round trip by a leg's last RTCP report, at its end",
    ("codec",), FAST,
)  # fmt: skip
SPREADS = (WEBHOOKS, WRITES, SPEECH, REQUESTS, LAG, LEG_LOSS, LEG_JITTER, ROUND_TRIP)


class Metrics(Collector):
    """One platform's, in a registry of its own."""

    def __init__(self, platform: Platform, sip: SipCarrier) -> None:
        self._platform, self._sip, self._sound = platform, sip, Tally()
        self.registry = CollectorRegistry()
        self._spreads = {
            each.name: Histogram(
                each.name, each.about, each.labels, buckets=each.buckets, registry=self.registry
            )
            for each in SPREADS
        }
        self.registry.register(self)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._listen()

    def _listen(self) -> None:
        exchange, speech = self._platform.exchange, self._platform.speech
        exchange.webhooks.measure = self._asked
        exchange.store.measure = self._spreads[WRITES.name].observe
        self._platform.media.over = self._ended
        if isinstance(speech, Speech):
            speech.measure = lambda role, seconds: self._take(SPEECH, seconds, role)

    def _take(self, spread: Spread, value: float, *labels: str) -> None:
        self._spreads[spread.name].labels(*labels).observe(value)

    def _asked(self, kind: Kind, code: int, seconds: float) -> None:
        self._take(WEBHOOKS, seconds, kind, {0: "ok", CANCELLED: "gone"}.get(code, str(code)))

    def _ended(self, stats: Stats) -> None:
        expected = stats.packets_received + stats.lost
        if stats.codec and expected:
            self._take(LEG_LOSS, stats.lost / expected, stats.codec)
            self._take(LEG_JITTER, stats.jitter_ms / 1000, stats.codec)
        if stats.round_trip_ms:
            self._take(ROUND_TRIP, stats.round_trip_ms / 1000, stats.codec)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """The table, read now; `page` has asked the media workers before."""
        seen = Seen(self._platform, self._sip, self._sound)
        for figure in FIGURES:
            family = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
            read = family(figure.name, figure.about, labels=figure.labels)
            for labels, value in figure.read(seen):
                read.add_metric(labels, value)
            yield read

    async def page(self, accept: str = "") -> tuple[bytes, str]:
        """The text of all metrics, in the format that is accepted, and its media type."""
        media = self._platform.media
        self._sound = await media.tallies.total(media.hosts)
        encode, media_type = choose_encoder(accept)
        return encode(self.registry), media_type

    def measured(self, app: ASGIApp) -> ASGIApp:
        """The application, its requests measured."""

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            began, status = clock.now(), 0

            async def answer(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, answer)
            finally:
                method = scope["method"] if scope.get("method") in METHODS else "other"
                self._take(REQUESTS, clock.now() - began, method, f"{status // 100}xx")

        return serve

    async def watch_loop(self) -> None:
        """Looks how late the loop is, until it is cancelled."""
        while True:
            due = clock.now() + LOOK
            await asyncio.sleep(LOOK)
            self._spreads[LAG.name].observe(max(0.0, clock.now() - due))
