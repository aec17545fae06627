"""How the page looks: light and dark, on a screen, a phone and on paper."""

from __future__ import annotations

__all__ = ["STYLE"]

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fbfaf8; --sheet: #ffffff; --ink: #1d2025; --quiet: #565c66; --rule: #d9d7d2;
  --good: #1b6e3c; --good-sheet: #e3f4e8; --wait: #7a4b00; --wait-sheet: #fdf0d6; --bad: #a8201a;
  --p0: #2f5fd0; --p1: #b4442b; --p2: #24785a; --p3: #8a3fa8; --p4: #8a6500; --p5: #0b7285;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14161a; --sheet: #1d2026; --ink: #e9e7e2; --quiet: #a9aeb8; --rule: #3a3f48;
    --good: #8fdcab; --good-sheet: #17331f; --wait: #f2c879; --wait-sheet: #3a2c0e; --bad: #ff9d94;
    --p0: #86a9ff; --p1: #f0937c; --p2: #72cfa9; --p3: #d29bea; --p4: #d9b64a; --p5: #6fc9da;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 46rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere;
}
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 0 0 .4rem; }
h3 small { font-weight: normal; color: var(--quiet); }
p { margin: 0 0 .6rem; }
ul { margin: 0; padding-left: 1.2rem; }
code { font: .88em ui-monospace, monospace; }
time { font-variant-numeric: tabular-nums; }
footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--rule); }
footer, .quiet { color: var(--quiet); }
.chapter {
  margin: 0 0 1rem; padding: .8rem 1rem; border: 1px solid var(--rule);
  border-left: .4rem solid var(--person); border-radius: .4rem; background: var(--sheet);
}
.anonymous { border-left-style: double; }
.none { --person: var(--rule); }
.p0 { --person: var(--p0); } .p1 { --person: var(--p1); } .p2 { --person: var(--p2); }
.p3 { --person: var(--p3); } .p4 { --person: var(--p4); } .p5 { --person: var(--p5); }
.chapter ol { list-style: none; margin: 0; padding: 0; }
.chapter li { padding: .5rem 0; border-top: 1px solid var(--rule); }
.chapter li p { margin: 0; }
.chapter li > p > time { color: var(--quiet); }
.turn { margin: 0 0 1rem; padding: .2rem 0 .2rem 1rem; border-left: .4rem dotted var(--rule); }
.link { border-left-style: solid; }
.bad { color: var(--bad); font-weight: 600; }
.badge { display: inline-block; padding: 0 .5em; border-radius: .7em; font-size: .82rem; }
.sent { color: var(--good); background: var(--good-sheet); }
.waits { color: var(--wait); background: var(--wait-sheet); }
summary { cursor: pointer; color: var(--quiet); font-size: .88rem; width: fit-content; }
summary:focus-visible { outline: 2px solid var(--p0); outline-offset: 2px; }
dl { margin: .4rem 0 0; font-size: .88rem; }
dl div { display: grid; grid-template-columns: minmax(6rem, 1fr) 2fr; gap: .8rem; }
dt { color: var(--quiet); }
dd { margin: 0; }
@media print { details > * { display: block; } body { max-width: none; } }
"""
