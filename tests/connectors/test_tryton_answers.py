"""The Tryton connector without a server: bodies, the stamp, and what recorded answers of Tryton 8.2 mean."""

import itertools
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.contract import ConnectionConfig, Ignored, RawItem
from connectors.errors import AuthFailed, OutcomeUnknown, Rejected, TryLater, Unsupported
from connectors.systems.tryton import client, refusals, stamp
from connectors.systems.tryton.capabilities import CAPABILITIES
from connectors.systems.tryton.client import TrytonClient
from connectors.systems.tryton.connector import CONNECTOR, TrytonConnector
from connectors.transport import Transport
from finsync.core.keys import canonical_json
from finsync.core.money import Money
from finsync.core.reasons import REASONS
from tests.connectors import tryton_documents as documents

FIXTURES = Path(client.__file__).parent / "fixtures"
ANSWERS = json.loads((FIXTURES / "answers.json").read_text())
ERP = "http://erp.test"

Reply = Callable[[str, list[Any]], httpx.Response]


@pytest.fixture(autouse=True)
def without_sessions() -> Iterator[None]:
    client._SESSIONS.clear()
    yield
    client._SESSIONS.clear()


def answered(result: Any) -> httpx.Response:
    return httpx.Response(200, json={"id": 1, "result": result})


