"""What a scraper reads of a body in OpenMetrics."""

from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families


def families_of(body: bytes) -> list[Metric]:
    """Return the metrics of a body. Raises ValueError where it is no OpenMetrics: the parser is strict."""
    return list(text_string_to_metric_families(body.decode()))  # type: ignore[no-untyped-call]  # the library's
