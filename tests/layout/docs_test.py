"""deploy/redis.md says it all: every field of the schema, every event that the sources publish, every state."""
import json
import os
import re
import sys

tree = sys.argv[1]


def text_of(*path):
    with open(os.path.join(tree, *path)) as file:
        return file.read()


page = text_of("deploy", "redis.md")
missing = [name for name in json.loads(text_of("deploy", "signal.schema.json"))["properties"] if f"`{name}`" not in page]
sources = {os.path.join(folder, name) for folder in ("daemon", "state") for name in os.listdir(os.path.join(tree, folder))
           if name.endswith(".cpp")}
events = set()
for source in sources:
    events |= set(re.findall(r'journal_?\.event\(\s*(?:Level::\w+|[^,"]*),\s*"(\w+)"', text_of(source)))
    events |= set(re.findall(r'notices\.event\("(\w+)"', text_of(source)))
assert {"start", "anchor", "stopped"} <= events, f"the sources are read wrongly: {events}"
missing += [f"event {name}" for name in sorted(events) if f"`{name}`" not in page]
states = re.search(r"kStateNames = \{([^}]*)\}", text_of("feeds", "series.cpp")).group(1)
missing += [f"state {name}" for name in re.findall(r'"(\w+)"', states) if f"`{name}`" not in page]
if missing:
    print("not in deploy/redis.md: " + ", ".join(missing))
    sys.exit(1)
