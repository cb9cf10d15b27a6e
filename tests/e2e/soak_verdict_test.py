"""A soak's verdict sees what it is there for, in samples made up here: a leak of memory, of a descriptor, of a thread, a lag
that grows; and not what is none: a step of the allocator during the warm-up, noise, one slow moment."""
import random
import sys

from soak_verdict import Window, judge, slope_per_hour

DURATION_S = 1440.0


def made_up(leak_kb_per_s=0.0, descriptors=lambda number: 40, threads=lambda number: 6, lag_ms=lambda number: 2.0,
            duration_s=DURATION_S):
    drawn = random.Random(1)
    windows = []
    for number in range(int(duration_s / 12)):
        at_s = 12.0 * number + 9
        warming_kb = 8000 if at_s < duration_s / 4 else 12000
        windows.append(Window(at_s, int(warming_kb + leak_kb_per_s * at_s + drawn.uniform(-40, 40)), 60000, descriptors(number),
                              threads(number), [lag_ms(number) * drawn.uniform(0.5, 2) for _ in range(60)]))
    return windows


def failed(*arguments, duration_s=DURATION_S, **options):
    return [line.name for line in judge(made_up(*arguments, duration_s=duration_s, **options), duration_s) if not line.passed]


def main():
    assert slope_per_hour([(0, 1), (1800, 2), (3600, 3)]) == 2
    assert slope_per_hour([(0, 1), (1200, 1), (2400, 90), (3600, 1)]) == 0, "one outlier is no slope"
    assert failed() == []
    assert failed(leak_kb_per_s=0.2) == [], "0.7 MB an hour"
    assert failed(leak_kb_per_s=0.4) == ["memory"], "1.4 MB an hour"
    assert failed(leak_kb_per_s=0.4, duration_s=96) == [], "of 96 seconds no such slope can be told"
    assert failed(leak_kb_per_s=120, duration_s=96) == ["memory"]
    assert failed(descriptors=lambda number: 40 + number // 85) == ["descriptors"], "one more in the last third"
    assert failed(descriptors=lambda number: 40 - (number < 30)) == [], "in the first quarter one less: warm-up"
    assert failed(descriptors=lambda number: 40 - (number == 100)) == [], "one less for a while"
    assert failed(threads=lambda number: 6 + (number == 100)) == ["threads"]
    assert failed(lag_ms=lambda number: 2.0 + max(0, number - 60)) == ["lag"]
    assert failed(lag_ms=lambda number: 500.0 if number < 40 else 2.0) == [], "slow at first only"
    assert [line.name for line in judge(made_up()[:5], DURATION_S)] == ["samples"], "nothing to judge is no success"
    print("the verdict fails for every leak that it is made for")
    return 0


if __name__ == "__main__":
    sys.exit(main())
