"""What every connector promises (connectors/contract.py), proven for every one that is registered.

What a vendor's letters and answers mean is proven beside it in tests/connectors; here is what all have in common.
"""

import ast
import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract import ConnectionConfig, Ignored, NeedsFetch, Normalised, RawItem, Unreadable, Window
from connectors.doubles.deliveries import Deliveries
from connectors.doubles.faults import Faults
from connectors.doubles.store import Store
from connectors.errors import AuthFailed, ConnectorError, NotFound, OutcomeUnknown, Rejected, TryLater, Unsupported
from connectors.registry import connector_classes
from connectors.signatures import TOLERANCE_SECONDS
from connectors.transport import Transport
from finsync.core.keys import canonical_json
from finsync.core.records import fact_hash, to_json
from finsync.core.records.document import DocType
from tests.contract.documents import document

SYSTEMS = Path(__file__).resolve().parents[2] / "connectors" / "systems"
CONNECTORS = connector_classes()
KINDS = sorted(CONNECTORS)
SENDERS = [kind for kind in KINDS if CONNECTORS[kind].capabilities.webhook]
POSTS = [(kind, doc_type) for kind in KINDS for doc_type in CONNECTORS[kind].capabilities.posts]
GOLDEN = [
    (kind, path)
    for kind in KINDS
    for path in sorted((SYSTEMS / kind / "fixtures" / "normalise").glob("*.json"))
    if ".expected" not in path.name
]
READ_AT = datetime(2026, 2, 20, 0, 0, 5, tzinfo=UTC)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = Window(start=date(2026, 1, 1), end=date(2027, 1, 1))
OUTCOMES = (Normalised, Ignored, NeedsFetch, Unreadable)
SIX = (TryLater, Rejected, AuthFailed, OutcomeUnknown, NotFound, Unsupported)
# Signs in and asks before it creates anything, so what fails first was surely no document: see test_tryton_answers.py.
ASKS_FIRST = "tryton"
SIMULATED = "simulated_erp"


def connector(kind: str, answer: Callable[[httpx.Request], httpx.Response] | None = None) -> Any:
    """Return a connector that meets ``answer`` instead of the network; without one it may not ask at all."""
    secrets = {name: "s3cret" for name in ("api_key", "client_id", "client_secret", "user", "password")}
    config = ConnectionConfig(name=kind, kind=kind, base_url="http://target", secrets=secrets)
    return CONNECTORS[kind](config, Transport("http://target", inner=httpx.MockTransport(answer or _no_network)))


def _no_network(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"this is pure, but asked for {request.url}")


# ---- the table -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_capability_table_promises_nothing_unsafe(kind: str) -> None:
    table = CONNECTORS[kind].capabilities
    assert table.problems() == []
    assert (table.kind, table.roles != ()) == (kind, True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_declared_is_unsupported(kind: str) -> None:
    table, one = CONNECTORS[kind].capabilities, connector(kind)
    undeclared: list[Callable[[], Any]] = [
        lambda: one.poll("nowhere", "", NOW),
        lambda: one.fetch("nothing_of_this_kind", ["1"]),
        lambda: list(one.observe("nothing_of_this_kind", WINDOW)),
    ]
    if not table.posts:
        something = document(DocType.CUSTOMER)
        undeclared += [
            lambda: one.build_body(something),
            lambda: one.send(something, {}),
            lambda: one.find(something),
        ]
    if not table.knows_periods:
        undeclared.append(lambda: one.periods("US01"))
    for ask in undeclared:
        with pytest.raises(Unsupported):
            ask()


# ---- receiving -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "path"), GOLDEN, ids=lambda value: getattr(value, "stem", value))
def test_golden_letters_say_what_is_written_beside_them(kind: str, path: Path) -> None:
    expected = json.loads(path.with_suffix(".expected.json").read_text())
    item = RawItem(event_id="e", object="x", body=path.read_bytes(), source_ts=READ_AT)
    said, again = connector(kind).normalise(item), connector(kind).normalise(item)
    assert type(said).__name__ == expected["result"]
    assert said == again, "reading is pure"
    if isinstance(said, Normalised):
        stated = [(record.record_type, _without_system(to_json(record))) for record in said.records]
        assert stated == [(one["record_type"], _without_system(one["body"])) for one in expected["records"]]
        assert all(fact_hash(record) for record in said.records)


def _without_system(body: dict[str, Any]) -> dict[str, Any]:
    """The lineage names the connection, which is called otherwise in the connector's own tests."""
    return {**body, "lineage": {name: value for name, value in body["lineage"].items() if name != "system"}}


@pytest.mark.parametrize("kind", SENDERS)
def test_who_sends_letters_has_golden_ones(kind: str) -> None:
    assert any(owner == kind for owner, _ in GOLDEN)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_reading_never_raises_on_any_bytes(kind: str, data: st.DataObject) -> None:
    golden = [path.read_bytes() for owner, path in GOLDEN if owner == kind]
    body = data.draw(st.binary(max_size=400) | _json_bytes() | _damaged(golden), label="body")
    headers = data.draw(st.dictionaries(st.text(max_size=20), st.text(max_size=60), max_size=4), label="headers")
    found, one = CONNECTORS[kind], connector(kind)
    assert isinstance(one.normalise(RawItem(event_id="e", object="x", body=body, source_ts=READ_AT)), OUTCOMES)
    assert found.verify(headers, body, ["secret"], NOW).ok is False
    assert found.webhook_event_id(headers, body) is None or isinstance(found.webhook_event_id(headers, body), str)
    assert isinstance(found.webhook_object(headers, body), str)


def _json_bytes() -> st.SearchStrategy[bytes]:
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    values = st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    )
    return values.map(lambda value: json.dumps(value).encode())  # fmt: skip


