"""The evidence behind one event of a trace: what came, what was held true, what was sent, what was answered."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.models import InboxMessage
from finsync.canonical.models import CanonicalChange
from finsync.core.keys import bytes_hash
from finsync.core.money import Money
from finsync.kit.masking import masked, masked_text, readable
from finsync.kit.wording import plain, tail
from finsync.posting.models import Attempt, Posting

TABS = (
    ("origin", "Origin"),
    ("canonical", "Canonical"),
    ("sent", "Sent"),
    ("response", "Response"),
    ("fields", "Field lineage"),
)
LEAVES_MAX = 2_000
FIELDS_SHOWN_MAX = 120
PATHS_NAMED_MAX = 2
# A value this short stands in many places by chance; it is matched only where exactly one place holds it.
SHORT_VALUE_CHARACTERS = 3


@dataclass(frozen=True)
class FieldLine:
    """One canonical field with where the same value stands in the letter and in what was sent."""

    path: str
    value: str
    source: str
    target: str
    rule: str


@dataclass
class Evidence:
    """What the panel shows for one event."""

    title: str
    tab: str
    event: str
    badge: tuple[str, str] | None = None
    letter: InboxMessage | None = None
    change: CanonicalChange | None = None
    attempt: Attempt | None = None
    text: str = ""
    note: str = ""
    hash: str = ""
    hash_matches: bool | None = None
    exchanges: list[dict[str, Any]] = field(default_factory=list)
    fields: list[FieldLine] = field(default_factory=list)


def evidence(
    row: Posting,
    event: str,
    tab: str,
    *,
    number: int | None,
    change: CanonicalChange,
    attempt: Attempt | None,
    letter: InboxMessage | None,
    lines: Sequence[Mapping[str, Any]],
) -> Evidence:
    """Build the panel. ``attempt`` is the selected one or the last send, ``change`` the selected or the own one."""
    own = change.pk == row.change_id
    if event.startswith("a") and attempt is not None:
        kinds = {
            "SEND": f"Posting attempt {number}" if number else "Posting attempt",
            "LOOKUP": "Look-up",
            "VERIFY": "Read-back",
        }
        title, badge = kinds.get(attempt.kind, "Attempt"), ("attempt", attempt.outcome or "")
    else:
        title, badge = f"{plain(change.record_type)} {tail(change.business_key)}", None
    tab = tab if tab in dict(TABS) else "sent" if badge and attempt else "canonical"
    made = Evidence(title, tab, event, badge, letter, change, attempt if own else None)
    {
        "origin": _origin,
        "canonical": _canonical,
        "sent": _sent,
        "response": _response,
        "fields": lambda panel: _fields(panel, row, lines),
    }[tab](made)
    return made


def _origin(panel: Evidence) -> None:
    if panel.letter is None:
        panel.note = "The letter this came from is not kept here."
        return
    body = bytes(panel.letter.body)
    panel.text = readable(body)[0]
    panel.hash, panel.hash_matches = panel.letter.sha256, bytes_hash(body) == panel.letter.sha256


def _canonical(panel: Evidence) -> None:
    assert panel.change is not None
    panel.text = json.dumps(masked(panel.change.record), indent=2, ensure_ascii=False)
    panel.hash = panel.change.content_hash


def _sent(panel: Evidence) -> None:
    if panel.attempt is None:
        panel.note = "Nothing was sent for this so far."
        return
    panel.text = json.dumps(masked(panel.attempt.request), indent=2, ensure_ascii=False)
    panel.hash = panel.attempt.request_hash


def _response(panel: Evidence) -> None:
    if panel.attempt is None:
        panel.note = "Nothing was sent for this, so nothing was answered."
        return
    for exchange in panel.attempt.response.get("exchanges") or []:
        received = masked(exchange.get("received"))
        panel.exchanges.append(
            {
                "call": f"{exchange.get('method', '')} {masked_text(str(exchange.get('url', '')))}".strip(),
                "status": exchange.get("status"),
                "elapsed_ms": exchange.get("elapsed_ms"),
                "error": exchange.get("error") or "",
                "text": received if isinstance(received, str) else json.dumps(received, indent=2, ensure_ascii=False),
                "empty": received in (None, "", {}, []),
            }
        )
    if not panel.exchanges:
        panel.note = panel.attempt.detail or "No answer is kept for this attempt."


# ---- field lineage ---------------------------------------------------------------------------------------------


def _fields(panel: Evidence, row: Posting, lines: Sequence[Mapping[str, Any]]) -> None:
    assert panel.change is not None
    letter = readable(bytes(panel.letter.body))[1] if panel.letter is not None else None
    came, sent = _index(letter), _index(masked(panel.attempt.request) if panel.attempt else None)
    body = {name: value for name, value in panel.change.record.items() if name != "lineage"}
    for path, value in list(_leaves(masked(body)))[:FIELDS_SHOWN_MAX]:
        if value in (None, "", True, False):
            continue
        forms = _forms(value)
        panel.fields.append(FieldLine(path, forms[0], _where(came, forms), _where(sent, forms), _rule(value, lines)))


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and set(value) != {"minor", "currency"}:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _leaves(item, f"{path}[{number}]")
    else:
        yield path, value


def _forms(value: Any) -> list[str]:
    """The ways one value is written: an amount in major and in minor units, a number with and without zeros."""
    if isinstance(value, dict):
        amount = Money(int(value["minor"]), value["currency"])
        return [str(amount), f"{amount.major:f}", str(amount.minor), f"{amount.major.normalize():f}"]
    text = str(value)
    plain_number = text.rstrip("0").rstrip(".") if "." in text and text.replace(".", "").isdigit() else text
    return [text, plain_number] if plain_number != text else [text]


def _index(value: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for number, (path, leaf) in enumerate(_leaves(value)):
        if number >= LEAVES_MAX:
            break
        if leaf not in (None, "", True, False):
            for form in _forms(leaf):
                found.setdefault(form.lower(), []).append(path)
    return found


def _where(places: Mapping[str, list[str]], forms: Sequence[str]) -> str:
    for form in forms:
        paths = places.get(form.lower(), [])
        if not paths or (len(form) < SHORT_VALUE_CHARACTERS and len(paths) > 1):
            continue
        more = f" and {len(paths) - PATHS_NAMED_MAX} more" if len(paths) > PATHS_NAMED_MAX else ""
        return ", ".join(paths[:PATHS_NAMED_MAX]) + more
    return ""


def _rule(value: Any, lines: Sequence[Mapping[str, Any]]) -> str:
    """The rules whose journal lines carry exactly this amount."""
    if not isinstance(value, dict):
        return ""
    hits = [line for line in lines if (line["minor"], line["currency"]) == (value["minor"], value["currency"])]
    return ", ".join(
        dict.fromkeys(f"{line['rule']}{', ' + line['set'] + ' ' + line['row'] if line['set'] else ''}" for line in hits)
    )
