"""The webhook door: authentic, kept, answered; never a server error, never a letter lost or doubled."""

import hashlib
import hmac
import io
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from connectors.door import WebhookDoor
from connectors.models import Connection, InboxMessage, WebhookSecret
from connectors.services import receive
from connectors.services.inbox import replay
from connectors.services.normalise import normalise_due
from exceptions_queue.models import ExceptionCase
from finsync.audit.services import recording

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "whsec_test_one"
OTHER = "whsec_test_two"


@pytest.fixture
def door():
    with recording("user:test"):
        connection = Connection.objects.create(
            name="stripe", kind="stripe", title="Stripe", roles=["billing", "gateway"], base_url="http://127.0.0.1:1"
        )
        secret = WebhookSecret(connection=connection, slot=1)
        secret.seal(SECRET)
        secret.save()
    receive._doors.clear()
    made = WebhookDoor(lambda environ, start: [b"django"])
    yield made
    made.committer.close()


def signed(body: bytes, secret: str = SECRET, at: float | None = None) -> str:
    stamp = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def deliver(door, body: bytes, *, signature: str | None = None, path: str = "/webhooks/stripe/", **environ):
    answer: dict = {"status": 200}

    def start(status, headers):
        answer["status"], answer["headers"] = int(status.split()[0]), dict(headers)

    request = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "HTTP_STRIPE_SIGNATURE": signed(body) if signature is None else signature,
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    answer["body"] = b"".join(door({k: v for k, v in request.items() if v is not None}, start))
    return answer


def event(number: int = 1) -> bytes:
    return json.dumps({"id": f"evt_{number}", "object": "event", "type": "ping.pong", "created": 1771027260}).encode()


def test_an_authentic_letter_is_kept_byte_for_byte(door):
    body = event() + b"  "
    assert deliver(door, body)["status"] == 200
    message = InboxMessage.objects.get()
    assert bytes(message.body) == body
    assert message.sha256 == hashlib.sha256(body).hexdigest()
    assert (message.event_id, message.state) == ("evt_1", "RECEIVED")


def test_a_second_delivery_is_acknowledged_and_counted_not_kept_twice(door):
    deliver(door, event())
    answer = deliver(door, event())
    assert (answer["status"], json.loads(answer["body"])["seen_before"]) == (200, True)
    assert InboxMessage.objects.get().deliveries == 2


FORGED = {
    "none": lambda: "",
    "zeros": lambda: "t=1,v1=00",
    "garbage": lambda: "nonsense",
    "other secret": lambda: signed(event(), "whsec_wrong"),
    "older than 300 s": lambda: signed(event(), at=time.time() - 301),
    "from the future": lambda: signed(event(), at=time.time() + 400),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_what_is_not_authentic_is_refused_and_not_kept(door, forgery):
    assert deliver(door, event(), signature=FORGED[forgery]())["status"] == 401
    assert not InboxMessage.objects.exists()


def test_an_unknown_endpoint_answers_like_a_bad_signature(door):
    unknown = deliver(door, event(), path="/webhooks/nobody/")
    assert (unknown["status"], unknown["body"]) == (401, deliver(door, event(), signature="t=1,v1=0")["body"])


def test_two_secrets_are_live_during_a_rotation_and_an_expired_one_is_not(door):
    connection = Connection.objects.get()
    with recording("user:test"):
        second = WebhookSecret(connection=connection, slot=2)
        second.seal(OTHER)
        second.save()
    receive._doors.clear()
    assert deliver(door, event(1), signature=signed(event(1)))["status"] == 200
    assert deliver(door, event(2), signature=signed(event(2), OTHER))["status"] == 200
    with recording("user:test"):
        WebhookSecret.objects.filter(slot=1).update(not_after=datetime.now(UTC) - timedelta(seconds=1))
    receive._doors.clear()
    assert deliver(door, event(3), signature=signed(event(3)))["status"] == 401
    assert deliver(door, event(4), signature=signed(event(4), OTHER))["status"] == 200


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"REQUEST_METHOD": "GET"}, 405),
        ({"CONTENT_LENGTH": None}, 411),
        ({"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked"}, 411),
        ({"CONTENT_LENGTH": "-5"}, 411),
        ({"CONTENT_LENGTH": str(5 * 1024 * 1024)}, 413),
        ({"HTTP_CONTENT_ENCODING": "gzip"}, 415),
    ],
)
def test_what_cannot_be_a_letter_is_refused_before_it_is_read(door, environ, status):
    assert deliver(door, event(), **environ)["status"] == status
    assert not InboxMessage.objects.exists()


