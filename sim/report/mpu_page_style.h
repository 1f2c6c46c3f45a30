// The style sheet of the page about MPU regions. Internal to sim/report.
#pragma once

namespace trapline {

inline constexpr char kMpuPageStyle[] = R"css(
:root { color-scheme: light dark; --ground: #ffffff; --panel: #f4f5f7; --ink: #16181d;
  --faint: #565d6b; --line: #c9ced8; --accent: #1a5fb4; --band: #8fb6e8; --limit: #b3261e;
  --problem: #b3261e; --advice: #7a4b00; --fact: #2f5d3a; --block-ink: #101318; --tint: 78%; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14161a; --panel: #1e2127; --ink: #eceef2; --faint: #a6adbb; --line: #3b414d;
    --accent: #8ab4f8; --band: #3d6ca8; --limit: #ff8a80; --problem: #ff8a80; --advice: #ffc56b;
    --fact: #8fd19e; --block-ink: #f5f7fa; --tint: 26%; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
footer { padding: 1rem; color: var(--faint); }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p { margin: .25rem 0 .75rem; max-width: 60rem; }
.faint { color: var(--faint); }
a { color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: .5rem; background: var(--ground); padding: .5rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1rem; padding: 0; list-style: none; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .75rem; }
.tile { background: var(--panel); border-radius: .5rem; padding: .75rem 1rem; }
.tile b { font-size: 1.6rem; display: block; line-height: 1.2; }
.findings { list-style: none; padding: 0; }
.findings li { background: var(--panel); border-left: .3rem solid var(--fact); padding: .5rem .75rem;
  margin: .5rem 0; border-radius: 0 .4rem .4rem 0; }
.findings .problem { border-color: var(--problem); } .findings .advice { border-color: var(--advice); }
.level { font-weight: 700; text-transform: uppercase; font-size: .75rem; letter-spacing: .04em;
  color: var(--fact); margin-right: .5rem; }
.problem .level { color: var(--problem); } .advice .level { color: var(--advice); }
.findings p { margin: .15rem 0 0; color: var(--faint); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--faint); padding: .25rem 0; }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line);
  white-space: nowrap; vertical-align: top; }
td.n, th.n { text-align: right; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .small { fill: var(--faint); font-size: 11px; }
svg .grid { stroke: var(--line); stroke-width: 1; }
svg .band { fill: var(--band); } svg .limit { stroke: var(--limit); stroke-width: 2;
  stroke-dasharray: 6 4; } svg .limit-text { fill: var(--limit); }
svg .free { fill: var(--panel); } svg .block { stroke: var(--ground); stroke-width: .5; }
svg .inside { fill: var(--block-ink); font-size: 11px; pointer-events: none; }
.chart { min-width: 40rem; }
.swatch { display: inline-block; width: .8em; height: .8em; border-radius: .2em; margin-right: .4em; }
.bar { display: inline-block; height: .6em; background: var(--band); vertical-align: baseline; }
code { font-size: .95em; }
@media print { .scroll { overflow: visible; } }
)css";

}  // namespace trapline
