"""One root cause, one case: which facts make two failures the same failure.

Ten thousand invoices that lack one mapping row are one case with a count; two customers that are unknown are two.
The table below names the root-cause dimensions of every reason code; nothing else enters the hash.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from types import MappingProxyType

from finsync.core.reasons import REASONS

FINGERPRINT_LENGTH = 32  # hex digits, 128 bits: collisions are out of reach for any number of cases
ERROR_TEXT_CHARACTERS_MAX = 2_000  # a stack trace or an HTML page does not say more after that
FINGERPRINT_VERSION = "1"  # part of the hash, so that a changed rule cannot silently join old cases

_Scalar = str | int | bool | date | None
Dimension = _Scalar | Sequence[_Scalar] | Mapping[str, _Scalar]

_BY_DIMENSIONS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("connection",), "ING_SIGNATURE_INVALID ING_RATE_LIMITED ING_AUTH_FAILED ERP_AUTH_FAILED ERP_ROUTE_PAUSED"),
    (("connection", "error"), "ING_SCHEMA_UNKNOWN ING_DLQ ERP_POST_REJECTED ERP_ATTEMPTS_EXHAUSTED"),
    (("connection", "message"), "ING_UNREADABLE"),
    (("connection", "aggregate"), "ING_DUPLICATE_EVENT ING_TRUNCATED_PAYLOAD ING_GAP_DETECTED ING_OUT_OF_ORDER_STALE"),
    (("connection", "aggregate", "version"), "ING_VERSION_CONFLICT"),
    (("account",), "MDM_ACCOUNT_UNMAPPED MDM_DUPLICATE_ACCOUNT MDM_MERGE_CONFLICT"),
    (("item",), "MDM_ITEM_UNMAPPED SSP_MISSING SSP_RESIDUAL_OUT_OF_RANGE"),
    (("entity",), "MDM_ENTITY_UNMAPPED"),
    (
        ("contract", "version"),
        "CTR_VERSION_MISMATCH CTR_AMENDMENT_NOT_PROPAGATED CTR_EFFECTIVE_DATE_CONFLICT CTR_RENEWAL_OVERLAP "
        "BIL_CREDIT_MISSING REV_SCHEDULE_MISSING REV_SCHEDULE_STALE REV_AMENDMENT_REFUSED REV_ORPHAN_AFTER_CANCEL "
        "REV_OVER_RECOGNISED REV_UNEXPECTED_REALLOCATION",
    ),
    (("event",), "BIL_INVOICE_MISSING BIL_UNEXPECTED_DOC"),
    (
        ("document",),
        "BIL_AMOUNT_VARIANCE BIL_PRORATION_VARIANCE BIL_SERVICE_PERIOD_OVERLAP BIL_VOID_AFTER_POST BIL_USAGE_LATE "
        "TAX_VARIANCE TAX_UNCOMMITTED TAX_LOCKED REV_SERVICE_PERIOD_MISSING",
    ),
    (("account", "jurisdiction"), "TAX_JURISDICTION_MISSING"),
    (("entity", "period"), "REV_DR_ROLLFORWARD_BREAK REC_UNBILLED_BREAK ERP_PERIOD_CLOSED"),
    (
        ("payment",),
        "PAY_UNAPPLIED_CASH PAY_SHORT_PAY PAY_OVERPAYMENT PAY_DUPLICATE PAY_FAILED_NOT_IN_ERP PAY_REFUND_UNMATCHED",
    ),
    (("dispute",), "DSP_UNBOOKED DSP_LOST_UNBOOKED DSP_DEADLINE_RISK"),
    (("payout",), "SET_PAYOUT_UNMATCHED SET_PAYOUT_FAILED"),
    (("connection", "currency"), "SET_CLEARING_NONZERO SET_FEE_VARIANCE"),
    (("bank_account", "statement"), "BNK_STATEMENT_MISSING BNK_STATEMENT_OUT_OF_BALANCE"),
    (
        ("connection", "business_key"),
        "ERP_POST_UNKNOWN ERP_DUPLICATE_POST ERP_CONTENT_MISMATCH ERP_PARTIAL_POST ERP_MANUAL_EDIT "
        "ERP_CONFIRMATION_OVERDUE",
    ),
    (("waits_for",), "DEPENDENCY_OVERDUE"),
    (("event", "rule"), "ERP_UNBALANCED_JE"),
    (("mapping_set", "inputs"), "MAPPING_MISSING MAPPING_AMBIGUOUS"),
    (("currency", "date"), "FX_RATE_MISSING FX_VARIANCE"),
    (("control", "entity", "currency", "period"), "REC_COUNT_BREAK REC_TOTAL_BREAK REC_STATE_MISMATCH"),
    (("contract",), "MRR_INCONSISTENT"),
    (("mapping_set", "version"), "GOV_MAPPING_UNAPPROVED GOV_SOD_VIOLATION"),
)

DIMENSIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {code: dimensions for dimensions, codes in _BY_DIMENSIONS for code in codes.split()}
)

# What varies between two occurrences of one refusal. Order matters: the longest shapes go first.
_VARYING: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "<id>"),
    (re.compile(r"\b\d{4}-\d{2}-\d{2}(?:[t ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:z|[+-]\d{2}:?\d{2})?)?"), "<date>"),
    (re.compile(r"\b\d{1,2}[./]\d{1,2}[./]\d{4}\b"), "<date>"),
    (re.compile(r"\b[0-9a-f]{16,}\b"), "<id>"),
    # A word that mixes letters and digits is somebody's number: INV-2, in_1Nx, fsab23.
    (re.compile(r"\b(?=[\w-]*[a-z])(?=[\w-]*\d)[\w-]+"), "<id>"),
    (re.compile(r"[-+]?\d+(?:[ .,'’]\d+)*"), "<n>"),
)
_SPACE = re.compile(r"\s+")


def fingerprint(code: str, **dimensions: Dimension) -> str:
    """Return the stable hex fingerprint of a failure from its reason code and root-cause dimensions.

    Exactly the dimensions of ``DIMENSIONS[code]`` must be given; ``error`` is normalised first. Raises ``KeyError``
    for an unknown code and ``TypeError`` for a missing or surplus dimension, because both would split or join cases.
    """
    wanted = DIMENSIONS[code]
    if set(dimensions) != set(wanted):
        given = ", ".join(sorted(dimensions)) or "nothing"
        raise TypeError(f"{code} is told apart by {', '.join(wanted)}; got {given}")
    values = {
        name: normalise_error(str(value)) if name == "error" else _canonical(value)
        for name, value in dimensions.items()
    }
    body = json.dumps([FINGERPRINT_VERSION, code, values], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:FINGERPRINT_LENGTH]


def normalise_error(text: str) -> str:
    """Return an error text without what varies: ids, amounts, dates and spacing, in lower case."""
    text = text[:ERROR_TEXT_CHARACTERS_MAX].lower()
    for pattern, placeholder in _VARYING:
        text = pattern.sub(placeholder, text)
    return _SPACE.sub(" ", text).strip()


def _canonical(value: Dimension) -> object:
    """A JSON value with one form: dates as text, sequences in order, mappings sorted by the encoder."""
    if isinstance(value, float):
        raise TypeError("a float is no root cause; give text or whole numbers")
    if isinstance(value, str | int) or value is None:
        return value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _canonical(inner) for name, inner in value.items()}
    return [_canonical(inner) for inner in value]


_unnamed = set(REASONS) ^ set(DIMENSIONS)
if _unnamed:
    raise RuntimeError(f"reason codes and fingerprint dimensions differ: {', '.join(sorted(_unnamed))}")
