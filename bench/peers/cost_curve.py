#!/usr/bin/env python3
"""Shows how our cost grows with size, width, pairs and frames: runs jobs of mtdn_peer one after the other and writes
cost_curve.md and cost_curve.json to a folder. `sh bench/peers/run.sh` builds what it needs.

    cost_curve.py BUILD OUT [--quick] [--threads N]
"""
import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

WIDTHS, SIZES, PAIRS, FRAMES = (8, 16, 32, 64), (64, 128, 256, 512, 1024), (1, 2, 4, 8, 16), (5, 10, 20, 27, 40, 56)


def jobs(quick):
    """Groups of (title, what varies, jobs as (kind, width, size, count))."""
    widths, sizes, pairs, frames = (part[:2] if quick else part for part in (WIDTHS, SIZES, PAIRS, FRAMES))
    fixed = 8 if quick else 32
    return [("Inference of one pair", [("inference", w, s, 1) for w in widths for s in sizes]),
            ("Inference at 256²", [("inference", w, 256, n) for w in widths for n in pairs]),
            ("Training step of two pairs", [("step", fixed, s, 2) for s in sizes[:4]]),
            ("Training step at 256²", [("step", fixed, 256, n) for n in pairs]),
            ("Training step of two pairs at 256²", [("step", w, 256, 2) for w in widths]),
            ("Every pair of so many frames, width 32, 256²", [("ensemble", fixed, 256, n) for n in frames])]


def run(build, job, threads):
    heavy = job[1] ** 2 * job[2] ** 2 * job[3] > 32 ** 2 * 256 ** 2 * 8
    repetitions = 1 if heavy or job[0] == "ensemble" else 5
    command = [str(Path(build) / "bin/mtdn_peer"), "/".join(map(str, job)), "--threads", str(threads),
               "--warmup", "0" if job[0] == "ensemble" else "1", "--repetitions", str(repetitions)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr.strip()}")
    answer = json.loads(done.stdout)
    kind, width, size, count = job
    pairs = count * count if kind == "ensemble" else count
    seconds = statistics.median(answer["seconds"])
    record = {"kind": kind, "width": width, "size": size, "count": count, "seconds": seconds,
              "seconds_a_pair": seconds / pairs, "mebibytes": answer["rss_mib"], "device": answer["device"]}
    print(f"{kind}/{width}/{size}/{count}: {seconds:.4g} s, {record['seconds_a_pair']:.4g} a pair, "
          f"{record['mebibytes']:.0f} MiB", file=sys.stderr, flush=True)
    return record


def table(title, records):
    """`linear`: cost a pair over that of a job of width 32 at 256², divided by what pixels and width² would give."""
    like = [r for r in records if (r["width"], r["size"]) == (32, 256)] or records
    middle = like[len(like) // 2]
    lines = [f"**{title}**", "", "| width | size | count | s | s a pair | ÷ linear | MiB |",
             "|---|---|---|---|---|---|---|"]
    for r in records:
        work = (r["width"] / middle["width"]) ** 2 * (r["size"] / middle["size"]) ** 2
        linear = r["seconds_a_pair"] / middle["seconds_a_pair"] / work
        lines.append(f"| {r['width']} | {r['size']}² | {r['count']} | {r['seconds']:.4g} | {r['seconds_a_pair']:.4g} | "
                     f"{linear:.2f} | {r['mebibytes']:.0f} |")
    return lines + [""]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build")
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    groups, lines = [], []
    for title, group in jobs(options.quick):
        records = [run(options.build, job, options.threads) for job in group]
        groups.append({"title": title, "records": records})
        lines += table(title, records)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "cost_curve.md").write_text("\n".join(lines))
    (options.out / "cost_curve.json").write_text(json.dumps(groups, indent=1))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
