"""Errors under /api/: JSON of one shape, whoever answers: a view, the URL map, a middleware or Django itself."""

from collections.abc import Callable, Mapping
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse

from exo_registry.formats.json_text import JsonAnswer

API = "/api/"
# What an error says that no view has answered.
SENTENCES = {
    400: "The request cannot be understood: check its address, headers and body.",
    403: "This is not permitted.",
    404: "There is nothing at this address; /api/v1/ lists what there is.",
    405: "The method is not allowed at this address.",
    413: "The request is too large: send less at once.",
    500: "The server failed to answer. The cause is in its log; trying again does no harm.",
}


def is_api(request: HttpRequest) -> bool:
    """Whether a request is for the API, whose errors programs read."""
    return request.path.startswith(API)


def api_error(
    message: str, status: int, *, headers: Mapping[str, str] | None = None, **details: object
) -> HttpResponse:
    """An error of the API: `error`, a sentence with reason and remedy, and details such as `parameter`."""
    return JsonAnswer({"error": message, **details}, status=status, headers=headers)


class ApiErrors:
    """Puts the errors under /api/ that are not JSON yet into its shape, with the headers that a client acts on."""

    KEPT = ("Allow", "Retry-After", "WWW-Authenticate")

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        status = response.status_code
        if status == HTTPStatus.MOVED_PERMANENTLY and is_api(request) and request.method not in ("GET", "HEAD"):
            # Clients would follow with GET, and list runs where they meant to start one.
            return api_error(f"There is nothing at this address: send the request to {response['Location']}.", 404)
        if status < 400 or not is_api(request) or response.get("Content-Type") == "application/json":
            return response
        sentence = SENTENCES.get(status, f"{HTTPStatus(status).phrase}.")
        return api_error(sentence, status, headers={name: response[name] for name in self.KEPT if name in response})
