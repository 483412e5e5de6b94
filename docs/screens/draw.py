#!/usr/bin/env python3
"""Draws what a terminal shows, read from stdin with its colours, as SVG: draw.py COLUMNS THEME."""

import html
import re
import sys

THEMES = {
    "dark": ("#1e1e1e", "#d4d4d4", "#000000 #f14c4c #23d18b #e5c07b #3b8eea #d670d6 #29b8db #e5e5e5".split()),
    "light": ("#ffffff", "#24292f", "#24292f #cf222e #116329 #9a6700 #0969da #8250df #1b7c83 #6e7781".split()),
}
WIDTH, HEIGHT = 8.4, 18


def styled(line, codes):
    """The pieces of a line, each with the codes that hold there. Codes outlive their line."""
    at = 0
    for found in re.finditer(r"\x1b\[([0-9;]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x0f", line):
        if found.start() > at:
            yield line[at : found.start()], frozenset(codes)
        at = found.end()
        if found.group(1) is None:
            continue
        for code in (found.group(1) or "0").split(";"):
            number = int(code or 0)
            if number == 0:
                codes.clear()
            elif number == 39:
                codes -= set(range(30, 38)) | set(range(90, 98))
            elif number == 22:
                codes -= {1, 2}
            else:
                codes.add(number)
    if at < len(line):
        yield line[at:], frozenset(codes)


def main():
    columns, (ground, ink, palette) = int(sys.argv[1]), THEMES[sys.argv[2]]
    lines = sys.stdin.read().rstrip("\n").split("\n")
    width, height = columns * WIDTH + 24, len(lines) * HEIGHT + 24
    print(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" font-size="14"')
    print(f'  font-family="DejaVu Sans Mono, monospace"><rect width="100%" height="100%" fill="{ground}"/>')
    codes = set()
    for row, line in enumerate(lines):
        x, y = 12.0, 12 + HEIGHT * (row + 0.75)
        for text, held in styled(line, codes):
            colour = next((palette[code % 10] for code in held if 30 <= code % 60 < 38), ink)
            weight = ' font-weight="bold"' if 1 in held else ""
            faint = ' opacity="0.6"' if 2 in held else ""
            print(f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{weight}{faint} xml:space="preserve"', end=" ")
            print(f'textLength="{len(text) * WIDTH:.1f}">{html.escape(text)}</text>')
            x += len(text) * WIDTH
    print("</svg>")


main()
