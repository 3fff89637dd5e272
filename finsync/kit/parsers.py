"""How the API reads bodies."""

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class StrictJSON(JSONParser):
    """JSON, refused where it is nested too deeply to read."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        """Return the values. Raises ParseError."""
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
