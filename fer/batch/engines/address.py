"""Checks cluster addresses: anyone who can reach a scheduler can run code on its workers."""

import ipaddress
from collections.abc import Collection

from fer.batch.engines import EngineError


def check_address(address: str, scheme: str, schemes: Collection[str]) -> str:
    """The address with its scheme. Without one it must be loopback; for other hosts the operator must name the scheme.

    Raises EngineError if the address is malformed, has an unsupported scheme, or needs one.
    """
    given, found, rest = address.rpartition("://")
    if found and given not in schemes:
        raise EngineError(
            f"{address}: the address of this engine begins with {' or '.join(s + '://' for s in schemes)}."
        )
    host, colon, port = rest.rpartition(":")
    if not colon or not port.isdigit():
        raise EngineError(f"{address}: expected HOST:PORT, for example 127.0.0.1:8786.")
    if not found and not is_loopback(host):
        raise EngineError(
            f"{address}: beyond this machine say how to talk: {', '.join(s + '://' + rest for s in schemes)} "
            "(docs/operating.md tells what each protects)."
        )
    return address if found else f"{scheme}://{rest}"


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"