class Script(httpx.BaseTransport):
    """A server that signs everybody in and answers the other calls in turn; keeps the methods called."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self._replies, self.methods = iter(replies), []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        method = json.loads(request.read())["method"]
        self.methods.append(method)
        if method == "common.db.login":
            return answered([2, "token", None])
        reply = next(self._replies)
        if isinstance(reply, Exception):
            raise reply
        return reply


def scripted(*replies: httpx.Response | Exception) -> tuple[TrytonClient, Script]:
    script = Script(*replies)
    return TrytonClient(Transport(ERP, inner=script), "erp", "finsync", "secret"), script


def recorded(name: str) -> httpx.Response:
    (answer,) = [answer for answer in ANSWERS if answer["name"] == name]
    return httpx.Response(answer["status"], text=answer["body"])


# ---- answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", ANSWERS, ids=[answer["name"] for answer in ANSWERS])
def test_recorded_answer_means_one_of_the_closed_errors(answer: dict[str, Any]) -> None:
    erp, _ = scripted(httpx.Response(answer["status"], text=answer["body"]))
    expected = {
        "Rejected": Rejected,
        "TryLater": TryLater,
        "AuthFailed": AuthFailed,
        "AnswerNeeded": refusals.AnswerNeeded,
    }[answer["means"]]
    with pytest.raises(expected) as raised:
        erp._post("/erp/rpc/", "model.any.method", [{}], writes=True)
    assert getattr(raised.value, "code", "") == answer["code"]
    assert len(str(raised.value)) <= refusals.DETAIL_CHARACTERS_MAX


def test_every_reason_is_one_the_exceptions_queue_knows() -> None:
    codes = [value for name, value in vars(refusals).items() if name.isupper() and isinstance(value, str)]
    assert {code for code in codes if code.startswith(("ERP_", "MDM_"))} <= set(REASONS)
    assert len(codes) >= 7


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (httpx.Response(200, text="<html>"), OutcomeUnknown),
        (httpx.Response(200, json={"id": 1}), OutcomeUnknown),
        (httpx.Response(500, text="boom"), OutcomeUnknown),
        (httpx.Response(503, text="the connection was lost"), OutcomeUnknown),
        (httpx.Response(504, text="timeout"), OutcomeUnknown),
        (httpx.ReadTimeout("lost"), OutcomeUnknown),
        (httpx.ConnectError("refused"), TryLater),
        (httpx.Response(429, headers={"Retry-After": "7"}), TryLater),
    ],
)
def test_change_without_a_clear_answer_is_in_doubt(reply: Any, error: type[Exception]) -> None:
    erp, _ = scripted(reply)
    with pytest.raises(error):
        erp.change("model.account.move.create", [{}])
    assert erp.touched is (error is OutcomeUnknown)


def test_question_without_a_clear_answer_may_be_asked_again() -> None:
    erp, _ = scripted(httpx.Response(500, text="boom"))
    with pytest.raises(TryLater):
        erp.rows("party.party", [], ["name"])


def test_lock_conflict_after_a_draft_was_stored_is_in_doubt_and_before_it_is_not() -> None:
    erp, _ = scripted(recorded("sequence locked"))
    with pytest.raises(TryLater), erp.one_document(exists=False):
        erp.change("model.account.move.post", [1])
    erp, _ = scripted(answered([1]), recorded("sequence locked"))
    with pytest.raises(OutcomeUnknown), erp.one_document(exists=False):
        erp.change("model.account.move.create", [{}])
        erp.change("model.account.move.post", [1])
    erp, _ = scripted(recorded("sequence locked"))
    with pytest.raises(OutcomeUnknown), erp.one_document(exists=True):
        erp.change("model.account.move.post", [1])


def test_expired_session_is_renewed_once_and_the_call_repeated() -> None:
    erp, script = scripted(answered([]), recorded("lost session"), answered([{"id": 1}]))
    erp.rows("party.party", [], ["name"])
    assert erp.rows("party.party", [], ["name"], limit=1) == [{"id": 1}]
    assert script.methods.count("common.db.login") == 2
    erp, script = scripted(recorded("lost session"), recorded("lost session"))
    with pytest.raises(AuthFailed):
        erp.change("model.account.move.create", [{}])
    assert not erp.touched


def test_session_is_shared_by_the_connectors_of_one_process() -> None:
    for _ in range(2):
        erp, script = scripted(answered([]))
        erp.rows("party.party", [], ["name"])
    assert "common.db.login" not in script.methods


def test_question_of_the_policy_is_answered_and_any_other_is_a_refusal() -> None:
    erp, script = scripted(recorded("question about a future date"), answered(None), answered([5]))
    assert erp.change("model.account.invoice.post", [5]) == [5]
    assert script.methods[-3:] == [
        "model.account.invoice.post",
        "model.res.user.warning.skip",
        "model.account.invoice.post",
    ]
    similar = {"id": 1, "error": ["UserWarning", ["0f.invoice_similar", "The invoice is similar to another.", ""]]}
    erp, script = scripted(httpx.Response(200, json=similar))
    with pytest.raises(Rejected, match="similar to another"):
        erp.change("model.account.invoice.post", [5])
    assert script.methods[-1] == "model.account.invoice.post"


# ---- bodies and the stamp --------------------------------------------------------------------------------------


@pytest.fixture
def erp(monkeypatch: pytest.MonkeyPatch) -> TrytonConnector:
    """A connector that cannot call anybody, and documents numbered from 1."""
    monkeypatch.setattr(documents, "_numbers", itertools.count(1))
    config = ConnectionConfig(name="erp", kind="tryton", base_url=ERP)
    return CONNECTOR(config, Transport(ERP, inner=Script()))


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("customer", documents.customer),
        ("invoice", lambda: documents.invoice("17", accounting=date(2026, 3, 1), due=date(2026, 3, 16))),
        ("invoice_uk", lambda: documents.invoice("17", "UK01")),
        ("payment", lambda: documents.payment("17", Money.of("5712.04", "USD"))),
        ("payment_application", lambda: documents.application("8", "9", Money.of("5712.04", "USD"))),
        ("journal", lambda: documents.recognition(Money.of("1167.13", "USD"))),
    ],
)
def test_body_is_the_golden_one(erp: TrytonConnector, name: str, make: Callable[[], Any]) -> None:
    body = erp.build_body(make())
    assert body == json.loads((FIXTURES / "bodies" / f"{name}.json").read_text())
    assert canonical_json(body)  # plain JSON without floats


@pytest.mark.parametrize(
    ("quantity", "net", "sent"),
    [
        ("5", "5276.71", ("5", "1055.3420")),
        ("3", "100.00", ("3", "33.3333")),
        ("700", "100.00", ("1", "100.00")),  # 0.1429 × 700 = 100.03
        ("0", "100.00", ("1", "100.00")),
        ("5", "-10.00", ("5", "-2.0000")),
    ],
)
def test_quantity_is_real_only_where_four_decimals_of_price_give_the_amount(
    erp: TrytonConnector, quantity: str, net: str, sent: tuple[str, str]
) -> None:
    (line,) = erp.build_body(documents.invoice("17", net=net, quantity=quantity))["lines"]
    assert (line["quantity"], line["unit_price"]) == sent


def test_stamp_reads_back_what_was_written_whatever_the_narrative_says(erp: TrytonConnector) -> None:
    document = documents.invoice("17")
    facts = stamp.facts_of(document)
    for text in (
        stamp.one_line(document.external_ref, "a | version=9 \n contract=X", facts),
        stamp.many_lines(document.external_ref, "a | version=9 \n contract=X", facts, "Dated later.", "kind of late"),
    ):
        assert stamp.read(text) == {**facts, "reference": document.external_ref}
    assert facts["effective"] == "2026-02-14"
    assert facts["correlation"] == "cor-1"


@pytest.mark.parametrize("text", [None, "", "|", "Invoice I2026-1", "version=2"])
def test_text_without_a_stamp_names_no_reference(text: str | None) -> None:
    assert "reference" not in stamp.read(text)


def test_tryton_takes_no_subscription_and_offers_no_stream(erp: TrytonConnector) -> None:
    assert CAPABILITIES.problems() == []
    item = RawItem(event_id="1", object="x", body=b"\x00")
    assert isinstance(erp.normalise(item), Ignored)
    assert not erp.verify({}, b"\xff", [], datetime(2026, 1, 1, tzinfo=UTC)).ok
    with pytest.raises(Unsupported):
        erp.poll("x", "", datetime(2026, 1, 1, tzinfo=UTC))
