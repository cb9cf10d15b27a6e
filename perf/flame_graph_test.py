"""flame_graph.py on small samples: the SVG is well-formed, names survive, and every box is as wide as its share, its callees
side by side within it."""
import sys
import xml.etree.ElementTree as xml

import flame_graph

SVG = "{http://www.w3.org/2000/svg}"
FOLDED = ["atcd;main;atcd::feeds::parse(std::span<char const>) 30", "atcd;main;atcd::feeds::parse(std::span<char const>);memchr 10",
          "atcd;main;atcd::state::Publisher::send<int&&> 40", "atcd;main 5", "redis;a \"quoted\" & <other> name 15"]
SCRIPT = """\
atcd 
\t    55f0 atcd::feeds::parse(std::span<char const>)
\t    55e0 main
\t  7f0000 [unknown]

atcd 
\tffffffff81000130 do_syscall_64
\t    55e0 main
\t  7f0000 [unknown]

atcd 
\t    55f0 atcd::feeds::parse(std::span<char const>)
\t    55e0 main
\t  7f0000 [unknown]
"""


def drawn(stacks):
    """(name, samples, x, width, y) of each box, from the SVG's own text."""
    root = xml.fromstring(flame_graph.svg(stacks, "a <title> & more"))
    found = []
    for group in root.iter(f"{SVG}g"):
        name, _, told = group.find(f"{SVG}title").text.rpartition(": ")
        box = group.find(f"{SVG}rect")
        found.append((name, int(told.split()[0]), *(float(box.get(key)) for key in ("x", "width", "y"))))
    return found


def main():
    stacks = flame_graph.read(FOLDED)
    found = drawn(stacks)
    assert len(found) == 8, found
    everything = next(box for box in found if box[0] == "all")
    assert everything[1] == 100 and everything[3] == flame_graph.WIDTH
    for name, samples, x, width, y in found:
        assert abs(width - samples / 100 * flame_graph.WIDTH) < 0.01, name
        above = [box for box in found if box[4] == y - flame_graph.ROW and x - 0.01 <= box[2] < x + width - 0.01]
        assert sum(box[1] for box in above) <= samples, f"{name} has {samples}, its callees {above}"
        edges = [(box[2], box[2] + box[3]) for box in sorted(above, key=lambda box: box[2])]
        assert all(abs(right - left) < 0.01 for (_, right), (left, _) in zip(edges, edges[1:])), f"side by side: {edges}"
        assert not edges or (abs(edges[0][0] - x) < 0.01 and edges[-1][1] <= x + width + 0.01), f"{name}: {edges}"
    names = {box[0]: box[1] for box in found}
    assert names["main"] == 85 and names["memchr"] == 10 and names["atcd::state::Publisher::send<int&&>"] == 40, names
    assert names['a "quoted" & <other> name'] == 15, names
    assert flame_graph.folded(SCRIPT.splitlines()) == {
        "atcd;[unknown];main;atcd::feeds::parse(std::span<char const>)": 2, "atcd;[unknown];main;do_syscall_64 [k]": 1}
    assert sum(flame_graph.read(SCRIPT.splitlines()).values()) == 3
    try:
        flame_graph.svg({}, "")
        raise AssertionError("nothing was drawn")
    except ValueError:
        pass
    print(f"{len(found)} boxes, as wide as their samples, within their callers")
    return 0


if __name__ == "__main__":
    sys.exit(main())
