"""What is never shown: secrets by their name, card numbers by their shape. Stored evidence stays as it is."""

import json
import re
from typing import Any

MASK = "(masked)"
_SECRET_NAMES = re.compile(
    r"(authorization|password|passwd|secret|token|api_?key|private_?key|cookie|signature|cvc|cvv|^pan$|card_?number|iban)",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"(?<![\w.])(?:\d[ -]?){12,18}\d(?![\w.])")
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.IGNORECASE)
_KEYS = re.compile(r"\b(sk|rk|whsec|pk)_(live|test)?_?[A-Za-z0-9]{12,}")
BODY_CHARACTERS_MAX = 60_000


def masked(value: Any, name: str = "") -> Any:
    """Return JSON values with secrets and card numbers replaced by ``(masked)``."""
    if name and _SECRET_NAMES.search(name) and isinstance(value, str | int) and value not in ("", None):
        return MASK
    if isinstance(value, dict):
        return {key: masked(item, str(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item, name) for item in value]
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and _is_card(str(value)):
        return MASK
    return value


def masked_text(text: str) -> str:
    """Return free text with card numbers, bearer tokens and API keys replaced."""
    text = _KEYS.sub(MASK, _BEARER.sub(MASK, text))
    return _DIGITS.sub(lambda hit: MASK if _is_card(hit.group()) else hit.group(), text)


def readable(body: bytes) -> tuple[str, Any]:
    """Return a received body as masked text for a person, and as JSON values where it is JSON (else None).

    Bytes that are no UTF-8 show as replacement characters; bodies beyond ``BODY_CHARACTERS_MAX`` are cut, and say so.
    """
    text = body.decode("utf-8", "replace")
    try:
        value = masked(json.loads(text, parse_float=str))
        pretty = json.dumps(value, indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        value, pretty = None, masked_text(text)
    if len(pretty) > BODY_CHARACTERS_MAX:
        pretty = f"{pretty[:BODY_CHARACTERS_MAX]}\n… {len(pretty) - BODY_CHARACTERS_MAX:,} more characters are kept"
    return pretty, value


def _is_card(text: str) -> bool:
    """Whether 13 to 19 digits pass the Luhn check of ISO/IEC 7812."""
    digits = [int(character) for character in text if character.isdigit()]
    if not 13 <= len(digits) <= 19:
        return False
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
