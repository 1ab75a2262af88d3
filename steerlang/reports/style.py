"""The style of the HTML page: one sheet, light and dark, for phones and for paper."""

CSS = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #ffffff; --sheet: #f6f8fa; --rule: #d1d9e0;
  --good: #1a7f37; --bad: #cf222e; --link: #0550ae; --new: #dafbe1; --gone: #ffebe9;
  --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df; --c4: #cf222e; --c5: #1b7c83;
  --c6: #9a6700; --c7: #bf3989; --h-kind: #cf222e; --h-call: #8250df; --h-argument: #953800; --h-number: #0550ae;
  --h-text: #0a3069; --vertex: #1b1f24; --edge: #8c959f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117; --sheet: #151b23;
  --rule: #3d444d; --good: #3fb950; --bad: #f85149; --link: #79c0ff; --new: #12422b; --gone: #5a1e1e;
  --c0: #4493f8; --c1: #f0883e; --c2: #3fb950; --c3: #ab7df8; --c4: #f85149; --c5: #39c5cf;
  --c6: #d29922; --c7: #db61a2; --h-kind: #ff7b72; --h-call: #d2a8ff; --h-argument: #ffa657; --h-number: #79c0ff;
  --h-text: #a5d6ff; --edge: #6e7681; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 2rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem; border-bottom: 1px solid var(--rule); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 2px; }
a:not(:hover) { text-decoration-color: color-mix(in srgb, currentColor 40%, transparent); }
:target { outline: 2px solid var(--c6); outline-offset: 2px; border-radius: 2px; scroll-margin-top: 1rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.1rem; list-style: none; padding: 0; margin: .75rem 0 0; }
.soft { color: var(--soft); } .good { color: var(--good); } .bad { color: var(--bad); }
.about { margin: 0 0 .5rem; max-width: 48rem; }
.alert { border: 1px solid var(--bad); border-left-width: 4px; border-radius: 4px; padding: .5rem .75rem; }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.tag { font: .75rem/1.3 system-ui, sans-serif; color: var(--soft); border: 1px solid var(--rule); border-radius: 1rem;
  padding: 0 .45rem; white-space: nowrap; }
.line-link { font-size: .75rem; font-weight: 400; color: var(--soft); margin-left: .3rem; white-space: nowrap; }
code, pre, .num { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: .875em; }
td.num code, h3 code { font-size: 1em; } .num .num { font-size: 1em; }
code, td, th, dd, h1 { unicode-bidi: isolate; }
pre { background: var(--sheet); border: 1px solid var(--rule); border-radius: 6px; padding: 1rem; overflow-x: auto; }
pre.program { counter-reset: line; line-height: 1.5; tab-size: 2; }
pre.program .line { counter-increment: line; }
pre.program .line::before { content: counter(line); display: inline-block; width: 2.2em; margin-right: 1em;
  text-align: right; color: var(--soft); opacity: .75; }
pre.program .line:target, .line:has(:target) { background: color-mix(in srgb, var(--c6) 18%, transparent); }
.h-kind { color: var(--h-kind); } .h-call { color: var(--h-call); } .h-argument { color: var(--h-argument); }
.h-number, .h-word { color: var(--h-number); } .h-text { color: var(--h-text); }
.h-comment { color: var(--soft); font-style: italic; } .h-name { font-weight: 600; } .h-name a { color: inherit; }
.h-use { color: inherit; text-decoration-style: dotted; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .35rem .75rem; border-bottom: 1px solid var(--rule); text-align: left;
  vertical-align: top; }