POISON = {
    "NUL": b'{"id":"evt_nul","object":"event","type":"invoice.paid","data":{"object":{"number":"a\\u0000b"}}}',
    "raw NUL": b'{"id":"evt_raw\x00"}',
    "lone surrogate": b'{"id":"evt_s","object":"event","type":"\\ud800","data":{"object":{}}}',
    "surrogate id": b'{"id":"\\ud800","object":"event"}',
    "100,000 deep": b"[" * 100_000 + b"]" * 100_000,
    "100,000 deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "not JSON": b"<xml/>",
    "empty": b"",
    "not UTF-8": b"\xff\xfe\x00",
    "NaN": b'{"id":"evt_nan","type":"invoice.paid","data":{"object":{"total":NaN}}}',
    "5,000 digits": b'{"id":"evt_big","type":"invoice.paid","data":{"object":{"total":' + b"9" * 5000 + b"}}}",
    "duplicate keys": b'{"id":"evt_dup","id":"evt_dup2","object":"event","type":"invoice.paid"}',
    "array": b"[1,2,3]",
    "long id": json.dumps({"id": "e" * 5000, "object": "event", "type": "x"}).encode(),
    "number as id": b'{"id":17,"object":"event","type":"invoice.paid"}',
}


@pytest.mark.parametrize("name", POISON)
def test_unreadable_bodies_are_kept_and_quarantined_with_a_case(door, name):
    answer = deliver(door, POISON[name])
    assert answer["status"] == 200, answer
    assert normalise_due() == 1
    message = InboxMessage.objects.get()
    assert bytes(message.body) == POISON[name]
    assert message.state in ("QUARANTINED", "IGNORED")
    if message.state == "QUARANTINED":
        assert ExceptionCase.objects.get().state == "OPEN"


def test_a_quarantined_letter_can_be_read_again_after_a_fix_and_closes_its_case(door, monkeypatch):
    from connectors.contract import Ignored
    from connectors.systems.stripe.connector import StripeConnector

    deliver(door, POISON["not JSON"])
    normalise_due()
    assert InboxMessage.objects.get().state == "QUARANTINED"
    monkeypatch.setattr(StripeConnector, "normalise", lambda self, item: Ignored(reason="understood now"))
    with recording("user:ana"):
        replay(InboxMessage.objects.get().pk)
    normalise_due()
    assert InboxMessage.objects.get().state == "IGNORED"
    case = ExceptionCase.objects.get()
    assert (case.state, case.resolution) == ("RESOLVED", "Resolved by later evidence: read after a replay")


def test_ten_unreadable_letters_of_one_kind_among_many_do_not_stop_the_others(door):
    for number in range(30):
        deliver(door, event(number))
    for number in range(10):
        deliver(door, b"<broken number='%d'/>" % number)
    normalise_due()
    states = list(InboxMessage.objects.values_list("state", flat=True))
    assert (states.count("QUARANTINED"), len(states) - states.count("QUARANTINED")) == (10, 30)


def test_concurrent_deliveries_of_the_same_events_give_one_row_each(door):
    statuses: list[int] = []

    def send(numbers) -> None:
        statuses.extend(deliver(door, event(number))["status"] for number in numbers)

    threads = [threading.Thread(target=send, args=(range(100),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 600
    assert InboxMessage.objects.count() == 100
    assert sum(InboxMessage.objects.values_list("deliveries", flat=True)) == 600


def test_a_letter_that_cannot_be_stored_is_not_acknowledged(door, monkeypatch):
    def broken(cursor, letters):
        raise RuntimeError("disk full")

    monkeypatch.setattr(receive, "keep", broken)
    answer = deliver(door, event())
    assert (answer["status"], answer["headers"]["Retry-After"]) == (503, "5")
    assert not InboxMessage.objects.exists()


def test_the_committer_survives_a_lost_database_connection(door):
    deliver(door, event(1))
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert deliver(door, event(2))["status"] == 200
    assert InboxMessage.objects.count() == 2


def test_credentials_in_headers_are_redacted_before_storage(door):
    deliver(door, event(), HTTP_AUTHORIZATION="Bearer very-secret", HTTP_COOKIE="session=abc")
    headers = InboxMessage.objects.get().headers
    assert headers["authorization"] == headers["cookie"] == "(redacted)"


def test_other_paths_go_to_django(door):
    assert deliver(door, b"", path="/exceptions/")["body"] == b"django"


def test_a_received_letter_cannot_be_changed_or_deleted(door):
    from django.db import DatabaseError, connection, transaction

    deliver(door, event())
    for sql in ("UPDATE inbox_message SET body = 'x'", "DELETE FROM inbox_message", "TRUNCATE inbox_message CASCADE"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(sql)
