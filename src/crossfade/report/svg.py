"""Elements of a drawing. Content and titles are markup already; classes come from the page's style sheet."""

from __future__ import annotations


def svg_text(x: float, y: float, content: str, class_: str, anchor: str = "start") -> str:
    side = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return f'<text class="{class_}" x="{x:.1f}" y="{y:.1f}"{side}>{content}</text>'


def svg_line(x1: float, y1: float, x2: float, y2: float, class_: str = "") -> str:
    style = f' class="{class_}"' if class_ else ""
    return f'<line{style} x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def svg_rect(x: float, y: float, width: float, height: float, class_: str = "", more: str = 'rx="4"') -> str:
    style = f' class="{class_}"' if class_ else ""
    return f'<rect{style} x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" {more}/>'


def svg_circle(x: float, y: float, radius: float, class_: str, title: str = "") -> str:
    inside = f"><title>{title}</title></circle>" if title else "/>"
    return f'<circle class="{class_}" cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}"{inside}'
