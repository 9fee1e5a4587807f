"""Latency as mergeable log histograms: any percentile within 2 %, whatever was merged (DDSketch, Masson et al. 2019).

A latency of `ms` milliseconds falls into bucket ceil(ln(ms) / ln(1.0408)); buckets are plain rows that SQL can sum.
"""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analytics.frames import NUMBER, WHOLE, require_columns
from core.errors import InvalidRequest

GROWTH = 1.0408
RELATIVE_ERROR = (GROWTH - 1) / (GROWTH + 1)
"""Below 0.02: how far a percentile may lie from the true one, relative to it."""

_LOG_GROWTH = math.log(GROWTH)


def bucket_of(milliseconds: ArrayLike) -> NDArray[np.int64]:
    """The bucket of each latency; 1 ms and less share bucket 0. InvalidRequest for a negative or missing latency."""
    values = np.asarray(milliseconds, dtype=float)
    if not bool(np.all(values >= 0)):
        raise InvalidRequest(
            "milliseconds", "negative or missing: drop rows of skewed clocks and count them first"
        )
    # the tiny step back keeps exact powers of the growth in their own bucket
    return np.asarray(np.ceil(np.log(np.maximum(values, 1.0)) / _LOG_GROWTH - 1e-9), dtype=np.int64)


def latency_of(bucket: ArrayLike) -> NDArray[np.float64]:
    """The milliseconds that stand for a bucket: the value with the least relative error to both of its ends."""
    return np.asarray(2 * GROWTH ** np.asarray(bucket, dtype=float) / (GROWTH + 1))


def histogram(frame: pd.DataFrame, by: Sequence[str] = (), *, value: str = "milliseconds") -> pd.DataFrame:
    """Rows (group …, bucket, count) of the latencies in column `value`."""
    require_columns(frame, {value: NUMBER})
    buckets = frame[list(by)].assign(bucket=bucket_of(frame[value].to_numpy(dtype=float)))
    return (
        buckets.groupby([*by, "bucket"], observed=True)
        .size()
        .rename("count")
        .reset_index()
        .astype({"count": "int64"})
    )


def merge(histograms: Iterable[pd.DataFrame], by: Sequence[str] = ()) -> pd.DataFrame:
    """The histogram of everything together: exactly the histogram of the concatenated latencies."""
    stacked = pd.concat(list(histograms), ignore_index=True)
    return (
        stacked.groupby([*by, "bucket"], observed=True)["count"]
        .sum()
        .reset_index()
        .astype({"count": "int64"})
    )


def percentiles(
    histogram: pd.DataFrame, by: Sequence[str] = (), *, wanted: Sequence[float] = (50, 90, 95, 99)
) -> pd.DataFrame:
    """Rows (group …, percentile, milliseconds, total) by nearest rank, within 2 % of the true order statistic.

    An empty histogram gives no rows.
    """
    require_columns(histogram, {"bucket": WHOLE, "count": WHOLE})
    if any(not 0 <= each <= 100 for each in wanted):
        raise InvalidRequest("wanted", "percentiles lie between 0 and 100")
    columns = [*by, "percentile", "milliseconds", "total"]
    rows = []
    groups = histogram.groupby(list(by), observed=True) if by else [((), histogram)]
    for key, group in groups:
        ordered = group.sort_values("bucket")
        reached = np.cumsum(ordered["count"].to_numpy())
        if len(reached) == 0 or reached[-1] == 0:
            continue
        total = int(reached[-1])
        for each in wanted:
            rank = max(1, math.ceil(each / 100 * total - 1e-9))
            bucket = int(ordered["bucket"].to_numpy()[np.searchsorted(reached, rank)])
            rows.append((*key, float(each), float(latency_of(bucket)), total))
    return pd.DataFrame(rows, columns=columns)
