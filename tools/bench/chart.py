"""chart.py -- bar charts as SVG, without a library: groups of bars, one colour a peer, a value on
each bar. Readable in light and dark, and without colour: every bar bears its number."""

COLOURS = {"gate": "#1f6f54", "gate full": "#58a37f", "nginx": "#8a8f98", "haproxy": "#b9bec6",
           "relay": "#d9a441", "direct": "#7aa5d2"}
ROW, GAP, LEFT, WIDTH = 20, 14, 170, 760


def escape(text):
    return str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def bars(title, unit, groups, note=""):
    """groups: {group name: {peer: value}}; returns the SVG text."""
    highest = max((v for group in groups.values() for v in group.values()), default=1) or 1
    parts, y = [], 56
    for name, group in groups.items():
        parts.append(f'<text x="12" y="{y + 14}" class="group">{escape(name)}</text>')
        for peer, value in group.items():
            length = max(1, round((WIDTH - LEFT - 130) * value / highest))
            colour = COLOURS.get(peer, "#a07fb5")
            parts.append(f'<rect x="{LEFT}" y="{y}" width="{length}" height="{ROW - 4}" rx="2" '
                         f'fill="{colour}"/>')
            parts.append(f'<text x="{LEFT + length + 6}" y="{y + 12}">{value:,.4g} '
                         f'<tspan class="peer">{escape(peer)}</tspan></text>')
            y += ROW
        y += GAP
    height = y + 24
    return f'''<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" \
viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">
<style>
text {{ font: 12px system-ui, sans-serif; fill: #2b2f36 }}
.title {{ font-size: 15px; font-weight: 600 }}
.group {{ font-weight: 600 }}
.peer, .note {{ fill: #6b7280 }}
rect.page {{ fill: #ffffff }}
@media (prefers-color-scheme: dark) {{
  text {{ fill: #e5e7eb }}
  .peer, .note {{ fill: #9ca3af }}
  rect.page {{ fill: #14171c }}
}}
</style>
<rect class="page" width="100%" height="100%"/>
<text x="12" y="24" class="title">{escape(title)}</text>
<text x="12" y="42" class="note">{escape(unit)}; less is better</text>
{chr(10).join(parts)}
<text x="12" y="{height - 10}" class="note">{escape(note)}</text>
</svg>
'''
