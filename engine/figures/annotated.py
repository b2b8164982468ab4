"""The explanatory figure of the first visit: what each mark of the two figures on the first page means. Pure."""

from __future__ import annotations

from engine.figures.base import ACR, FONT, NAC, Theme

ALT = (
    "How to read the figures. Left, robustness over accuracy: a line per composition, from a triangle, the "
    "certification network without ACES, down to a square, the core network; a diamond where it stands at θ; a "
    "broad band under the points that no composition beats. Right, over the threshold: a vertical line at θ."
)
WIDTH, HEIGHT = 470, 178


def annotated(theme: Theme) -> str:
    """An SVG in the colours of the theme."""
    blue, orange = theme.series[0], theme.series[1]
    front = "M74 34 C120 38 190 52 236 128"
    other = "M52 52 C110 60 190 84 236 128"
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"
 font-family="{FONT}" font-size="12" fill="{theme.ink}">
<g fill="none">
<path d="{front}" stroke="{theme.grid}" stroke-width="13"/>
<path d="M20 14 V140 H262 M300 14 V140 H456" stroke="{theme.muted}"/>
<path d="{other}" stroke="{orange}" stroke-width="1.5" stroke-dasharray="7 4"/>
<path d="{front}" stroke="{blue}" stroke-width="3"/>
<path d="M306 36 C350 38 400 60 450 104" stroke="{theme.series[NAC]}" stroke-width="2"/>
<path d="M306 132 C340 70 390 52 450 48" stroke="{theme.series[ACR]}" stroke-width="2" stroke-dasharray="3 3"/>
<path d="M366 18 V140" stroke="{theme.ink}" stroke-width="1.5"/>
</g>
<path d="M74 26 l7 13 h-14 z" fill="{blue}"/><path d="M52 44 l7 13 h-14 z" fill="{orange}"/>
<rect x="230" y="122" width="12" height="12" fill="{theme.muted}"/>
<path d="M168 47 l8 8 -8 8 -8 -8 z" fill="{theme.ink}" stroke="{theme.paper}" stroke-width="1.5"/>
<text x="86" y="22">certification network</text>
<text x="182" y="50">here, at θ</text>
<text x="246" y="124">core</text>
<text x="212" y="78">best of all</text>
<text x="372" y="28">θ</text>
<text x="20" y="157" fill="{theme.muted}">more accurate →  (↑ more robust)</text>
<text x="300" y="157" fill="{theme.muted}">threshold θ →</text>
<text x="396" y="88" text-anchor="end">NAC</text><text x="442" y="42" text-anchor="end">ACR</text>
<text x="20" y="174" fill="{theme.muted}">line: a composition at every θ; a click goes there</text>
</svg>"""