def _damaged(golden: list[bytes]) -> st.SearchStrategy[bytes]:
    """A golden letter with a piece cut out or replaced."""
    if not golden:
        return st.just(b"{}")

    def damage(letter: bytes, start: int, length: int, piece: bytes) -> bytes:
        at = start % (len(letter) + 1)
        return letter[:at] + piece + letter[at + length :]

    return st.builds(damage, st.sampled_from(golden), st.integers(0, 10_000), st.integers(0, 40), st.binary(max_size=8))


# ---- signatures ------------------------------------------------------------------------------------------------

BODY = b'{"id":"evt_1"}'


def signed(kind: str, secret: str, body: bytes = BODY) -> tuple[dict[str, str], datetime]:
    """Return the headers the vendor's double sends, and when."""
    try:
        room = importlib.import_module(f"connectors.systems.{kind}.sandbox.deliveries")
        outbox = next(kept for kept in vars(room).values() if isinstance(kept, type) and kept.__base__ is Deliveries)
    except ModuleNotFoundError:
        outbox = Deliveries
    store = Store(":memory:")
    return outbox(store, Faults(store, seed=1), "", secret).headers("evt_1", body), datetime.now(UTC)


@pytest.mark.parametrize("kind", SENDERS)
def test_only_a_live_secret_within_the_tolerance_opens_the_door(kind: str) -> None:
    verify, old, new = CONNECTORS[kind].verify, "whsec_b2xkLXNlY3JldA==", "whsec_bmV3LXNlY3JldA=="
    headers, sent = signed(kind, old)
    aside = timedelta(seconds=TOLERANCE_SECONDS + 5)
    assert verify(headers, BODY, [old], sent).ok
    assert verify(headers, BODY, [new, old], sent).ok, "both secrets live while one is rotated"
    assert verify({name.upper(): value for name, value in headers.items()}, BODY, [old], sent).ok
    refused = {
        "another body": verify(headers, BODY + b" ", [old], sent),
        "another secret": verify(headers, BODY, [new], sent),
        "no secret": verify(headers, BODY, [], sent),
        "an empty secret": verify(signed(kind, "")[0], BODY, [""], sent),
        "too old": verify(headers, BODY, [old], sent + aside),
        "from the future": verify(headers, BODY, [old], sent - aside),
        "no headers": verify({}, BODY, [old], sent),
    }
    assert [why for why, check in refused.items() if check.ok or not check.reason] == []


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in SENDERS])
def test_who_sends_no_letters_is_never_believed(kind: str) -> None:
    headers, sent = signed("stripe", "secret")
    assert not CONNECTORS[kind].verify(headers, BODY, ["secret"], sent).ok


# ---- posting ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "doc_type"), POSTS)
def test_a_body_is_plain_json_the_same_each_time_and_names_our_reference(kind: str, doc_type: DocType) -> None:
    wanted = document(doc_type)
    body = connector(kind).build_body(wanted)
    assert canonical_json(body) == canonical_json(connector(kind).build_body(wanted))  # refuses floats
    assert json.loads(json.dumps(body)) == body
    assert wanted.external_ref in json.dumps(body)


@pytest.mark.parametrize(("kind", "doc_type"), [one for one in POSTS if one[0] != SIMULATED])
def test_every_kind_of_document_has_a_golden_body(kind: str, doc_type: DocType) -> None:
    bodies = SYSTEMS / kind / "fixtures" / "bodies"
    assert [path for path in bodies.glob("*.json") if path.stem == doc_type or path.stem.startswith(f"{doc_type}_")]


# ---- errors ----------------------------------------------------------------------------------------------------