th { font-weight: 600; } td.num, th.num { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
table.expectations td:first-child { padding-right: 0; } table.expectations td:nth-child(2),
table.expectations td:last-child { white-space: nowrap; }
table.singles td:last-child, table.singles th:last-child { text-align: left; white-space: normal; min-width: 14rem;
  font-family: inherit; color: var(--soft); }
table.samples { width: 100%; } table.beside { table-layout: fixed; }
table.samples td { white-space: pre-wrap; overflow-wrap: anywhere; }
table.beside td:first-child, table.beside th:first-child { color: var(--soft); }
table.below th { font-weight: 400; white-space: nowrap; color: var(--soft); }
table.below .prompt th { padding-top: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; color: var(--ink);
  border-bottom-width: 2px; } table.below td { width: 100%; }
table.board td { min-width: 11rem; max-width: 22rem; } table.board th[scope="row"] { font-weight: 400; max-width: 9rem;
  font-size: .8rem; line-height: 1.35; } .board .number { display: block; font: 600 1rem/1.3 system-ui, sans-serif; }
.board .words { margin: 0 0 .4rem; } .board ul { margin: 0; padding-left: 1.1rem; font-size: .875rem; }
.thumbs { display: flex; flex-wrap: wrap; gap: 4px; } .thumbs img { width: 56px; height: 56px; object-fit: cover;
  border-radius: 3px; background: var(--sheet); image-rendering: auto; display: block; }
.picture { display: block; max-width: 10rem; max-height: 10rem; min-width: 4rem; margin: 0 0 .3rem; border-radius: 3px;
  image-rendering: auto; }
ins { text-decoration: none; background: var(--new); border-radius: 3px; padding: .05em .1em; }
del { text-decoration: none; background: var(--gone); border-radius: 3px; padding: .05em .1em; }
ul.told { padding: 0; list-style: none; } ul.told li { padding: .3rem 0; }
dl.inline { display: flex; flex-wrap: wrap; gap: .1rem 1.4rem; margin: .25rem 0 .75rem; }
.inline > div { display: flex; gap: .45rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; } dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; } .digest { overflow-wrap: anywhere; }
details > summary { cursor: pointer; color: var(--soft); } details { margin: .35rem 0; }
.figures { display: flex; flex-wrap: wrap; gap: 1rem 2rem; align-items: flex-start; }
.figures > .wide { flex: 1 1 26rem; min-width: min(100%, 20rem); }
.chart { margin: .25rem 0 .75rem; width: 100%; max-width: 44rem; height: auto; display: block; }
.chart text { fill: var(--soft); font-size: 12px; }
.chart .chosen { stroke: var(--soft); stroke-width: 1.5; stroke-dasharray: 4 3; }
.chart text.name, .heatmap text.name { fill: var(--ink); font-size: 13px; }
.chart .grid { stroke: var(--rule); stroke-width: 1; } .line { fill: none; stroke-width: 2; stroke: var(--k); }
.band { fill: var(--k); opacity: .15; } .dot { fill: var(--k); } .key { background: var(--k); }
.band.soft { fill: var(--soft); }
.chart .base { --k: var(--ink); } .chart .told { --k: var(--c6); } .chart .random { --k: var(--soft); }
.key.base { --k: var(--ink); } .key.told { --k: var(--c6); } .key.random { --k: var(--soft); }
.line.base { stroke-dasharray: 2 4; } .line.told { stroke-dasharray: 8 4; } .line.random { stroke-dasharray: 5 3; }
.line.whole { stroke-dasharray: none; } .band.random { opacity: .25; }
.legend { margin: .25rem 0 1rem; } .legend span { margin-right: 1.25rem; display: inline-block; }
.key { display: inline-block; width: .75rem; height: .75rem; border-radius: 2px; margin-right: .4rem; }
.key.base, .key.told, .key.random { width: 1.2rem; height: 0; border-radius: 0; background: none;
  vertical-align: .25rem; border-top: 2px dashed var(--k); } .key.base { border-top-style: dotted; }
.c0 { --k: var(--c0); } .c1 { --k: var(--c1); } .c2 { --k: var(--c2); } .c3 { --k: var(--c3); }
.c4 { --k: var(--c4); } .c5 { --k: var(--c5); } .c6 { --k: var(--c6); } .c7 { --k: var(--c7); }
.heat { display: flex; flex-wrap: wrap; gap: 1rem 2rem; } figure { margin: 0; overflow-x: auto; }
.heatmap { display: block; } .heatmap text { fill: var(--soft); font-size: 11px; font-family: ui-monospace, monospace; }
.heatmap text.weak { fill: var(--ink); } .heatmap text.strong { fill: var(--paper); }
.heatmap.bar { margin-top: .75rem; max-width: 100%; }
.cosines { max-width: 100%; height: auto; }
.heatmap .rim { fill: none; stroke: var(--rule); stroke-width: 1; } .heatmap .heat { fill: var(--k); }
.graph { width: 100%; height: auto; display: block; font: 12px system-ui, sans-serif; }
.graph .edges { fill: none; stroke: var(--edge); stroke-width: 1.2; } .graph a:hover rect { stroke-width: 2.5; }
@media (prefers-color-scheme: dark) { .graph rect { filter: brightness(.88); } }
@media (max-width: 42rem) { body { padding: 1rem .9rem 3rem; } dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .4rem; } th, td { padding: .3rem .5rem; }
  table.beside, table.beside tbody, table.beside tr, table.beside td, table.expectations, table.expectations tbody,
  table.expectations tr, table.expectations td { display: block; border: 0; }
  table.beside thead, table.expectations thead { display: none; }
  table.beside tr, table.expectations tr { border-bottom: 1px solid var(--rule); padding: .4rem 0; }
  table.beside td, table.expectations td { padding: .15rem 0; }
  table.beside td::before { content: attr(data-name) " "; color: var(--soft); font-size: .8rem; display: block; }
  .wide > .chart { min-width: 31rem; }
  table.expectations td:first-child { float: left; margin-right: .5rem; } }
@media print { :root { color-scheme: light; } body { max-width: none; padding: 0; font-size: 10.5pt; }
  nav { display: none; } details.long::details-content { content-visibility: visible; display: block; }
  h2, h3 { break-after: avoid; } tr, figure, svg { break-inside: avoid; } pre { white-space: pre-wrap; }
  .wide, pre { overflow: visible; } .graph { min-width: 0 !important; } table { font-size: 9pt; }
  td, th { padding: .2rem .4rem; } a { color: inherit; text-decoration: none; } }
""".strip()
