#!/usr/bin/env python3
"""Writes the page of figures and its chart from the samples of `run.py`.

  page.py OUT.jsonl docs/performance.md

The chart goes beside the page, as performance.svg. "Best router" is the better of the routers that were measured in the same run.
"""

import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

from run import SCENARIOS

ROUTERS = ["vllm-router", "sglang-router"]
OURS = "wordhoard-local"
MAX_NOISE = 0.25
# What is compared: a name, the scenario, the figure, against whom, and whether more is better.
RATIOS = [
    ("SSE burst, 32 clients: events/s ÷ best router", "sse-burst-c32", "events_per_s", "router", True),
    ("SSE, one write per event, 32: events/s ÷ nginx", "sse-each-c32", "events_per_s", "nginx", True),
    ("JSON, 32 clients: requests/s ÷ best router", "json-c32", "rps", "router", True),
    ("SSE every 10 ms, 200: CPU per event ÷ best router", "sse-10ms-c200", "gw_cpu_s_per_1k_events", "router", False),
    ("same: transit p50 ÷ best router", "sse-10ms-c200", "transit_p50_ms", "router", False),
    ("same: transit p99 ÷ best router", "sse-10ms-c200", "transit_p99_ms", "router", False),
    ("SSE every 10 ms, 1,000: events/s ÷ nginx", "sse-10ms-c1000", "events_per_s", "nginx", True),
]
COLUMNS = [
    ("rps", "requests/s"),
    ("events_per_s", "events/s"),
    ("total_p50_ms", "p50 ms"),
    ("total_p99_ms", "p99 ms"),
    ("transit_p50_ms", "transit p50 ms"),
    ("transit_p99_ms", "transit p99 ms"),
    ("gw_cpu_ms_per_request", "CPU ms/request"),
    ("gw_cpu_s_per_1k_events", "CPU s/1,000 events"),
    ("gw_rss_mib", "MiB"),
    ("errors", "errors"),
]


class Samples:
    """The samples of a run, by scenario and peer; disturbed ones are left out where there are others."""

    def __init__(self, path):
        self.rows = [json.loads(line) for line in Path(path).read_text().splitlines()]
        self.peers = list(dict.fromkeys(row["label"] for row in self.rows))

    def of(self, scenario, peer):
        rows = [r for r in self.rows if (r["scenario"], r["label"]) == (scenario, peer) and "rps" in r]
        return [r for r in rows if r["noise"] <= MAX_NOISE] or rows

    def median(self, scenario, peer, figure):
        values = [row[figure] for row in self.of(scenario, peer) if figure in row]
        return statistics.median(values) if values else None

    def best(self, scenario, figure, more_is_better):
        values = [self.median(scenario, router, figure) for router in ROUTERS]
        values = [value for value in values if value]
        return (max if more_is_better else min)(values) if values else None

    def ratio(self, peer, scenario, figure, against, more_is_better):
        ours = self.median(scenario, peer, figure)
        theirs = (
            self.best(scenario, figure, more_is_better)
            if against == "router"
            else self.median(scenario, against, figure)
        )
        return ours / theirs if ours and theirs else None


def machine():
    info = Path("/proc/cpuinfo").read_text()
    model = next((line.split(":")[1].strip() for line in info.splitlines() if line.startswith("model name")), "?")
    memory = int(Path("/proc/meminfo").read_text().split()[1]) / 2**20
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB, Linux {platform.release()}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def cell(value):
    return "–" if value is None else f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def ratios(samples):
    ours = [peer for peer in samples.peers if peer.startswith("wordhoard")]
    rows = []
    for name, *what in RATIOS:
        rows.append([name, *(cell(samples.ratio(peer, *what)) for peer in ours)])
    return table(["", *(f"`{peer.removeprefix('wordhoard-')}`" for peer in ours)], rows)


def details(samples):
    parts = []
    for scenario in SCENARIOS:
        rows = []
        for peer in samples.peers:
            figures = [samples.median(scenario, peer, figure) for figure, _ in COLUMNS]
            if any(figure is not None for figure in figures):
                rows.append([peer, *map(cell, figures)])
        if rows:
            parts.append(f"### {scenario}\n\n" + table(["", *(title for _, title in COLUMNS)], rows))
    return "\n\n".join(parts)


def chart(samples):
    """Bars of each ratio in which more is better, on a scale where the peer is 1."""
    bars = [(name, samples.ratio(OURS, *what)) for name, *what in RATIOS if what[-1]]
    bars = [(name, ratio) for name, ratio in bars if ratio is not None]
    widest = max([1.0, *(ratio for _, ratio in bars)])
    left, width, height = 380, 420, 30
    unit = width / widest
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 60}" height="{height * len(bars) + 30}" '
        'font-family="sans-serif" font-size="13">'
    ]
    for place, (name, ratio) in enumerate(bars):
        y = place * height + 10
        out.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end" fill="#444">{name}</text>')
        out.append(f'<rect x="{left}" y="{y}" width="{ratio * unit:.1f}" height="20" fill="#4a7a5a"/>')
        out.append(f'<text x="{left + ratio * unit + 5:.1f}" y="{y + 15}" fill="#444">{ratio:.2f}</text>')
    x = left + unit
    out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height * len(bars) + 8}" stroke="#999" stroke-dasharray="3"/>')
    out.append(f'<text x="{x:.1f}" y="{height * len(bars) + 22}" text-anchor="middle" fill="#777">the peer</text></svg>')
    return "\n".join(out)


def other_dialect(samples):
    other, same = (samples.median(name, OURS, "events_per_s") for name in ("sse-anthropic-c32", "sse-burst-c32"))
    return other / same if other and same else None


def main():
    samples, page = Samples(sys.argv[1]), Path(sys.argv[2])
    day = time.strftime("%Y-%m-%d", time.gmtime(max(row.get("at", 0) for row in samples.rows)))
    rounds = 1 + max(row["round"] for row in samples.rows)
    page.with_suffix(".svg").write_text(chart(samples) + "\n")
    page.write_text(f"""# Performance

Written by `make bench-peers`; not edited by hand. {day}, {machine()}, {rounds} interleaved rounds, medians.

Everything runs on one machine: client, mock provider and gateway share its cores, so only the ratios of one run mean something. The peers write
nothing to disk; `local` and `database` have every event durable before it is shown. An answer has 64 tokens, 68 SSE events.
`sse-anthropic-c32` is a client of Anthropic's API in front of a provider of OpenAI's; `sse-1kB-c32` has tokens of 1,000 bytes.
What each scenario and figure is: [bench/peers](../bench/peers/README.md).

## Ratios

![Ratios to the peers](performance.svg)

{ratios(samples)}

Another dialect ÷ the same (`local`, events/s): {cell(other_dialect(samples))}.

## Medians

{details(samples)}
""")


if __name__ == "__main__":
    main()
