"""The network address that a request comes from."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The client's address as text; of a public IPv6 address its /64 network, which is what one subscriber has.

    Each of the settings' TRUSTED_PROXIES appends to X-Forwarded-For the address that it was called from, so that the
    client's is as many entries from the right; what stands further left was written by the client and is not believed.
    A request with fewer entries did not come through all proxies: its own connection counts. None if that is no
    network connection.
    """
    forwarded = [entry.strip() for entry in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    proxies = settings.TRUSTED_PROXIES
    candidates = [forwarded[-proxies]] if 0 < proxies <= len(forwarded) else []
    for text in (*candidates, request.META.get("REMOTE_ADDR", "")):
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        if address.version == 6 and address.is_global:
            address = ipaddress.ip_network((address, 64), strict=False).network_address
        return str(address)
    return None
