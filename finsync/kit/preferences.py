"""What a person set for this browser: theme, single keys, entity. Kept in cookies, so that the first byte of a page
already has them (no flash) and pages can be shared by address without them."""

from django.http import HttpRequest, HttpResponseBase

THEME, KEYS, ENTITY = "fs_theme", "fs_keys", "fs_entity"
ALLOWED = {THEME: ("light", "dark", ""), KEYS: ("off", "")}
ENTITY_CHARACTERS_MAX = 20
COOKIE_AGE_SECONDS = 365 * 24 * 3600


def theme(request: HttpRequest) -> str:
    """Return light, dark, or "" for what the system prefers."""
    value = request.COOKIES.get(THEME, "")
    return value if value in ALLOWED[THEME] else ""


def single_keys(request: HttpRequest) -> bool:
    """Return whether single-key shortcuts act (WCAG 2.1.4 asks that they can be switched off)."""
    return request.COOKIES.get(KEYS) != "off"


def entity(request: HttpRequest) -> str:
    """Return the code of the legal entity everything is narrowed to, "" for all."""
    value = request.COOKIES.get(ENTITY, "")
    return value if len(value) <= ENTITY_CHARACTERS_MAX and value.isalnum() else ""


def remember(request: HttpRequest, response: HttpResponseBase, name: str, value: str) -> None:
    """Set one preference on a response; "" forgets it. Raises ValueError for what is no preference."""
    known = name == ENTITY and len(value) <= ENTITY_CHARACTERS_MAX and (not value or value.isalnum())
    if not known and value not in ALLOWED.get(name, ()):
        raise ValueError(f"{name}={value!r} is no preference")
    if value:
        # Not HttpOnly: the theme button changes it without a round trip. It holds no secret.
        response.set_cookie(name, value, max_age=COOKIE_AGE_SECONDS, secure=request.is_secure(), samesite="Lax")
    else:
        response.delete_cookie(name, samesite="Lax")
