"""What a server counts, as Prometheus reads it: requests, outcomes, abstentions, draws, seconds, the queue."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
ABSTAINED = "abstain"


class ServerTally:
    """Counters of one server, in a registry of their own. ``waiting``: how many pictures wait or are under way."""

    def __init__(self, waiting: Callable[[], float]) -> None:
        self._registry = registry = CollectorRegistry()
        names = ["path", "status"]
        self._requests = Counter("aces_requests_total", "Requests by path and status.", names, registry=registry)
        self._outcomes = Counter("aces_images_total", "Images by outcome.", ["outcome"], registry=registry)
        self._draws = Counter("aces_draws_total", "Draws of each network that is sampled.", registry=registry)
        self._seconds = Histogram(
            "aces_request_seconds", "Seconds from a request to its answer.", ["path"], buckets=SECONDS,
            registry=registry,
        )  # fmt: skip
        rate = Gauge("aces_abstention_rate", "Share of the images so far without an answer.", registry=registry)
        rate.set_function(self._rate)
        Gauge("aces_waiting_images", "Images that wait or are under way.", registry=registry).set_function(waiting)
        self._images = self._abstained = 0

    def request(self, path: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def image(self, outcome: str, draws: int) -> None:
        """An image was answered, or not (``ABSTAINED``)."""
        self._outcomes.labels(outcome).inc()
        self._draws.inc(draws)
        self._images += 1
        self._abstained += outcome == ABSTAINED

    def text(self) -> bytes:
        """As Prometheus reads it."""
        return generate_latest(self._registry)

    def _rate(self) -> float:
        return self._abstained / self._images if self._images else 0.0
