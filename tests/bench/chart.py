"""The bar chart of docs/bench.svg: for each operation, Holdfast's cost and the target as parts of Xen's."""

LEFT, BAR, TOP, STEP, RIGHT = 270, 420, 56, 22, 150
HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
    'font-family="sans-serif" font-size="12">\n'
    '<rect width="{width}" height="{height}" fill="#fff"/>\n'
    '<text x="{left}" y="18" font-size="14">Instructions, Xen 4.17 = 1</text>\n'
)


def text(x, y, what, anchor="start"):
    what = what.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{what}</text>\n'


def bar(y, length, colour, height):
    return f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{height}" fill="{colour}"/>\n'


def chart(rows):
    """rows: (label, Xen's, Holdfast's, target)."""
    height = TOP + STEP * len(rows) + 10
    out = HEAD.format(width=LEFT + BAR + RIGHT, height=height, left=LEFT)
    for x, colour, what in ((LEFT, "#c9ced6", "Xen"), (LEFT + 60, "#2f6db5", "Holdfast")):
        out += f'<rect x="{x}" y="28" width="12" height="12" fill="{colour}"/>\n'
        out += text(x + 16, 39, what)
    out += f'<line x1="{LEFT + 155}" x2="{LEFT + 155}" y1="27" y2="41" stroke="#c0392b" stroke-width="2"/>\n'
    out += text(LEFT + 162, 39, "target")
    for i, (label, theirs, ours, target) in enumerate(rows):
        y = TOP + STEP * i
        out += text(LEFT - 8, y + 13, label, "end")
        out += bar(y, BAR, "#c9ced6", 17) + bar(y + 4, min(1, ours / theirs) * BAR, "#2f6db5", 9)
        at = LEFT + min(1, target / theirs) * BAR
        out += f'<line x1="{at:.1f}" x2="{at:.1f}" y1="{y}" y2="{y + 17}" stroke="#c0392b" stroke-width="2"/>\n'
        out += text(LEFT + BAR + 8, y + 13, f"{ours:,} of {theirs:,}")
    return out + "</svg>\n"
