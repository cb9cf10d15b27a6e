"""Holds scraped metrics against deploy/alerts.yml with Prometheus' own rule engine (promtool), without waiting for its clock:
what was scraped is taken to go on as it did."""
import json
import os
import re
import subprocess
import time

import harness

DEPLOY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "deploy")
STEP_S = 30
ALERTS = re.findall(r"- alert: (\w+)", open(os.path.join(DEPLOY, "alerts.yml")).read())
# What grows or moves by itself; other values stay as they are.
GOES_ON = re.compile(r"(_total|_bucket|_count|_sum|_age_seconds|_timestamp_seconds)(\{|$)")
TIME = re.compile(r"(_timestamp_seconds|_start_time_seconds)(\{|$)")


class Scrape:
    """Samples of one scrape: name with labels to value."""

    def __init__(self, text):
        self.at_s = time.time()
        self.text = text
        self.values, self.types = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                self.types[name] = kind
            elif not line.startswith("#"):
                sample, value = line.rsplit(" ", 1)
                assert sample not in self.values, f"twice: {line}"
                self.values[sample] = float(value)

    def __getitem__(self, sample):
        return self.values[sample]

    def sum(self, name):
        return sum(value for sample, value in self.values.items() if sample.split("{")[0] == name)


def series_of(sample, scrapes):
    """promtool's notation: each scrape but the last for a minute, then the last as it would go on for an hour."""
    values = [scrape.values.get(sample, 0.0) for scrape in scrapes]
    first, last = scrapes[-2:] if len(scrapes) > 1 else (scrapes[-1], scrapes[-1])
    passed_s = last.at_s - first.at_s
    slope = (values[-1] - values[-2]) / passed_s if GOES_ON.search(sample) and passed_s > 0 else 0.0
    origin_s = last.at_s - 2 * STEP_S * (len(scrapes) - 1) if TIME.search(sample) else 0.0  # the rules' clock begins at 0
    parts = [f"{value - origin_s:.6f}x1" for value in values[:-1]]
    if TIME.search(sample):
        slope = 1.0 if slope > 0 else 0.0  # it moves with the clock, or stands still
    parts.append(f"{values[-1] - origin_s:.6f}{slope * STEP_S:+.6f}x120")
    labels = sample.partition("{")[2].rstrip("}")
    name = sample.split("{")[0]
    return name + '{job="atcd",instance="here"' + ("," + labels if labels else "") + "}", " ".join(parts)


def firing(place, *scrapes, after_s=540):
    """The alerts that fire `after_s` seconds after the last of these scrapes."""
    inputs = [{"series": name, "values": values} for name, values in
              (series_of(sample, scrapes) for sample, value in scrapes[-1].values.items() if value == value)]
    at_s = 2 * STEP_S * (len(scrapes) - 1) + after_s
    # Nothing is expected: what fires is what promtool says it got.
    cases = [{"expr": f'ALERTS{{alertname="{name}",alertstate="firing"}}', "eval_time": f"{at_s}s", "exp_samples": []}
             for name in ALERTS]
    tests = {"rule_files": [os.path.abspath(os.path.join(DEPLOY, "alerts.yml"))], "evaluation_interval": f"{STEP_S}s",
             "tests": [{"interval": f"{STEP_S}s", "input_series": inputs, "promql_expr_test": cases}]}
    path = place.path("scraped_test.yml")
    with open(path, "w") as file:
        json.dump(tests, file)  # JSON is YAML
    result = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, timeout=harness.DEADLINE_S)
    told = result.stdout + result.stderr
    found = set(re.findall(r'got:\{?.*?alertname="(\w+)"', told))
    assert (result.returncode == 0) == (not found), told
    return found
