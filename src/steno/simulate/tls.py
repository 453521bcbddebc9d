"""A certificate made on the spot, and the authority that clients are to trust for it.

The keys are in memory alone; only the certificate of the authority is written.
"""

import ssl
from pathlib import Path
from typing import Final

from steno.errors import UnavailableError

NAMES: Final = ("localhost", "127.0.0.1", "::1")
"""What clients may call the provider, beside the address that it listens on."""


def certified(authority_file: Path, host: str) -> ssl.SSLContext:
    """Return a context whose certificate is for `host` and for `NAMES`; write the authority's to a file, as PEM.

    Raises UnavailableError where the package that makes certificates is not installed.
    """
    try:
        import trustme  # noqa: PLC0415  # of the extra: the provider runs without it
    except ImportError:
        raise UnavailableError('--tls needs one more package: pip install "steno[simulate]"') from None
    authority = trustme.CA(organization_name="steno simulate")
    certificate = authority.issue_cert(*dict.fromkeys((*NAMES, host)))
    authority.cert_pem.write_to_path(authority_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    context.set_alpn_protocols(["http/1.1"])
    return context
