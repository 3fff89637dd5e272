"""Pausing, probing and pacing a route, one fact at a time."""

import pytest

from connectors.models import Connection
from connectors.simulator.faults import PostFault
from connectors.simulator.server import Server
from exceptions_queue.models import ExceptionCase
from finsync.audit.services import recording
from finsync.posting.services.dispatch import dispatch_due
from finsync.posting.services.governor import probe_now, probe_paused
from finsync.posting.services.janitor import settle_due
from finsync.posting.services.rows import run
from finsync.posting.services.store import PostgresStore
from tests.posting import prepared
from tests.posting.at_work import due, only, weather

pytestmark = pytest.mark.django_db


def test_refused_credentials_pause_the_route_and_a_probe_resumes_it(erp: Server, target: Connection) -> None:
    erp.control({"locked_out": True})
    postings = prepared.postings(target, 3)
    dispatch_due(threads=1)
    target.refresh_from_db()
    assert target.state == "PAUSED"
    assert ExceptionCase.objects.get(code="ERP_AUTH_FAILED").state == "OPEN"
    assert {only(posting).status for posting in postings} == {"READY"}
    assert sum(posting.attempts for posting in postings) == 0
    assert probe_paused() == 0
    assert dispatch_due() == 0
    erp.control({"locked_out": False})
    assert "answers again" in probe_now(target.pk)
    assert ExceptionCase.objects.get(code="ERP_AUTH_FAILED").state == "RESOLVED"
    due(*postings)
    dispatch_due()
    assert {only(posting).status for posting in postings} == {"POSTED"}


def test_five_failures_in_a_row_pause_the_route_and_burn_no_more_attempts(target: Connection) -> None:
    with recording("test"):
        Connection.objects.filter(pk=target.pk).update(base_url="http://127.0.0.1:9")
    postings = prepared.postings(target, 12)
    dispatch_due(threads=1)
    target.refresh_from_db()
    assert (target.state, ExceptionCase.objects.get().code) == ("PAUSED", "ERP_ROUTE_PAUSED")
    assert sum(only(posting).attempts for posting in postings) == 5
    due(*postings)
    assert dispatch_due() == 0
    assert sum(only(posting).attempts for posting in postings) == 5


def test_a_target_that_is_still_being_set_up_waits_for_its_first_answer(erp: Server) -> None:
    waiting = prepared.target("new", erp.url, state="WAITING")
    prepared.postings(waiting, 2)
    assert dispatch_due() == 0
    assert probe_paused() == 1
    assert dispatch_due() == 2


def test_a_429_slows_the_whole_route(erp: Server, target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    with weather(erp, PostFault.THROTTLED):
        dispatch_due()
    target.refresh_from_db()
    assert (target.concurrency_now, only(posting).status) == (4, "READY")
    assert target.not_before is not None
    prepared.wake(target, {posting.lane})
    assert dispatch_due() == 0


def test_a_doubt_on_a_paused_route_is_not_asked_but_grows_old(target: Connection) -> None:
    [posting] = prepared.postings(target, 1)
    PostgresStore("dead").claim(target.pk, 1, lambda document: {})
    run("UPDATE posting SET lease_until = now() - interval '1 s', next_action_at = now() WHERE id = %s", [posting.pk])
    with recording("test"):
        Connection.objects.filter(pk=target.pk).update(state="PAUSED")
    settle_due()
    due(posting)
    settle_due()
    assert (only(posting).status, posting.lookups) == ("UNKNOWN", 0)
    assert not posting.attempt_log.filter(kind="LOOKUP").exists()
