"""The four transaction machines and every timer of theirs.  RFC 3261 section 17, RFC 6026."""

from __future__ import annotations

import pytest

from offhook.sip.hop import Hop
from offhook.sip.layer import Alarms
from offhook.sip.message import Request
from offhook.sip.transactions import (
    CLIENT,
    DONE,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Machine,
    Transaction,
)

UDP, TCP = Hop("UDP", "10.0.0.2", 5060), Hop("TCP", "10.0.0.2", 5060)


def start(machine: Machine, hop: Hop = UDP) -> Transaction:
    return Transaction(machine, ("branch",), Request((), b"", "INVITE", "sip:b"), hop, 0.0)


def run_out(transaction: Transaction) -> list[tuple[float, str]]:
    """Everything that the timers ask for until there are none, and when."""
    asked = []
    while (now := transaction.wake_at) is not None:
        asked += [(now, action) for action in transaction.fire(now)]
    return asked


class TestInviteClient:
    """RFC 3261 section 17.1.1."""

    def test_timer_a_doubles_and_timer_b_gives_up_after_32_seconds(self):
        transaction = start(INVITE_CLIENT)
        sends = [(at, "send") for at in (0.5, 1.5, 3.5, 7.5, 15.5, 31.5)]
        assert run_out(transaction) == [*sends, (32.0, "timeout")]
        assert transaction.done

    def test_over_tcp_nothing_is_repeated_and_timer_b_remains(self):
        assert run_out(start(INVITE_CLIENT, TCP)) == [(32.0, "timeout")]

    def test_a_provisional_response_stops_the_repeats_and_there_is_no_limit_any_more(self):
        transaction = start(INVITE_CLIENT)
        assert transaction.happens("1xx", 0.2) == ("up",)
        assert transaction.wake_at is None
        assert transaction.happens("1xx", 90) == ("up",)

    def test_a_refusal_is_acknowledged_each_time_and_told_once(self):
        transaction = start(INVITE_CLIENT)
        assert transaction.happens("3xx-6xx", 1) == ("ack", "up")
        assert transaction.happens("3xx-6xx", 2) == ("ack",)
        assert transaction.wake_at == 1 + 32  # timer D
        run_out(transaction)
        assert transaction.done

    def test_over_tcp_timer_d_is_zero(self):
        transaction = start(INVITE_CLIENT, TCP)
        transaction.happens("3xx-6xx", 1)
        assert transaction.wake_at == 1

    def test_after_a_2xx_further_ones_are_told_until_timer_m(self):
        """RFC 6026 section 7.2: a fork's 2xx and a repeated one both reach the user."""
        transaction = start(INVITE_CLIENT)
        assert transaction.happens("2xx", 1) == ("up",)
        assert transaction.happens("2xx", 5) == ("up",)
        assert transaction.happens("3xx-6xx", 6) == ()
        assert transaction.wake_at == 1 + 32
        assert run_out(transaction) == []
        assert transaction.done

    def test_an_undeliverable_request_is_a_timeout_at_once(self):
        transaction = start(INVITE_CLIENT)
        assert transaction.happens("undeliverable", 0.1) == ("timeout",)
        assert transaction.done


class TestClient:
    """RFC 3261 section 17.1.2."""

    def test_timer_e_doubles_up_to_4_seconds_and_timer_f_gives_up(self):
        times = (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)
        expected = [*((at, "send") for at in times), (32.0, "timeout")]
        assert run_out(start(CLIENT)) == expected

    def test_over_tcp_only_timer_f_runs(self):
        assert run_out(start(CLIENT, TCP)) == [(32.0, "timeout")]

    def test_while_proceeding_it_repeats_every_4_seconds_and_timer_f_goes_on(self):
        transaction = start(CLIENT)
        assert transaction.happens("1xx", 0.2) == ("up",)
        times = (0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5)
        assert run_out(transaction) == [*((at, "send") for at in times), (32.0, "timeout")]

    def test_repeats_of_the_final_response_are_absorbed_until_timer_k(self):
        transaction = start(CLIENT)
        assert transaction.happens("2xx", 1) == ("up",)
        assert transaction.happens("2xx", 2) == ()
        assert transaction.wake_at == 1 + 5
        run_out(transaction)
        assert transaction.done

    @pytest.mark.parametrize("before", [[], ["1xx"]])
    def test_an_undeliverable_request_is_a_timeout_at_once(self, before: list[str]):
        """RFC 3261 section 17.1.4, in either state that sends."""
        transaction = start(CLIENT)
        for what in before:
            transaction.happens(what, 0.1)
        assert transaction.happens("undeliverable", 0.2) == ("timeout",)
        assert transaction.done

    def test_over_tcp_timer_k_is_zero(self):
        transaction = start(CLIENT, TCP)
        transaction.happens("3xx-6xx", 1)
        assert transaction.wake_at == 1


