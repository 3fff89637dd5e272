"""The machine's decisions, one fact at a time. No database: pure values in, moves out."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract import Receipt
from connectors.errors import AuthFailed, NotFound, OutcomeUnknown, Rejected, TryLater, Unsupported
from finsync.core import pace
from finsync.core import posting as rules
from finsync.core.lifecycle import PostingState, allowed
from finsync.core.money import Money
from finsync.core.pace import Pace
from finsync.core.posting import Answer, Move, Refusal, Route, Standing, Verdict
from finsync.posting import machine
from tests.faults.memory import Memory

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
A, B, C, D = (Route(idempotency=name, key_window_seconds=86_400) for name in "ABCD")


@dataclass(frozen=True)
class Hit:
    """A document as a look-up shows it."""

    document_id: str = "7"
    number: str = "DOC-7"
    complete: bool = True
    fingerprint_ok: bool = True
    detail: str = ""


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def sending(**values: object) -> Standing:
    return replace(Standing(state=PostingState.SENDING, sends=1, attempts=1, lease_ended_at=later(180)), **values)


def doubtful(**values: object) -> Standing:
    base = Standing(state=PostingState.UNKNOWN, sends=1, lease_ended_at=NOW, doubtful_since=NOW, first_sent_at=NOW)
    return replace(base, **values)


# ---- R4 and backoff --------------------------------------------------------------------------------------------


def test_nothing_is_sent_after_a_third_of_the_lease() -> None:
    assert rules.may_send(60, 180)
    assert not rules.may_send(60.01, 180)


@pytest.mark.parametrize(("attempts", "longest"), [(1, 5), (2, 10), (5, 80), (8, 600), (30, 600)])
def test_retries_back_off_with_full_jitter_up_to_ten_minutes(attempts: int, longest: float) -> None:
    assert rules.retry_seconds(attempts, 0.0) == 0
    assert rules.retry_seconds(attempts, 1.0) == longest


# ---- answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "to", "leased_only"),
    [
        (Verdict.POSTED, "POSTED", False),
        (Verdict.ACCEPTED, "ACCEPTED", False),
        (Verdict.NOT_SENT, "READY", True),
        (Verdict.TRY_LATER, "READY", True),
        (Verdict.AUTH_FAILED, "READY", True),
        (Verdict.REJECTED, "REJECTED", True),
        (Verdict.UNKNOWN, "UNKNOWN", False),
    ],
)
def test_an_answer_leads_where_the_table_of_states_says(verdict: Verdict, to: str, leased_only: bool) -> None:
    answer = Answer(verdict=verdict, document_id="7" if verdict is Verdict.POSTED else "", code="ERP_POST_REJECTED")
    move = rules.after_send(sending(), B, answer, 0.5)
    assert (move.to, move.while_leased) == (to, leased_only)
    assert allowed("posting", "SENDING", move.to)


def test_a_definite_negative_told_too_late_is_a_doubt() -> None:
    refused = rules.after_send(sending(), B, Answer(verdict=Verdict.REJECTED, code="ERP_POST_REJECTED"), 0.5)
    assert rules.late(refused).to == "UNKNOWN"
    assert not rules.late(refused).code


def test_what_was_held_back_or_locked_out_costs_no_attempt() -> None:
    for verdict in (Verdict.NOT_SENT, Verdict.AUTH_FAILED):
        assert rules.after_send(sending(), B, Answer(verdict=verdict), 0.5).refund_attempt
    assert not rules.after_send(sending(), B, Answer(verdict=Verdict.TRY_LATER), 0.5).refund_attempt


def test_retry_after_is_honoured() -> None:
    answer = Answer(verdict=Verdict.TRY_LATER, retry_after_seconds=90, http_status=429)
    assert rules.after_send(sending(), B, answer, 0.5).next_seconds == 90


@pytest.mark.parametrize(
    ("error", "verdict", "code"),
    [
        (TryLater("busy", retry_after_seconds=3), Verdict.TRY_LATER, "ERP_POST_REJECTED"),
        (AuthFailed("no"), Verdict.AUTH_FAILED, "ERP_POST_REJECTED"),
        (Rejected("closed", code="ERP_PERIOD_CLOSED"), Verdict.REJECTED, "ERP_PERIOD_CLOSED"),
        (Rejected("odd", code="NOT_A_REASON"), Verdict.REJECTED, "ERP_POST_REJECTED"),
        (NotFound("gone"), Verdict.REJECTED, "ERP_POST_REJECTED"),
        (Unsupported("never"), Verdict.REJECTED, "ERP_POST_REJECTED"),
        (OutcomeUnknown("silence"), Verdict.UNKNOWN, "ERP_POST_REJECTED"),
        (ZeroDivisionError("a defect"), Verdict.UNKNOWN, ""),
    ],
)
def test_each_error_has_one_verdict(error: Exception, verdict: Verdict, code: str) -> None:
    answer = _sent(error)
    assert (answer.verdict, answer.code) == (verdict, code)


@pytest.mark.parametrize(
    "receipt",
    [
        Receipt(document_id="", number="", echoed_ref="{ref}", echoed_amount=Money(100, "USD")),
        Receipt(document_id="7", number="", echoed_ref="", echoed_amount=Money(100, "USD")),
        Receipt(document_id="7", number="", echoed_ref="another", echoed_amount=Money(100, "USD")),
        Receipt(document_id="7", number="", echoed_ref="{ref}", echoed_amount=Money(101, "USD")),
        Receipt(document_id="7", number="", echoed_ref="{ref}", echoed_amount=Money(100, "EUR")),
        Receipt(document_id="7", number="", echoed_ref="{ref}", echoed_amount=None),
    ],
)
def test_a_success_that_does_not_echo_what_was_sent_is_a_doubt(receipt: Receipt) -> None:
    assert _sent(receipt).verdict is Verdict.UNKNOWN


def test_a_success_that_echoes_reference_and_amount_is_posted() -> None:
    good = Receipt(document_id="7", number="INV-7", echoed_ref="{ref}", echoed_amount=Money(100, "USD"))
    assert _sent(good) == Answer(verdict=Verdict.POSTED, detail="INV-7", document_id="7", number="INV-7")


class _Stub:
    """A connector that answers one thing."""

    def __init__(self, outcome: Receipt | Exception) -> None:
        self.outcome = outcome

    def send(self, document: object, body: object, resume_id: str = "") -> Receipt:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        reference = getattr(document, "external_ref")  # noqa: B009
        return replace(self.outcome, echoed_ref=self.outcome.echoed_ref.replace("{ref}", reference))


def _sent(outcome: Receipt | Exception) -> Answer:
    [claim] = Memory(lambda: 0.0, B, 1, 1).claim(1, 1, lambda document: {}).claims
    return machine.send(claim, _Stub(outcome), lambda: 0.0)  # type: ignore[arg-type]


# ---- doubt -----------------------------------------------------------------------------------------------------


def test_one_equal_document_settles_a_doubt() -> None:
    move = rules.after_lookup(doubtful(), C, [Hit()], NOW)
    assert (move.to, move.document_id, move.verify_seconds) == ("POSTED", "7", 1_200)


@pytest.mark.parametrize(
    ("hits", "code"),
    [
        ([Hit(), Hit(document_id="8")], "ERP_DUPLICATE_POST"),
        ([Hit(fingerprint_ok=False)], "ERP_CONTENT_MISMATCH"),
    ],
)
def test_several_or_differing_documents_go_to_the_desk(hits: list[Hit], code: str) -> None:
    move = rules.after_lookup(doubtful(), B, hits, NOW)
    assert (move.to, move.code, move.on_desk) == ("EXCEPTION", code, True)


def test_a_half_made_document_is_resumed_not_made_again() -> None:
    move = rules.after_lookup(doubtful(), B, [Hit(complete=False)], NOW)
    assert (move.to, move.resume_id) == ("READY", "7")


@pytest.mark.parametrize("route", [A, B])
def test_a_target_that_refuses_repeats_is_sent_to_again_at_once(route: Route) -> None:
    assert rules.after_lookup(doubtful(), route, [], NOW).to == "READY"


def test_a_key_past_half_its_window_is_treated_as_absent() -> None:
    young, old = doubtful(first_sent_at=later(-43_199)), doubtful(first_sent_at=later(-43_200))
    assert rules.class_now(A, young, NOW) == "A"
    assert rules.class_now(A, old, NOW) == "C"
    assert rules.after_lookup(old, A, [], NOW).to == "UNKNOWN"


def test_not_found_proves_nothing_before_quiesce_and_lag_have_passed() -> None:
    seen = doubtful(negatives=1, first_negative_at=later(10))
    assert rules.after_lookup(seen, C, [], later(1_199)).to == "UNKNOWN"
    assert rules.after_lookup(seen, C, [], later(1_200)).to == "READY"


def test_one_negative_is_not_enough_and_two_must_be_a_lag_apart() -> None:
    assert rules.after_lookup(doubtful(), C, [], later(5_000)).to == "UNKNOWN"
    close = doubtful(negatives=1, first_negative_at=later(4_701))
    assert rules.after_lookup(close, C, [], later(5_000)).to == "UNKNOWN"
    assert rules.after_lookup(replace(close, first_negative_at=later(4_700)), C, [], later(5_000)).to == "READY"


def test_the_next_look_up_comes_no_later_than_proof_is_possible() -> None:
    assert [rules.lookup_seconds(doubtful(lookups=n), C, NOW) for n in range(7)] == [5, 30, 120, 600, 1800, 3600, 3600]
    seen = doubtful(lookups=4, first_negative_at=later(5))
    assert rules.lookup_seconds(seen, C, later(755)) == 1_200 - 755


@pytest.mark.parametrize("route", [A, B, C])
def test_cancelling_what_was_sent_waits_for_proof_in_every_class(route: Route) -> None:
    wish = doubtful(intent="cancel")
    assert rules.after_lookup(wish, route, [], later(60)).to == "UNKNOWN"
    proven = replace(wish, negatives=1, first_negative_at=later(60))
    assert rules.after_lookup(proven, route, [], later(1_200)).to == "CANCELLED"


def test_a_blind_target_is_never_sent_to_twice_by_a_machine() -> None:
    assert rules.after_lookup(doubtful(), D, [], later(90_000)).to == "EXCEPTION"
    assert rules.lookup_failed(doubtful(), D, "no search", NOW, for_ever=True).to == "EXCEPTION"


def test_doubt_that_cannot_be_asked_about_for_four_hours_goes_to_the_desk() -> None:
    assert rules.lookup_failed(doubtful(), B, "timeout", later(4 * 3_600)).to == "UNKNOWN"
    move = rules.lookup_failed(doubtful(), B, "timeout", later(4 * 3_600 + 1))
    assert (move.to, move.code) == ("EXCEPTION", "ERP_POST_UNKNOWN")


def test_a_paused_route_ages_its_doubts_without_counting_look_ups() -> None:
    assert rules.route_paused(doubtful(lookups=2), B, later(60)).lookups == 2
    assert rules.route_paused(doubtful(), B, later(5 * 3_600)).to == "EXCEPTION"


def test_what_is_never_confirmed_becomes_a_doubt_with_a_case() -> None:
    accepted = doubtful(state=PostingState.ACCEPTED)
    assert rules.after_lookup(accepted, B, [], later(3_600)).to == "ACCEPTED"
    move = rules.after_lookup(accepted, B, [], later(25 * 3_600))
    assert (move.to, move.code, move.on_desk) == ("UNKNOWN", "ERP_CONFIRMATION_OVERDUE", True)
    assert rules.after_lookup(accepted, B, [Hit()], NOW).to == "POSTED"


# ---- people ----------------------------------------------------------------------------------------------------


def test_a_retry_of_what_was_sent_is_a_look_up() -> None:
    parked = Standing(state=PostingState.EXCEPTION, sends=1)
    assert _move(rules.retry_asked(parked)).to == "UNKNOWN"
    assert _move(rules.retry_asked(replace(parked, sends=0))).to == "READY"


@pytest.mark.parametrize("state", [state for state in PostingState if state != PostingState.EXCEPTION])
def test_only_what_is_on_the_desk_is_retried(state: PostingState) -> None:
    assert isinstance(rules.retry_asked(Standing(state=state)), Refusal)


def test_posted_is_not_cancelled() -> None:
    wish = rules.cancel_asked(Standing(state=PostingState.POSTED, sends=1))
    assert isinstance(wish, Refusal)
    assert "reversal" in wish.why


def _move(wish: Move | Refusal) -> Move:
    assert isinstance(wish, Move)
    return wish


# ---- R8 --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "hits", "code"),
    [
        ("POSTED", [Hit()], ""),
        ("POSTED", [Hit(), Hit(document_id="8")], "ERP_DUPLICATE_POST"),
        ("POSTED", [], "ERP_MANUAL_EDIT"),
        ("POSTED", [Hit(document_id="8")], "ERP_CONTENT_MISMATCH"),
        ("POSTED", [Hit(fingerprint_ok=False)], "ERP_CONTENT_MISMATCH"),
        ("CANCELLED", [], ""),
        ("CANCELLED", [Hit()], "ERP_CONTENT_MISMATCH"),
        ("EXCEPTION", [Hit()], ""),
        ("EXCEPTION", [Hit(), Hit(document_id="8")], "ERP_DUPLICATE_POST"),
    ],
)
def test_a_verification_names_what_is_wrong(state: str, hits: list[Hit], code: str) -> None:
    standing = Standing(state=PostingState(state), sends=1, document_id="7")
    assert rules.after_verification(standing, hits).code == code


def test_posted_is_verified_twice() -> None:
    first = Standing(state=PostingState.POSTED, document_id="7")
    assert rules.after_verification(first, [Hit()]).next_seconds == 86_400
    assert rules.after_verification(replace(first, verified_count=1), [Hit()]).next_seconds is None


# ---- evidence --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        (b'{"a": 1.50}', {"a": "1.50"}),
        (b"a\x00b", "a\ufffdb"),
        (b'{"a": "\\u0000"}', '{"a": "\\u0000"}'),
        (b"\xff", "\ufffd"),
        (b"[" * 5_000, "[" * 5_000),
        (b"9" * 5_000, "9" * 5_000),
    ],
)
def test_evidence_is_kept_in_a_form_the_database_takes(body: bytes, kept: object) -> None:
    assert machine.readable(body) == kept


def test_long_evidence_is_cut() -> None:
    assert len(machine.readable(b"x" * 100_000)) < 20_100


# ---- pace ------------------------------------------------------------------------------------------------------

STEADY = Pace(
    rate_per_second=10, tokens=10, tokens_at=NOW, concurrency_max=8, concurrency_now=8, concurrency_changed_at=NOW
)


def test_slots_are_bounded_by_rate_and_by_what_is_in_flight() -> None:
    assert pace.allowance(STEADY, NOW, 3).slots == 5
    assert pace.allowance(replace(STEADY, tokens=2), NOW, 0).slots == 2
    assert pace.allowance(STEADY, NOW, 8).slots == 0


def test_tokens_come_back_with_time_and_never_exceed_one_second_of_them() -> None:
    empty = replace(STEADY, tokens=0)
    assert pace.allowance(empty, NOW, 0).again_seconds == pytest.approx(0.1)
    assert pace.allowance(empty, later(0.3), 0).slots == 3
    assert pace.allowance(empty, later(500), 0).pace.tokens == 10


def test_a_429_halves_concurrency_once_for_all_calls_it_refused_together() -> None:
    first = pace.throttled(STEADY, later(2), later(1), 30)
    assert (first.concurrency_now, first.not_before) == (4, later(32))
    again = pace.throttled(first, later(2.1), later(1), 30)
    assert again.concurrency_now == 4
    assert pace.allowance(first, later(10), 0).slots == 0


def test_concurrency_grows_by_one_a_minute_up_to_the_vendors_limit() -> None:
    slow = replace(STEADY, concurrency_now=2)
    assert pace.allowance(slow, later(59), 0).pace.concurrency_now == 2
    assert pace.allowance(slow, later(185), 0).pace.concurrency_now == 5
    assert pace.allowance(slow, later(9_000), 0).pace.concurrency_now == 8
