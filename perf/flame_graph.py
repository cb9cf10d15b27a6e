"""Draws a flame graph: what `perf script` printed, or folded stacks (FRAME;FRAME;FRAME COUNT a line, the outermost first), from
standard input to an SVG on standard output. A box is a function, as wide as the share of samples that had it on the stack,
above its caller; boxes of one caller are in the order of their names. The mouse over a box shows name, samples and share.
    perf script -i perf.data --no-inline -F comm,ip,sym | perf/flame_graph.py [--title TEXT] [--folded FILE] >flame.svg"""
import argparse
import re
import sys
from xml.sax.saxutils import escape

WIDTH, ROW, LETTER = 1600, 17, 7.0  # pixels: of all, of a row's height, of a letter's width
THINNEST = 0.3                      # what is thinner is not seen and not drawn
COLOURS = [  # of a frame's name, the first that fits
    (r"atcd::engine", "#e8743b"), (r"atcd::feeds", "#19a979"), (r"atcd::state", "#5899da"), (r"atcd::daemon", "#bf8fd6"),
    (r"boost::|simdjson::", "#c9bd4f"), (r"\[k\]$", "#9a9a9a"), (r"", "#d8c8a8")]


def folded(lines):
    """Stacks of a perf script's output: a sample is a line with the thread's name, its frames (the innermost first), a blank."""
    stacks, frames, name = {}, [], None
    for line in [*lines, ""]:
        line = line.rstrip()
        if not line:
            if name is not None:
                stack = ";".join([name, *reversed(frames)])
                stacks[stack] = stacks.get(stack, 0) + 1
            frames, name = [], None
        elif name is None:
            name = line.strip().split()[0]
        else:
            address, _, symbol = line.strip().partition(" ")
            in_kernel = len(address) == 16 and address.startswith("ffffffff")
            frames.append(symbol.replace(";", ":") + (" [k]" if in_kernel else ""))
    return stacks


def read(lines):
    """Folded stacks as they stand, else what perf script printed."""
    lines = list(lines)
    pairs = [re.fullmatch(r"(\S.*) (\d+)", line.rstrip()) for line in lines if line.strip()]
    if pairs and all(pairs):
        stacks = {}
        for pair in pairs:
            stacks[pair[1]] = stacks.get(pair[1], 0) + int(pair[2])
        return stacks
    return folded(lines)


class Frame:
    def __init__(self, name):
        self.name, self.samples, self.callees = name, 0, {}

    def depth(self):
        return 1 + max((callee.depth() for callee in self.callees.values()), default=0)


def tree(stacks):
    root = Frame("all")
    for stack, samples in stacks.items():
        frame = root
        frame.samples += samples
        for name in stack.split(";"):
            frame = frame.callees.setdefault(name, Frame(name))
            frame.samples += samples
    return root


def boxes(frame, x, level, scale, rows, out, total):
    width = frame.samples * scale
    if width < THINNEST:
        return
    top = (rows - level) * ROW
    colour = next(colour for pattern, colour in COLOURS if re.search(pattern, frame.name))
    letters = int(width / LETTER)
    text = frame.name if len(frame.name) <= letters else frame.name[:max(letters - 1, 0)] + "…"
    out.append(f'<g><title>{escape(frame.name)}: {frame.samples} samples, {100 * frame.samples / total:.2f} %</title>'
               f'<rect x="{x:.3f}" y="{top}" width="{width:.3f}" height="{ROW - 1}" fill="{colour}"/>'
               + (f'<text x="{x + 3:.3f}" y="{top + 12}">{escape(text)}</text>' if letters >= 3 else "") + "</g>")
    for name in sorted(frame.callees):
        boxes(frame.callees[name], x, level + 1, scale, rows, out, total)
        x += frame.callees[name].samples * scale


def svg(stacks, title):
    root = tree(stacks)
    if root.samples == 0:
        raise ValueError("there are no samples")
    rows, out = root.depth() + 1, []
    boxes(root, 0.0, 1, WIDTH / root.samples, rows, out, root.samples)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{(rows + 1) * ROW}" '
            f'font-family="monospace" font-size="11">\n<text x="3" y="12">{escape(title)}: {root.samples} samples</text>\n'
            + "\n".join(out) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser(description="Standard input's stacks as a flame graph on standard output.")
    parser.add_argument("--title", default="flame graph")
    parser.add_argument("--folded", metavar="FILE", help="the folded stacks, too, for grep and for comparing two runs")
    options = parser.parse_args()
    stacks = read(sys.stdin)
    if options.folded:
        with open(options.folded, "w") as file:
            file.writelines(f"{stack} {samples}\n" for stack, samples in sorted(stacks.items()))
    try:
        sys.stdout.write(svg(stacks, options.title))
    except ValueError as error:
        print(f"flame_graph.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