class TestInviteServer:
    """RFC 3261 section 17.2.1."""

    def test_a_repeated_invite_gets_the_last_provisional_response_again(self):
        transaction = start(INVITE_SERVER)
        assert transaction.happens("1xx", 0.1) == ("send",)
        assert transaction.happens("again", 0.5) == ("send",)
        assert transaction.wake_at is None

    def test_timer_g_repeats_a_refusal_and_timer_h_gives_up(self):
        transaction = start(INVITE_SERVER)
        assert transaction.happens("3xx-6xx", 0) == ("send",)
        times = (0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5)
        assert run_out(transaction) == [*((at, "send") for at in times), (32.0, "timeout")]
        assert transaction.done

    def test_over_tcp_a_refusal_is_not_repeated_but_timer_h_runs(self):
        transaction = start(INVITE_SERVER, TCP)
        transaction.happens("3xx-6xx", 0)
        assert run_out(transaction) == [(32.0, "timeout")]

    def test_the_ack_ends_the_repeats_and_timer_i_absorbs_others(self):
        transaction = start(INVITE_SERVER)
        transaction.happens("3xx-6xx", 0)
        assert transaction.happens("ACK", 0.2) == ("up",)
        assert transaction.happens("ACK", 0.3) == ()
        assert (transaction.state, transaction.wake_at) == ("confirmed", 5.2)
        run_out(transaction)
        assert transaction.done

    def test_over_tcp_timer_i_is_zero(self):
        transaction = start(INVITE_SERVER, TCP)
        transaction.happens("3xx-6xx", 0)
        transaction.happens("ACK", 0.2)
        assert transaction.wake_at == 0.2

    def test_after_a_2xx_repeated_invites_are_absorbed_until_timer_l(self):
        """RFC 6026 section 7.1: the user repeats the 2xx, and an ACK is not the machine's."""
        transaction = start(INVITE_SERVER)
        assert transaction.happens("2xx", 1) == ("send",)
        assert transaction.happens("again", 1.5) == ()
        assert transaction.happens("2xx", 2) == ("send",)
        assert transaction.happens("ACK", 2.1) == ()
        assert transaction.wake_at == 1 + 32
        run_out(transaction)
        assert transaction.done


class TestServer:
    """RFC 3261 section 17.2.2."""

    def test_before_a_response_repeats_are_absorbed(self):
        assert start(SERVER).happens("again", 0.5) == ()

    def test_repeats_get_the_last_response_until_timer_j(self):
        transaction = start(SERVER)
        assert transaction.happens("1xx", 0.1) == ("send",)
        assert transaction.happens("again", 0.2) == ("send",)
        assert transaction.happens("2xx", 1) == ("send",)
        assert transaction.happens("again", 2) == ("send",)
        assert transaction.happens("3xx-6xx", 3) == ()
        assert transaction.wake_at == 1 + 32
        run_out(transaction)
        assert transaction.done

    def test_over_tcp_timer_j_is_zero(self):
        transaction = start(SERVER, TCP)
        transaction.happens("2xx", 1)
        assert transaction.wake_at == 1


def test_those_that_only_wait_to_be_forgotten_go_together_at_a_tenth_of_a_second():
    transactions = [start(SERVER) for _ in range(4)]
    for transaction, answered in zip(transactions, (1.01, 1.05, 1.1, 1.11), strict=True):
        transaction.happens("2xx", answered)
    assert [each.wake_at for each in transactions] == [33.1, 33.1, 33.1, 33.2]
    assert [each.fire(33.1) for each in transactions] == [[]] * 4
    assert [each.done for each in transactions] == [True, True, True, False]


@pytest.mark.parametrize("machine", [INVITE_CLIENT, CLIENT, INVITE_SERVER, SERVER])
def test_every_state_of_a_table_can_be_reached_and_left(machine: Machine):
    reached = {following for following, _ in machine.steps.values()} | {machine.start}
    left = {state for state, _ in machine.steps}
    assert reached - {DONE} == left
    assert DONE in reached
    assert set(machine.timers) <= left


@pytest.mark.parametrize("machine", [INVITE_CLIENT, CLIENT, INVITE_SERVER, SERVER])
def test_every_timer_that_is_started_has_a_step(machine: Machine):
    for state, timers in machine.timers.items():
        for name in timers:
            assert (state, name) in machine.steps


class Sleeper:
    def __init__(self, wake_at: float | None) -> None:
        self.wake_at = wake_at


class TestAlarms:
    def test_each_comes_at_its_time_and_once(self):
        alarms, early, late = Alarms(), Sleeper(1.0), Sleeper(2.0)
        for sleeper in (late, early, early):
            alarms.set(sleeper)
        assert alarms.next == 1.0
        assert alarms.due(1.5) is early
        early.wake_at = None
        assert alarms.due(1.5) is None
        assert alarms.due(2.0) is late

    def test_those_of_calls_that_are_over_do_not_pile_up(self):
        alarms, alive = Alarms(), [Sleeper(1000.0 + number) for number in range(100)]
        for sleeper in alive:
            alarms.set(sleeper)
        for number in range(20_000):
            gone = Sleeper(1800.0 + number)
            alarms.set(gone)
            gone.wake_at = None
        assert len(alarms) < 2000
        assert [alarms.due(5000) for _ in alive] == alive
        assert alarms.due(5000) is None
