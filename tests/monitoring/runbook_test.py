"""Each alert of deploy/alerts.yml links to a paragraph of deploy/runbook.md, each paragraph has an alert, and each alert is
shown to fire in alerts_test.yml."""
import os
import re
import sys

tree = sys.argv[1]


def text_of(*path):
    with open(os.path.join(tree, *path)) as file:
        return file.read()


rules = re.split(r"- alert: ", text_of("deploy", "alerts.yml"))[1:]
links = {rule.split()[0]: re.findall(r"runbook: (\S+)", rule) for rule in rules}
assert len(links) == len(rules) > 10, f"the rules are read wrongly: {links}"
parts = re.split(r"^## (\w+)$", text_of("deploy", "runbook.md"), flags=re.MULTILINE)[1:]
paragraphs = dict(zip(parts[::2], parts[1::2]))
cases = text_of("tests", "monitoring", "alerts_test.yml")
faults = [f"{name}: its annotation runbook is {link}" for name, link in links.items() if link != [f"runbook.md#{name.lower()}"]]
faults += [f"{name}: no paragraph in the runbook" for name in links if len(paragraphs.get(name, "").split()) < 30]
faults += [f"{name}: a paragraph without an alert" for name in paragraphs if name not in links]
faults += [f"{name}: no severity" for name, rule in zip(links, rules) if "severity: " not in rule]
faults += [f"{name}: alerts_test.yml does not show it fire" for name in links if f'alertname="{name}"' not in cases]
if faults:
    print("\n".join(faults))
    sys.exit(1)
