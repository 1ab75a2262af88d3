"""The style of the HTML page: one sheet, light and dark, readable on paper too."""

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #ffffff; --sheet: #f6f8fa; --rule: #d1d9e0;
  --good: #1a7f37; --bad: #cf222e;
  --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #cf222e; --c5: #1b7c83;
  --c6: #9a6700; --c7: #bf3989; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --sheet: #151b23;
  --rule: #3d444d; --good: #3fb950; --bad: #f85149;
  --c0: #4493f8; --c1: #f0883e; --c2: #3fb950; --c3: #ab7df8; --c4: #f85149; --c5: #39c5cf;
  --c6: #d29922; --c7: #db61a2; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
code, pre, .num { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .875em; }
code, td, th, dd, h1 { unicode-bidi: isolate; }
pre { background: var(--sheet); border: 1px solid var(--rule); border-radius: 6px; padding: 1rem; overflow-x: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .35rem .75rem; border-bottom: 1px solid var(--rule); text-align: left;
  vertical-align: top; }
th { font-weight: 600; } td.num, th.num { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
table.samples { width: 100%; table-layout: fixed; } table.samples td { white-space: pre-wrap; overflow-wrap: anywhere; }
table.samples tr > :first-child { color: var(--soft); }
ul.expectations { list-style: none; padding: 0; } ul.expectations li { padding: .3rem 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
details > summary { cursor: pointer; color: var(--soft); }
.chart { width: 100%; max-width: 44rem; height: auto; display: block; }
.chart text { fill: var(--soft); font-size: 12px; }
.chart .chosen { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 4 3; }
.chart text.name { fill: var(--ink); font-size: 13px; }
.chart .grid { stroke: var(--rule); stroke-width: 1; } .line { fill: none; stroke-width: 2; stroke: var(--k); }
.band { fill: var(--k); opacity: .15; } .dot { fill: var(--k); } .key { background: var(--k); }
.band.soft { fill: var(--soft); }
.legend { margin: .25rem 0 1rem; } .legend span { margin-right: 1.25rem; white-space: nowrap; }
.key { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px; margin-right: .4rem; }
.c0 { --k: var(--c0); } .c1 { --k: var(--c1); } .c2 { --k: var(--c2); } .c3 { --k: var(--c3); }
.c4 { --k: var(--c4); } .c5 { --k: var(--c5); } .c6 { --k: var(--c6); } .c7 { --k: var(--c7); }
.heat { display: flex; flex-wrap: wrap; gap: 1rem 2rem; } figure { margin: 0; overflow-x: auto; }
.heatmap { display: block; } .heatmap text { fill: var(--soft); font-size: 11px; font-family: ui-monospace, monospace; }
.heatmap text.weak { fill: var(--ink); } .heatmap text.strong { fill: var(--paper); }
.heatmap.bar { margin-top: .75rem; max-width: 100%; }
.heatmap .rim { fill: none; stroke: var(--rule); stroke-width: 1; } .heatmap .heat { fill: var(--k); }
@media print { body { max-width: none; padding: 0; } details { display: block; } }
""".strip()
