"""The page's style sheet and its few lines of script (copying a command, opening everything for print)."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --paper: #ffffff; --ink: #1b2430; --soft: #56616f; --faint: #8791a0; --rule: #dfe3e9;
  --stable: #2a6aa6; --stable-ink: #1f5c95; --stable-tint: #e6f0f9;
  --canary: #e99b25; --canary-ink: #8a5200; --canary-tint: #fdf1dd; --on-canary: #2b1b00;
  --fail: #b8163c; --fail-tint: #fdecef; --pass: #1c7a4a; --pass-tint: #e5f4ec; --warn: #6b4fa0; --warn-tint: #f0ecf8;
  --code: #f1f3f6; --shadow: 0 1px 2px rgb(20 30 45 / 6%), 0 6px 20px rgb(20 30 45 / 5%);
  --sans: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif;
  --mono: ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #11161d; --paper: #191f28; --ink: #e7ebf0; --soft: #a9b4c2; --faint: #7d8896; --rule: #2c3541;
    --stable: #4d93d1; --stable-ink: #8cc0ee; --stable-tint: #1b2d40;
    --canary: #e2972b; --canary-ink: #f3bd6d; --canary-tint: #372a16; --on-canary: #221500;
    --fail: #ff7088; --fail-tint: #3d1c25; --pass: #5cc795; --pass-tint: #17322a; --warn: #b9a2ec; --warn-tint: #2a2440;
    --code: #222a35; --shadow: none;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 var(--sans); }
main, header.top, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header.top { display: flex; flex-wrap: wrap; gap: .25rem 1rem; justify-content: space-between; padding-top: 1.4rem;
  padding-bottom: .9rem; color: var(--soft); font-size: .875rem; }
header.top b { color: var(--ink); letter-spacing: .01em; }
footer { color: var(--soft); font-size: .8125rem; padding-top: 2rem; padding-bottom: 3rem; overflow-wrap: anywhere; }
h1, h2, h4, h5, .sentence { line-height: 1.3; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.8rem 0 .9rem; letter-spacing: -.01em; }
h2 small, summary small { font-weight: 400; color: var(--soft); font-size: .875rem; margin-left: .35rem; }
h4 { font-size: .8125rem; font-weight: 650; color: var(--soft); margin: 1.7rem 0 .55rem; }
h4 code { font-size: .95em; }
p { margin: .4rem 0; max-width: 44rem; overflow-wrap: anywhere; }
code, pre { font-family: var(--mono); font-size: .875em; }
code { background: var(--code); border-radius: 4px; padding: .08em .32em; overflow-wrap: anywhere; }
a { color: var(--stable-ink); }
:focus-visible { outline: 3px solid var(--stable); outline-offset: 2px; border-radius: 4px; }
.scroll { overflow-x: auto; max-width: 100%; }
.paper, .verdict, article.finding { background: var(--paper); border: 1px solid var(--rule); border-radius: 12px;
  box-shadow: var(--shadow); }

.verdict { padding: 1.6rem 1.75rem 1.4rem; border-top: 6px solid var(--tone); }
.verdict.safe { --tone: var(--pass); } .verdict.unsafe { --tone: var(--fail); } .verdict.unknown { --tone: var(--warn); }
.verdict h1 { margin: 0; font-size: clamp(1.9rem, 5vw, 2.6rem); letter-spacing: -.025em; color: var(--tone); line-height: 1.1; }
.verdict h1 + p { font-size: 1.15rem; margin: .5rem 0 0; max-width: 46rem; }
.verdict .because { color: var(--soft); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.2rem, 1fr)); gap: 1rem 1.5rem; margin: 1.5rem 0 0; }
.facts div { min-width: 0; } .facts dt { color: var(--soft); font-size: .8125rem; }
.facts dd { margin: .1rem 0 0; font-weight: 600; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.facts dd small { font-weight: 400; color: var(--soft); }
.guarantee { border-top: 1px solid var(--rule); margin-top: 1.3rem; padding-top: .9rem; color: var(--soft); font-size: .9375rem; }
.guarantee b { color: var(--ink); }

.figures { padding: 1.1rem 1.1rem .8rem; }
svg { display: block; max-width: 100%; height: auto; font-family: var(--sans); }
svg.figure { width: 100%; } svg.defs { position: absolute; }
svg.narrow { display: none; }
.area.stable { fill: var(--stable); } .area.canary { fill: var(--canary); }
.edge { fill: none; stroke: var(--paper); stroke-width: 3; }
.grid { stroke: var(--paper); stroke-opacity: .22; } .half { stroke: var(--paper); stroke-opacity: .4; stroke-dasharray: 2 5; }
.other { fill: none; stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 4; } .othername { fill: var(--ink); font-size: 11px; }
.onstable { fill: #fff; font-size: 14px; font-weight: 600; } .oncanary { fill: var(--on-canary); font-size: 14px; font-weight: 600; }
@media (prefers-color-scheme: dark) { .onstable { fill: #08131d; } }
.tick { fill: var(--soft); font-size: 11.5px; } .stage { fill: var(--ink); font-size: 12.5px; font-weight: 600; }
.weight { fill: var(--soft); font-size: 12px; font-weight: 400; } .band { fill: var(--ink); font-size: 12px; }
.phase { fill: var(--code); } .phase-expand { fill: var(--rule); } .phase-backfill { fill: var(--warn-tint); } .phase-contract { fill: var(--rule); }
.migration { stroke: var(--ink); stroke-width: 1.25; stroke-dasharray: 1 4; stroke-linecap: round; }
.diamond { fill: var(--ink); stroke: var(--paper); stroke-width: 2; } .diamondtext { fill: var(--paper); font-size: 11px; font-weight: 700; }
.back-safe { fill: var(--pass-tint); } .back-safe-text { fill: var(--pass); } .back-unsafe { fill: var(--fail-tint); }
.back-unsafe-text { fill: var(--fail); font-weight: 650; } .back-open { fill: var(--code); } .back-none { fill: none; stroke: var(--rule); }
.back-none-text, .back-open-text { fill: var(--soft); }
.hatch { stroke: var(--fail); stroke-opacity: .22; stroke-width: 2.5; }
.noreturn line { stroke: var(--fail); stroke-width: 2.5; } .noreturn rect { fill: var(--fail); }
.noreturn text { fill: var(--paper); font-size: 12px; font-weight: 650; }
.lanes { fill: var(--soft); font-size: 12px; } .lanetitle { fill: var(--ink); font-size: 12px; white-space: pre; }
.lanebox { fill: transparent; } a.lane:hover .lanebox, a.lane:focus .lanebox { fill: var(--code); }
a.lane { text-decoration: none; outline: none; } a.lane:focus-visible .lanebox { stroke: var(--stable); stroke-width: 2.5; }
.badge { fill: var(--fail); } .badgetext { fill: var(--paper); font-size: 12px; font-weight: 700; }
.chancearea { fill: var(--fail); fill-opacity: .2; } .chanceline { fill: none; stroke: var(--fail); stroke-width: 2; }
a.lane .chancearea { stroke: var(--fail); stroke-width: 1.25; }
.base { stroke: var(--faint); } .value { fill: var(--ink); font-size: 11.5px; font-weight: 600; }
.peak { fill: var(--paper); stroke: var(--fail); stroke-width: 2; } .peakline { stroke: var(--fail); stroke-dasharray: 2 3; }
.peaktext { fill: var(--fail); font-size: 11.5px; font-weight: 650; } .dot { fill: var(--fail); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; list-style: none; padding: 0; margin: .8rem 0 .2rem; font-size: .875rem; color: var(--soft); }
.legend li { overflow-wrap: anywhere; } .legend b { color: var(--ink); }

.toc { padding: .4rem 0; margin: 0; list-style: none; }
.toc li { border-bottom: 1px solid var(--rule); } .toc li:last-child { border: 0; }
.toc a { display: grid; grid-template-columns: 2.2rem 1fr auto; gap: .2rem .8rem; padding: .6rem 1.1rem; color: inherit; text-decoration: none; align-items: baseline; }
.toc a:hover { background: var(--code); } .toc .worst { color: var(--fail); font-weight: 600; white-space: nowrap; }
article.finding { margin: 0 0 1.2rem; }
details.card > summary { padding: 1.15rem 1.5rem; cursor: pointer; list-style: none; border-radius: 12px; }
details.card > summary::-webkit-details-marker { display: none; }
details.card > summary:hover .sentence { text-decoration: underline; text-decoration-thickness: 1px; text-underline-offset: 4px; }
.headline { display: grid; grid-template-columns: auto 1fr; gap: .8rem; align-items: start; }
.sentence { font-size: 1.1rem; font-weight: 620; } .sentence code { font-size: .92em; }
.number { display: inline-grid; place-items: center; min-width: 1.6rem; height: 1.6rem; padding: 0 .4rem; border-radius: 1rem; background: var(--fail); color: var(--paper); font-size: .875rem; font-weight: 700; }
.number.info { background: var(--soft); }
.meta { display: flex; flex-wrap: wrap; gap: .4rem .7rem; align-items: center; margin: .6rem 0 0 2.4rem; font-size: .875rem; }
.fingerprint { color: var(--soft); font-family: var(--mono); font-size: .8125rem; }
.cardbody { padding: 0 1.5rem 1.4rem; border-top: 1px solid var(--rule); }
.where { color: var(--soft); margin-top: 1rem; } .where code { color: var(--ink); }
.chip { display: inline-block; border-radius: 6px; padding: .12rem .55rem; font-size: .875rem; background: var(--code); overflow-wrap: anywhere; }
.chip.stable { background: var(--stable-tint); color: var(--stable-ink); box-shadow: inset 3px 0 var(--stable); padding-left: .75rem; }
.chip.canary { background: var(--canary-tint); color: var(--canary-ink); box-shadow: inset 3px 0 var(--canary); padding-left: .75rem; }
.chip.fail { background: var(--fail-tint); color: var(--fail); }
.cause { display: flex; flex-wrap: wrap; gap: .5rem .6rem; list-style: none; padding: 0; margin: 0 0 1.1rem; align-items: center; }
.cause li + li::before { content: "then"; color: var(--soft); font-size: .875rem; margin-right: .6rem; }
.at { color: var(--soft); font-size: .875rem; margin-left: .45rem; }
.stabletext { color: var(--stable-ink); } .canarytext { color: var(--canary-ink); } .failtext { color: var(--fail); fill: var(--fail); font-weight: 700; }

.rail { stroke: var(--rule); stroke-width: 2; } .railname { font-size: 13px; font-weight: 600; }
.railname.stable { fill: var(--stable-ink); } .railname.canary { fill: var(--canary-ink); }
.stop-stable { stop-color: var(--stable); } .stop-canary { stop-color: var(--canary); }
.link { fill: none; stroke-width: 5; stroke-linecap: round; } .link.stable { stroke: var(--stable); } .link.canary { stroke: var(--canary); }
.link.blocked { stroke: var(--faint); stroke-width: 2; stroke-dasharray: 3 5; }
.node { stroke: var(--paper); stroke-width: 3; } .node.stable { fill: var(--stable); } .node.canary { fill: var(--canary); }
.node.blocked { fill: var(--paper); stroke: var(--faint); stroke-width: 2; stroke-dasharray: 3 3; }
.node.failing { fill: var(--paper); stroke: var(--fail); stroke-width: 3; } .cross { stroke: var(--fail); stroke-width: 3; stroke-linecap: round; fill: none; }
.step { fill: var(--ink); font-size: 13.5px; font-weight: 620; } .statustext { fill: var(--soft); font-size: 12px; } .where { fill: var(--soft); font-size: 12px; }
p.where { font-size: .9375rem; } .statustext.failtext { fill: var(--fail); }
.stageband { fill: var(--code); } .eventline line { stroke: var(--ink); stroke-dasharray: 1 4; stroke-linecap: round; } .backline line { stroke: var(--fail); stroke-dasharray: 4 4; stroke-width: 1.5; }
.eventline text, .backline text { font-size: 11.5px; paint-order: stroke; stroke: var(--paper); stroke-width: 5px; }
.eventline text { fill: var(--ink); } .backline text { fill: var(--fail); font-weight: 650; }
svg.path.always { max-width: 26rem; }

.chance { display: grid; grid-template-columns: minmax(0, 20rem) minmax(0, 1fr); gap: 1rem 2.5rem; align-items: center; }
.chance > .scroll:first-child { grid-column: 1 / -1; } .formula { white-space: normal; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .42rem .9rem .42rem 0; border-bottom: 1px solid var(--rule); }
thead th { color: var(--soft); font-weight: 550; font-size: .8125rem; } tbody th { font-weight: 500; }
tbody tr:last-child > * { border-bottom: 0; } td { font-variant-numeric: tabular-nums; }
table.values { max-width: 22rem; } table.differences { min-width: 32rem; } .wrongvalue code { background: var(--fail-tint); color: var(--fail); }
.reason { display: block; color: var(--soft); font-size: .8125rem; }
.panes { display: grid; grid-template-columns: repeat(auto-fit, minmax(15.5rem, 1fr)); gap: .9rem; }
.pane { min-width: 0; border: 1px solid var(--rule); border-top: 4px solid var(--rule); border-radius: 8px; overflow: hidden; }
.pane.stable { border-top-color: var(--stable); } .pane.canary { border-top-color: var(--canary); } .pane.seen { border-top-color: var(--fail); }
.pane h5 { display: flex; justify-content: space-between; gap: .5rem; margin: 0; padding: .5rem .8rem; font-size: .875rem; font-weight: 620; }
.status { font-family: var(--mono); font-weight: 500; color: var(--soft); } .status.differs { color: var(--pass); } .status.wrong { color: var(--fail); font-weight: 700; }
pre { margin: 0; padding: .7rem 0; background: var(--code); line-height: 1.5; tab-size: 2; font-size: .8125rem; }
.line { display: block; padding: 0 .8rem 0 1.3rem; position: relative; min-height: 1.5em; width: max-content; min-width: 100%; }
.line.differs { background: var(--pass-tint); } .line.wrong { background: var(--fail-tint); color: var(--fail); font-weight: 600; }
.line.differs::before, .line.wrong::before { position: absolute; left: .45rem; } .line.differs::before { content: "="; color: var(--pass); } .line.wrong::before { content: "≠"; }
.skip { display: block; padding: .1rem 1.3rem; color: var(--soft); font-style: italic; }
.calls { padding-left: 1.3rem; margin: .6rem 0; } .calls li { margin: 0 0 1rem; padding-left: .2rem; } .calls pre { padding: .55rem .8rem; border-radius: 6px; max-height: 18rem; overflow: auto; }
.calls .request { margin: .4rem 0; white-space: pre-wrap; overflow-wrap: anywhere; } .calls .at { margin-left: 0; } .blocked { color: var(--soft); }
.note { background: var(--code); border-radius: 8px; padding: .6rem .9rem; } .advice { background: var(--pass-tint); border-radius: 8px; padding: .75rem 1rem; margin: 1.2rem 0 .6rem; }
.advice b { color: var(--pass); margin-right: .4rem; } .advice code, .note code { background: none; padding: 0; }
.replay { display: flex; gap: .6rem; align-items: center; margin-top: .8rem; min-width: 0; } .replay code { padding: .45rem .8rem; min-width: 0; }
button { font: inherit; font-size: .875rem; color: var(--ink); background: var(--paper); border: 1px solid var(--faint); border-radius: 6px; padding: .3rem .8rem; cursor: pointer; white-space: nowrap; }
button:hover { background: var(--code); }
details.fold { margin-top: 1.1rem; } details.fold > summary { cursor: pointer; font-weight: 550; padding: .25rem 0; overflow-wrap: anywhere; }
section.more { margin-top: 2.4rem; } .paper.pad { padding: .9rem 1.4rem 1.1rem; } .paper.pad > details.fold { margin: 0; border-bottom: 1px solid var(--rule); padding: .55rem 0; } .paper.pad > details.fold:last-child { border: 0; }
.plan { list-style: none; padding: 0; margin: .5rem 0; font-size: .9375rem; } .plan li { display: grid; grid-template-columns: 2.6rem 1fr; padding: .16rem 0; } .plan .n { color: var(--soft); font-variant-numeric: tabular-nums; }
.plan .d1 { padding-left: 1.6rem; } .plan .d2 { padding-left: 3.2rem; } .plan .d3 { padding-left: 4.8rem; } .plain { padding-left: 1.2rem; margin: .5rem 0; } .plain li { margin: .2rem 0; overflow-wrap: anywhere; }
@media (max-width: 44rem) {
  body { font-size: 15.5px; } main, header.top, footer { padding-left: .8rem; padding-right: .8rem; }
  .verdict { padding: 1.2rem 1.1rem; } .figures { padding: .8rem .5rem .6rem; } .legend { padding: 0 .4rem; } .facts { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: .8rem 1rem; }
  svg.wide { display: none; } svg.narrow { display: block; } svg.path.narrow, svg.path.always { width: 100%; max-width: 24rem; }
  details.card > summary { padding: 1rem; } .cardbody { padding: 0 1rem 1.1rem; } .meta { margin-left: 0; } .chance { grid-template-columns: minmax(0, 1fr); }
  .toc a { grid-template-columns: 2rem 1fr; padding: .6rem .8rem; } .toc .worst { grid-column: 2; } .paper.pad { padding: .6rem .9rem; }
}
@media print {
  :root { --ground: #fff; --shadow: none; } body { font-size: 11pt; } main, header.top, footer { max-width: none; padding: 0; }
  article.finding, .pane, svg { break-inside: avoid; } article.finding { break-inside: auto; } button { display: none; } h2, h4 { break-after: avoid; } .scroll { overflow: visible; } pre, .line { white-space: pre-wrap; width: auto; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
""".strip()

SCRIPT = """
"use strict";
for (const box of document.querySelectorAll(".replay")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-label", "Copy the replay command");
  button.addEventListener("click", async () => {
    const code = box.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });
  box.append(button);
}
const unfold = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  const card = target && target.querySelector("details.card");
  if (card) { card.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", unfold);
unfold();
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details")) { each.open = true; }
});
""".strip()
