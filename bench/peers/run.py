#!/usr/bin/env python3
"""Interleaved side-by-side runs of `load` against several gateways in front of one `mock-upstream`.

  run.py PEERS.json OUT.jsonl [--rounds N] [--only a,b] [--scenarios x,y] [--quiet 0.2] [--wait 90]
  run.py --report OUT.jsonl [--max-noise 0.25]

PEERS.json: [{"name", "url", "pidfile"?, "args"? (for load), "model_prefix"?, "slow"? (x time)}, ...];
the first is the direct path to the mock, "mock": true gives the mock's pidfile. Env: BENCH_BIN, the
folder of the release binaries. Before each measurement the runner waits (at most --wait s) until other
processes leave the machine alone (--quiet cores busy); what they used meanwhile is kept as `noise`
(cores), so that a report can drop disturbed samples.
"""
import argparse, json, os, resource, statistics, subprocess, sys, time

HZ, CORES = os.sysconf("SC_CLK_TCK"), os.cpu_count()
SCENARIOS = {  # name: (load arguments, seconds, warm-up)
    "json-c1": (["--model", "mock-64t-0ms", "--concurrency", "1"], 3, 0.5),
    "json-c32": (["--model", "mock-64t-0ms", "--concurrency", "32"], 3, 0.7),
    "sse-burst-c32": (["--stream", "--model", "mock-64t-0ms", "--concurrency", "32"], 3, 0.7),
    "sse-each-c32": (["--stream", "--model", "mock-64t-0ms-flush", "--concurrency", "32"], 3, 0.7),
    "sse-anthropic-c32": (["--stream", "--anthropic", "--model", "mock-64t-0ms", "--concurrency", "32"], 3, 0.7),
    "sse-1kB-c32": (["--stream", "--model", "mock-64t-0ms-1000b", "--concurrency", "32"], 3, 0.7),
    "sse-10ms-c200": (["--stream", "--model", "mock-64t-10ms-ts", "--concurrency", "200"], 5, 2),
    "sse-10ms-c1000": (["--stream", "--model", "mock-64t-10ms-ts", "--concurrency", "1000"], 6, 3),
    "sse-50ms-c1000": (["--stream", "--model", "mock-64t-50ms-ts", "--concurrency", "1000"], 8, 4),
}


def machine_busy():
    f = [int(x) for x in open("/proc/stat").readline().split()[1:]]
    return (sum(f[:8]) - f[3] - f[4]) / HZ  # user..steal without idle, iowait


def tree_cpu(pid):
    try:
        f = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
        kids = [k for t in os.listdir(f"/proc/{pid}/task") for k in open(f"/proc/{pid}/task/{t}/children").read().split()]
    except OSError:
        return 0.0
    return (int(f[11]) + int(f[12])) / HZ + sum(tree_cpu(int(k)) for k in kids)


def wait_quiet(limit, patience):
    end = time.time() + patience
    while True:
        b, t = machine_busy(), time.time()
        time.sleep(1.0)
        busy = (machine_busy() - b) / (time.time() - t)
        if busy <= limit or time.time() > end:
            return busy


def priority(nice):
    """Nice value of this terminal's scheduling group (all that was started from it)."""
    if nice is not None:
        with open("/proc/self/autogroup", "w") as f:
            f.write(str(nice))


def measure(peer, scenario, mock_pid, a):
    args, secs, warm = SCENARIOS[scenario]
    factor = peer.get("slow", 1) if scenario.startswith("sse") else 1
    args = list(args)
    if peer.get("model_prefix"):
        i = args.index("--model") + 1
        args[i] = peer["model_prefix"] + args[i]
    url = peer["url"]
    if "--anthropic" in args:
        url = url.replace("/chat/completions", "/messages")
    pids = [int(open(peer["pidfile"]).read())] if peer.get("pidfile") else []
    cmd = [os.path.join(os.environ["BENCH_BIN"], "load"), "--url", url, "--label", peer["name"],
           "--duration", str(secs * factor), "--warmup", str(warm * factor), *args, *peer.get("args", [])]
    if pids:
        cmd += ["--watch", ",".join(map(str, pids))]
    wait_quiet(a.quiet, a.wait)
    own = lambda: sum(map(tree_cpu, pids + [mock_pid])) + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    busy, mine, t = machine_busy(), own(), time.time()
    try:
        priority(a.autogroup)
        r = subprocess.run(cmd, capture_output=True, text=True)
    finally:
        priority(None if a.autogroup is None else 0)
    wall = time.time() - t
    if r.returncode:
        return {"label": peer["name"], "failed": r.stderr[-300:], "scenario": scenario}
    out = json.loads(r.stdout)
    out.update(scenario=scenario, noise=round(max(0.0, machine_busy() - busy - (own() - mine)) / wall, 3), at=int(t))
    return out


def report(path, max_noise):
    rows = [json.loads(l) for l in open(path)]
    cols = ["rps", "events_per_s", "ttft_p50_ms", "ttft_p99_ms", "total_p50_ms", "total_p99_ms", "transit_p50_ms",
            "transit_p99_ms", "gw_cpu_ms_per_request", "gw_cpu_s_per_1k_events", "gw_rss_mib", "errors", "noise"]
    names = list(dict.fromkeys(r["label"] for r in rows))
    for sc in SCENARIOS:
        here = {n: [r for r in rows if r["label"] == n and r["scenario"] == sc and "rps" in r] for n in names}
        if not any(here.values()):
            continue
        print(f"\n## {sc}\n\n| peer | samples | " + " | ".join(cols) + " |\n|" + "---|" * (len(cols) + 2))
        for n in names:
            calm = [r for r in here[n] if r["noise"] <= max_noise]
            use = calm or sorted(here[n], key=lambda r: r["noise"])[:3]
            if use:
                cells = []
                for c in cols:
                    v = [r[c] for r in use if c in r]
                    cells.append(f"{statistics.median(v):.4g}" if v else "")
                print(f"| {n} | {len(use)}{'' if calm else ' (noisy)'} | " + " | ".join(cells) + " |")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("peers", nargs="?")
    p.add_argument("out", nargs="?")
    p.add_argument("--report")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--only", default="")
    p.add_argument("--scenarios", default=",".join(SCENARIOS))
    p.add_argument("--quiet", type=float, default=0.2)
    p.add_argument("--wait", type=float, default=90)
    p.add_argument("--autogroup", type=int, help="raise this terminal's share of a busy machine while measuring, e.g. -15 (root)")
    p.add_argument("--max-noise", type=float, default=0.25)
    a = p.parse_args()
    if a.report:
        return report(a.report, a.max_noise)
    peers = json.load(open(a.peers))
    mock_pid = int(open(next(x for x in peers if x.get("mock"))["mock_pidfile"]).read())
    if a.only:
        peers = [x for x in peers if x["name"] in a.only.split(",")]
    for rnd in range(a.rounds):
        for sc in a.scenarios.split(","):
            for peer in peers:  # A B C A B C
                if sc.startswith(tuple(peer.get("skip", []))) or ("anthropic" in sc and not peer.get("anthropic")):
                    continue
                out = measure(peer, sc, mock_pid, a)
                out["round"] = rnd
                with open(a.out, "a") as f:
                    f.write(json.dumps(out) + "\n")
                print(rnd, sc, peer["name"], {k: round(out[k], 3) for k in ("rps", "events_per_s", "total_p50_ms", "errors", "noise") if k in out}, out.get("first_error", out.get("failed", ""))[:160], file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
