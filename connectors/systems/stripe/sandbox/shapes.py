"""Stripe's manners around every object: bracket forms, refusals, lists in pages, expanded references, search."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from connectors.doubles.server import Refused
from connectors.doubles.store import Store

LIMIT_DEFAULT, LIMIT_MAX = 10, 100
LINES_SHOWN_MAX = 10  # an invoice carries its first ten lines, the rest is paged

KIND_OF_PREFIX = {
    "cus": "customer",
    "sub": "subscription",
    "in": "invoice",
    "ch": "charge",
    "pi": "payment_intent",
    "txn": "balance_transaction",
    "txr": "tax_rate",
    "price": "price",
}
_SEARCH = re.compile(r"""metadata\[['"]([^'"]+)['"]\]\s*:\s*['"]([^'"]*)['"]""")
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "gte": lambda a, b: a >= b,
    "gt": lambda a, b: a > b,
    "lte": lambda a, b: a <= b,
    "lt": lambda a, b: a < b,
}

Json = dict[str, Any]


def bad_request(
    message: str, *, code: str = "parameter_invalid", kind: str = "invalid_request_error", status: int = 400
) -> Refused:
    """A refusal in Stripe's words."""
    return Refused(status, {"error": {"type": kind, "code": code, "message": message}})


def missing(kind: str, object_id: str, status: int = 404) -> Refused:
    """There is no such object."""
    return bad_request(f"No such {kind}: '{object_id}'", code="resource_missing", status=status)


def form(pairs: str | Mapping[str, str]) -> Json:
    """Read a bracket form (``items[0][quantity]=15``) into nested objects; numbered objects become lists."""
    made: Json = {}
    for name, value in parse_qsl(pairs, keep_blank_values=True) if isinstance(pairs, str) else pairs.items():
        head, *rest = re.findall(r"[^\[\]]+", name) or [name]
        place: Json = made
        for key in [head, *rest[:-1]] if rest else []:
            place = place.setdefault(key, {})
        if name.endswith("[]"):
            place.setdefault(head, {})[str(len(place.get(head, {})))] = value
        else:
            place[rest[-1] if rest else head] = value
    return {name: _listed(value) for name, value in made.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    parts = {name: _listed(item) for name, item in value.items()}
    if parts and all(name.isdigit() for name in parts):
        return [parts[name] for name in sorted(parts, key=int)]
    return parts


def page(rows: list[Json], query: Json, url: str) -> Json:
    """One page of rows, which come newest first, after the filters every list knows."""
    rows = [row for row in rows if _within(row, query.get("created"))]
    limit = int(query.get("limit", LIMIT_DEFAULT))
    if not 1 <= limit <= LIMIT_MAX:
        raise bad_request(f"limit must be between 1 and {LIMIT_MAX}")
    ids = [row["id"] for row in rows]
    for cursor in filter(None, (query.get("starting_after"), query.get("ending_before"))):
        if cursor not in ids:
            raise missing("object", cursor, 400)
    if after := query.get("starting_after"):
        rest = rows[ids.index(after) + 1 :]
        shown, more = rest[:limit], len(rest) > limit
    elif before := query.get("ending_before"):
        rest = rows[: ids.index(before)]
        shown, more = rest[-limit:], len(rest) > limit
    else:
        shown, more = rows[:limit], len(rows) > limit
    return {"object": "list", "url": url, "has_more": more, "data": shown}


def _within(row: Json, created: Any) -> bool:
    if not created:
        return True
    bounds = created if isinstance(created, dict) else {"gte": created, "lte": created}
    return all(_COMPARISONS[name](row["created"], int(bound)) for name, bound in bounds.items())


def search(rows: list[Json], query: str, url: str) -> Json:
    """Search by one metadata value; the only clause this double understands."""
    clause = _SEARCH.fullmatch(query.strip())
    if not clause:
        raise bad_request(f"the double searches metadata['name']:'value' only, not {query}")
    name, value = clause.groups()
    found = [row for row in rows if row.get("metadata", {}).get(name) == value]
    return {"object": "search_result", "url": url, "has_more": False, "next_page": None, "data": found}


def shown(body: Json) -> Json:
    """An object as it is sent: of an invoice only the first lines."""
    if body.get("object") != "invoice":
        return body
    lines = body["lines"]["data"]
    first = {"data": lines[:LINES_SHOWN_MAX], "has_more": len(lines) > LINES_SHOWN_MAX, "total_count": len(lines)}
    return body | {"lines": body["lines"] | first}


def expanded(store: Store, body: Json, paths: Any) -> Json:
    """A copy of the body in which the references at these paths are written out."""
    if isinstance(paths, str):
        paths = [paths]
    for path in paths or []:
        body = _expand(store, body, str(path).split("."))
    return body


def _expand(store: Store, value: Any, path: list[str]) -> Any:
    if isinstance(value, list):
        return [_expand(store, item, path) for item in value]
    if isinstance(value, str) and not path:
        kind = KIND_OF_PREFIX.get(value.split("_")[0], "")
        return shown(store.get(kind, value) or missing_value(value))
    if not isinstance(value, dict) or not path:
        return value
    head, *rest = path
    return value | {head: _expand(store, value[head], rest)} if head in value else value


def missing_value(object_id: str) -> Json:
    """A reference to nothing cannot be expanded."""
    raise missing("object", object_id, 400)
