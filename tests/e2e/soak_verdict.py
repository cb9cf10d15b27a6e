"""What a soak's samples say, by arithmetic alone. A window is a calm part of the run: nothing is being broken, every series is
live, the same number of symbols is followed. Of a window the least of each figure counts: what a thread, a connection or a
buffer of a moment adds is not growth. The first third of a run is its warm-up: pools and buffers reach their size."""
from dataclasses import dataclass, field
from statistics import median

MB = 1024.0  # in kB, the unit of /proc
SLOPE_LIMIT_MB_PER_HOUR = 1.0
# What steps of the allocator and of the kernel's pages amount to: a slope needs so long to stand out from them.
SHORTEST_FOR_SLOPE_S = 900.0
GROWTH_LIMIT_MB = 4.0  # of shorter runs, of which no slope can be told
# The 99th percentile of fewer signals is that of a few, and of whatever else the machine did.
FEWEST_FOR_P99 = 1000
P99_FACTOR = 2.0
P99_ROOM_MS = 10.0  # a neighbour's turn on the processor; a factor of next to nothing says nothing


@dataclass
class Window:
    at_s: float  # its middle, since the start
    anonymous_kb: int
    resident_kb: int
    descriptors: int
    threads: int
    lags_ms: list = field(default_factory=list)  # from a bar's close to its signal published, in order of time


@dataclass
class Line:
    name: str
    passed: bool
    text: str

    def __str__(self):
        return f"{'passed' if self.passed else 'FAILED'}  {self.name}: {self.text}"


def percentile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def slope_per_hour(points):
    """The median of the slopes between all pairs of (seconds, value) (Theil and Sen): single steps and outliers do not move it."""
    slopes = [(later[1] - earlier[1]) / (later[0] - earlier[0]) * 3600
              for number, earlier in enumerate(points) for later in points[number + 1:] if later[0] > earlier[0]]
    return median(slopes)


def thirds(windows, duration_s):
    return [[window for window in windows if third * duration_s / 3 <= window.at_s < (third + 1) * duration_s / 3]
            for third in range(3)]


def memory(windows):
    """Anonymous memory: mapped files are the history's, which grows with the bars, and the kernel takes their pages back."""
    points = [(window.at_s, window.anonymous_kb / MB) for window in windows]
    span_s = points[-1][0] - points[0][0]
    quarter = max(1, len(points) // 4)
    growth = median(value for _, value in points[-quarter:]) - median(value for _, value in points[:quarter])
    measured = (f"{points[0][1]:.1f} MB at {points[0][0]:.0f} s, {points[-1][1]:.1f} at {points[-1][0]:.0f} s (with mapped "
                f"files {windows[0].resident_kb / MB:.1f} and {windows[-1].resident_kb / MB:.1f})")
    if span_s < SHORTEST_FOR_SLOPE_S:
        return Line("memory", growth < GROWTH_LIMIT_MB, f"{measured}; growth {growth:+.2f} MB, limit {GROWTH_LIMIT_MB:g}; "
                    f"{span_s:.0f} s after the warm-up are too short for a slope, which takes {SHORTEST_FOR_SLOPE_S:.0f}")
    slope = slope_per_hour(points)
    return Line("memory", slope < SLOPE_LIMIT_MB_PER_HOUR, f"{measured}; slope {slope:+.2f} MB an hour of real time, limit "
                f"{SLOPE_LIMIT_MB_PER_HOUR:g} (median of the slopes between any two of {len(points)} calm windows)")


def descriptors(middle, last):
    """Fewer may be open: a connection to REST that a fault has ended is opened when it is needed again."""
    before, after = ([window.descriptors for window in part] for part in (middle, last))
    return Line("descriptors", max(after) <= max(before),
                f"at most {max(before)} in the calm windows of the middle third, {max(after)} in those of the last; least "
                f"{min(before)} and {min(after)}")


def constant(name, counts):
    return Line(name, len(set(counts)) == 1, f"{min(counts)} in each of {len(counts)} calm windows" if len(set(counts)) == 1
                else f"from {min(counts)} to {max(counts)} in {len(counts)} calm windows: {counts[0]} first, {counts[-1]} last")


def stable_lag(middle, last):
    before, after = ([lag for window in part for lag in window.lags_ms] for part in (middle, last))
    told = "; ".join(f"{name} third p50 {percentile(lags, 0.5):.2f} p99 {percentile(lags, 0.99):.2f} ms of {len(lags)} signals"
                     for name, lags in (("middle", before), ("last", after)) if lags)
    if min(len(before), len(after)) < FEWEST_FOR_P99:
        return Line("lag", bool(before and after), f"{told}; not compared, for that takes {FEWEST_FOR_P99} signals a third")
    limit_ms = P99_FACTOR * percentile(before, 0.99) + P99_ROOM_MS
    return Line("lag", percentile(after, 0.99) <= limit_ms,
                f"{told}; the last p99 may be {limit_ms:.2f} ({P99_FACTOR:g} times the middle one and {P99_ROOM_MS:g} ms)")


def judge(windows, duration_s):
    """The lines of a run that lasted so long; windows are in order of time."""
    _, middle, last = thirds(windows, duration_s)
    if not middle or not last:
        return [Line("samples", False, f"{len(windows)} calm windows, {len(middle)} in the middle third and {len(last)} in the "
                     "last one: the run is too short to judge")]
    warm = middle + last
    return [memory(warm), descriptors(middle, last), constant("threads", [window.threads for window in warm]), stable_lag(middle, last)]
