"""Cursor paging for the API: new rows never shift a page somebody is reading."""

from rest_framework.pagination import CursorPagination

PAGE_SIZE_MAX = 200


class NewestFirst(CursorPagination):
    """Pages of 50 (at most 200 with ``page_size``), newest row first."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = PAGE_SIZE_MAX
