"""Metrics for Prometheus, in its text format 0.0.4."""

import threading
from collections import Counter
from collections.abc import Mapping

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Counts requests and faces; thread-safe. Routes are path templates, so clients cannot create new ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._seconds: Counter[float] = Counter()  # upper bound of a bucket → requests
        self._total_s = 0.0
        self._faces = 0

    def request(self, route: str, status: int, elapsed_s: float) -> None:
        with self._lock:
            self._requests[route, status] += 1
            self._total_s += elapsed_s
            self._seconds[next((bound for bound in _BUCKETS_S if elapsed_s <= bound), float("inf"))] += 1

    def faces(self, count: int) -> None:
        with self._lock:
            self._faces += count

    def text(self, gauges: Mapping[str, int]) -> str:
        """All metrics as text. gauges: name → current value."""
        with self._lock:
            lines = ["# HELP fer_requests_total Requests answered.", "# TYPE fer_requests_total counter"]
            lines += [
                f'fer_requests_total{{route="{route}",status="{status}"}} {count}'
                for (route, status), count in sorted(self._requests.items())
            ]
            lines += ["# HELP fer_request_seconds From the first byte asked to the last answered."]
            lines += ["# TYPE fer_request_seconds histogram"]
            so_far = 0
            for bound in (*_BUCKETS_S, float("inf")):
                so_far += self._seconds[bound]
                lines.append(
                    f'fer_request_seconds_bucket{{le="{"+Inf" if bound == float("inf") else bound}"}} {so_far}'
                )
            lines += [f"fer_request_seconds_sum {self._total_s:.6f}", f"fer_request_seconds_count {so_far}"]
            lines += ["# HELP fer_faces_total Faces found.", "# TYPE fer_faces_total counter"]
            lines += [f"fer_faces_total {self._faces}"]
        for name, value in gauges.items():
            lines += [f"# TYPE fer_{name} gauge", f"fer_{name} {value}"]
        return "\n".join(lines) + "\n"
