"""Requests that cannot be answered, and the answer that their callers get."""

from collections.abc import Mapping

from django.http import HttpResponse

from exo_registry.web.api_errors import api_error


class Problem(Exception):
    """A request that is refused. The message is a sentence for its caller, with the reason and the remedy.

    details: what programs need besides, such as the `parameter` at fault.
    """

    def __init__(
        self, message: str, status: int = 400, *, headers: Mapping[str, str] | None = None, **details: object
    ) -> None:
        super().__init__(message)
        self.status, self.headers, self.details = status, headers, details

    def response(self) -> HttpResponse:
        return api_error(str(self), self.status, headers=self.headers, **self.details)