# What each answer to a single POST may mean: refused for sure, or perhaps processed.
IN_DOUBT = (OutcomeUnknown,)
ANSWERS: dict[str, tuple[httpx.Response | httpx.TransportError, tuple[type[ConnectorError], ...]]] = {
    "400": (httpx.Response(400, json={}), (Rejected, OutcomeUnknown)),
    "401": (httpx.Response(401, json={}), (AuthFailed,)),
    "403": (httpx.Response(403, json={}), (AuthFailed, Rejected, OutcomeUnknown)),
    "404": (httpx.Response(404, json={}), (NotFound, Rejected, OutcomeUnknown)),
    "408": (httpx.Response(408), IN_DOUBT),
    "409": (httpx.Response(409, text="-"), (Rejected, TryLater, OutcomeUnknown)),
    "422": (httpx.Response(422, json={}), (Rejected, OutcomeUnknown)),
    "429": (httpx.Response(429, headers={"retry-after": "7"}), (TryLater,)),
    "429 with a date": (httpx.Response(429, headers={"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), (TryLater,)),
    "302": (httpx.Response(302, headers={"location": "http://elsewhere/"}), IN_DOUBT),
    "500": (httpx.Response(500), IN_DOUBT),
    "502": (httpx.Response(502, text="<html>"), IN_DOUBT),
    "503": (httpx.Response(503), (TryLater, OutcomeUnknown)),
    "504": (httpx.Response(504), IN_DOUBT),
    "an empty success": (httpx.Response(200), IN_DOUBT),
    "an unreadable success": (httpx.Response(200, content=b"\xff{"), IN_DOUBT),
    "a success of another shape": (httpx.Response(200, json=[1]), IN_DOUBT),
    "no connection": (httpx.ConnectError("refused"), (TryLater,)),
    "no connection in time": (httpx.ConnectTimeout("slow"), (TryLater,)),
    "half sent": (httpx.WriteError("reset"), IN_DOUBT),
    "no answer in time": (httpx.ReadTimeout("slow"), IN_DOUBT),
    "reset before the answer": (httpx.ReadError("reset"), IN_DOUBT),
    "broken off": (httpx.RemoteProtocolError("closed"), IN_DOUBT),
}


def always(answer: httpx.Response | httpx.TransportError) -> Callable[[httpx.Request], httpx.Response]:
    def reply(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, httpx.TransportError):
            raise answer
        return answer

    return reply


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize(("kind", "doc_type"), POSTS)
def test_a_post_that_fails_is_one_of_the_six_and_in_doubt_where_it_may_have_been_processed(
    kind: str, doc_type: DocType, answer: str
) -> None:
    reply, meanings = ANSWERS[answer]
    one, wanted = connector(kind, always(reply)), document(doc_type)
    with pytest.raises(SIX) as raised:
        one.send(wanted, connector(kind).build_body(wanted))
    if kind != ASKS_FIRST:
        assert isinstance(raised.value, meanings), f"{answer} means {type(raised.value).__name__}: {raised.value}"


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_question_that_fails_is_one_of_the_six(kind: str, answer: str) -> None:
    one = connector(kind, always(ANSWERS[answer][0]))
    for ask in _questions(kind, one):
        try:
            ask()
        except SIX:
            continue
        assert not answer.startswith(("4", "5", "no ", "half", "reset", "broken")), f"{answer} was taken for an answer"


def _questions(kind: str, one: Any) -> Iterator[Callable[[], Any]]:
    table = CONNECTORS[kind].capabilities
    yield one.ping
    yield from (lambda stream=stream: one.poll(stream.name, "", NOW) for stream in table.poll)  # type: ignore[misc]
    yield from (lambda name=name: one.fetch(name, ["x1"]) for name in table.fetches)  # type: ignore[misc]
    yield from (lambda name=name: list(one.observe(name, WINDOW)) for name in table.observes)  # type: ignore[misc]
    yield from (lambda how=doc_type: one.find(document(how)) for doc_type, can in table.posts.items() if can.findable)  # type: ignore[misc]
    if table.knows_periods:
        yield lambda: one.periods("US01")


# ---- floors ----------------------------------------------------------------------------------------------------


def test_connectors_load_no_framework() -> None:
    modules = [f"connectors.systems.{kind}.connector" for kind in KINDS]
    program = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(sorted({'django', 'celery', 'rest_framework', 'psycopg', 'redis'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=SYSTEMS.parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("kind", KINDS)
def test_a_connector_knows_no_other(kind: str) -> None:
    foreign = []
    for path in (SYSTEMS / kind).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign += [
                f"{path.name}:{node.lineno} {name}"
                for name in names
                if name.startswith("connectors.systems.") and name.split(".")[2] != kind
            ]
    assert foreign == []
