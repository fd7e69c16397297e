"""What is made of the results of several rounds: medians, ratios within a round, a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from bench.measure import Result

Results = Sequence[Result | None]
"""One contender's results in the order of the rounds; None where it failed."""


def line(title: str, results: Results, jobs: int, against: Results = ()) -> dict[str, Any]:
    """Return the medians of one row of the table.

    `jobs` are in the store at the end. Ratios say how many times faster `against` was, within
    each round: by wall time, and by CPU seconds.
    """
    done = [result for result in results if result]
    failed = len(results) - len(done)
    if not done:
        return {"title": title, "rounds": 0, "failed": failed}
    rates = [result.rate for result in done]
    pairs = [(a, b) for a, b in zip(against, results, strict=False) if a and b]
    return {
        "title": title,
        "rounds": len(done),
        "failed": failed,
        "documents_per_second": round(median(rates)),
        "slowest": round(min(rates)),
        "fastest": round(max(rates)),
        "inside_per_second": round(median(result.documents / result.inside for result in done)),
        "cpu_seconds": round(median(result.cpu for result in done), 2),
        "store_bytes_per_job": round(median(result.store for result in done) / jobs),
        "peak_megabytes": round(median(result.peak for result in done) / 1e6),
        "ratio": _median(pairs, lambda a, b: a.rate / b.rate),
        "cpu_ratio": _median(pairs, lambda a, b: b.cpu / b.documents * a.documents / a.cpu),
        "said": [result.said for result in done],
    }


def _median(
    pairs: Sequence[tuple[Result, Result]], ratio: Callable[[Result, Result], float]
) -> float | None:
    return round(median(ratio(a, b) for a, b in pairs), 2) if pairs else None


def show(title: str, lines: Sequence[dict[str, Any]], ratio: str = "") -> None:
    """Print a table. `ratio` names the columns of ratios."""
    print(f"\n{title}")
    print(
        f"{'':<28}{'docs/s':>9}{'(slowest':>10} -{'fastest)':>9}{'own clock':>11}{'CPU s':>8}"
        f"{'bytes/job':>11}{'peak MB':>9}{ratio:>14}{ratio and 'by CPU':>8}"
    )
    for row in lines:
        if not row["rounds"]:
            print(f"{row['title']:<28}{'failed':>9}")
            continue
        print(
            f"{row['title']:<28}{row['documents_per_second']:>9}{row['slowest']:>10} -"
            f"{row['fastest']:>9}{row['inside_per_second']:>11}{row['cpu_seconds']:>8}"
            f"{row['store_bytes_per_job']:>11}{row['peak_megabytes']:>9}"
            f"{_shown(row['ratio']):>14}{_shown(row['cpu_ratio']):>8}"
        )


def _shown(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"
