"""Cursor paging for the API: new rows never shift a page somebody is reading."""

import base64

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

PAGE_SIZE_MAX = 200
ID_DIGITS_MAX = 18  # what surely fits a bigint


class NewestFirst(CursorPagination):
    """Pages of 50 (at most 200 with ``page_size``), newest row first."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = PAGE_SIZE_MAX
    page_size_query_description = f"Rows per page, 1 to {PAGE_SIZE_MAX}; 50 where it is not given."

    def get_page_size(self, request: Request) -> int:
        """Return the rows per page. Raises ValidationError for anything but a positive number."""
        text = request.query_params.get(self.page_size_query_param)
        if text is None:
            return self.page_size
        if not (text.isascii() and text.isdigit() and len(text) <= ID_DIGITS_MAX and int(text)):
            raise ValidationError({self.page_size_query_param: f"A number from 1 to {PAGE_SIZE_MAX}, please."})
        return min(int(text), PAGE_SIZE_MAX)

    def decode_cursor(self, request: Request) -> Cursor | None:
        """Return where the page starts. Raises ValidationError for a cursor no answer ever held."""
        try:
            base64.b64decode(request.query_params.get(self.cursor_query_param, ""), validate=True)
            cursor: Cursor | None = super().decode_cursor(request)
        except (ValueError, NotFound):
            raise self._not_ours() from None
        at = cursor.position if cursor else None
        if at is not None and not (at.isascii() and at.isdigit() and len(at) <= ID_DIGITS_MAX):
            raise self._not_ours()
        return cursor

    def _not_ours(self) -> ValidationError:
        return ValidationError({self.cursor_query_param: "This cursor was not made here."})
