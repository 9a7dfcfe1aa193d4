#!/usr/bin/env python3
"""Measures what goes beyond the paper on the validation sequences: trains a base recipe and variants of it with several
seeds, evaluates each, and prints one table. Killed or run again it goes on where it was, run by run.

    beyond_paper.py MTDN DATA OUT [--seeds 1,2,3] [--recipe "--width 8 --size 128 --epochs 5"]
                    [--variant NAME="--ema 0.99"]
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

# What a training is given beside the recipe.
VARIANTS = {"base": "", "ema": "--ema 0.999", "focal+dice": "--loss focal+dice",
            "focal+tversky": "--loss focal+tversky", "deep supervision": "--deep-supervision 0.5"}
# What an evaluation is given: these need no training of their own.
VIEWS = {"": "", "soft": "--soft --fusion ensemble", "inside": "--inside A2:A1", "flips 4": "--flips 4",
         "flips 8": "--flips 8", "flips 8, inside": "--flips 8 --inside A2:A1"}
FUSIONS = ("backward", "ensemble")


def call(command):
    """Standard output of a program, whose messages are shown."""
    print("+", shlex.join(command), file=sys.stderr, flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{shlex.join(command)}: exit status {done.returncode}; run again to go on from here")
    return done.stdout


def once(file, asked, make):
    """What `make` gave for what was asked; it is called where the file does not hold that already."""
    if file.exists():
        held = json.loads(file.read_text())
        if held["asked"] != asked:
            sys.exit(f"{file}: made by {held['asked']}, now asked for {asked}; name another folder")
        return held["result"]
    result = make()
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".part")
    partial.write_text(json.dumps({"asked": asked, "result": result}, indent=1))
    os.replace(partial, file)
    return result


def train(a, variant, seed):
    folder = a.out / variant / f"seed{seed}"
    recipe = shlex.split(a.recipe) + shlex.split(a.variants[variant])

    def make():
        if (folder / "run.json").exists():
            how = ["--resume", "--threads", str(a.threads)]
        else:
            how = ["--data", str(a.data), "--seed", str(seed), "--threads", str(a.threads)] + recipe
        return json.loads(call([a.mtdn, "train", "--json", "--out", str(folder)] + how))

    once(folder / "trained.json", {"data": str(a.data), "seed": seed, "recipe": recipe}, make)
    return folder


def evaluate(a, folder, view):
    """`figures[task][fusion]`: macro F1 over the split's sequences."""
    options = shlex.split(VIEWS[view])

    def make():
        figures = {}
        for fusion in ("ensemble",) if "--fusion" in options else FUSIONS:
            command = [a.mtdn, "evaluate", "--json", "--model", str(folder / "best.safetensors"), "--data", str(a.data),
                       "--split", a.split, "--threads", str(a.threads)]
            if "--fusion" not in options:
                command += ["--fusion", fusion]
            scores = json.loads(call(command + options))[fusion]
            for task in scores:
                if task != "overall":
                    figures.setdefault(task, {})[fusion] = scores[task]["total"]["macro_f1"]
        return figures

    name = view.replace(", ", "_").replace(" ", "") or "plain"
    return once(folder / f"{a.split}_{name}.json", {"data": str(a.data), "options": options}, make)


def cells(ours, base):
    """Mean, least and most of the seeds' figures, and of their differences from the base of the same seed."""
    if not ours:
        return ["", ""]
    text = f"{statistics.mean(ours.values()):.5f} ({min(ours.values()):.5f} to {max(ours.values()):.5f})"
    gains = [ours[seed] - base[seed] for seed in ours if seed in base]
    if ours is base or not gains:
        return [text, ""]
    return [text, f"{statistics.mean(gains):+.5f} ({min(gains):+.5f} to {max(gains):+.5f})"]


def table(results):
    """`results[row][seed]`: figures by task and fusion."""
    columns = sorted({(task, fusion) for of_row in results.values() for figures in of_row.values() for task in figures
                      for fusion in figures[task]})
    lines = ["| variant | seeds | " + " | ".join(f"{task} {fusion} | − base" for task, fusion in columns) + " |",
             "|---|---|" + "---|---|" * len(columns)]
    figures = {row: {(t, f): {seed: by[t][f] for seed, by in of_row.items() if f in by.get(t, {})} for t, f in columns}
               for row, of_row in results.items()}
    for row, of_row in figures.items():
        shown = [cell for column in columns for cell in cells(of_row[column], figures["base"][column])]
        lines.append(f"| {row} | {len(results[row])} | " + " | ".join(shown) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mtdn", help="the program")
    parser.add_argument("data", type=lambda text: Path(text).resolve(), help="folder of the dataset")
    parser.add_argument("out", type=Path, help="folder for <variant>/seed<n>, table.md and table.json")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--recipe", default="--width 8 --size 128 --epochs 5",
                        help="options of mtdn train for all; by epochs, as minutes begin anew when a run is taken up")
    parser.add_argument("--variants", default=",".join(VARIANTS),
                        help="of these by name, the base always first: %(default)s")
    parser.add_argument("--variant", action="append", default=[], metavar="NAME=OPTIONS",
                        help="one more variant of training")
    parser.add_argument("--views", default=";".join(VIEWS), help="evaluations of the base's runs, by name: %(default)s")
    parser.add_argument("--every", action="store_true", help="these evaluations of all variants' runs")
    parser.add_argument("--split", default="validation", choices=("train", "validation", "test", "all"))
    parser.add_argument("--threads", type=int, default=0, help="of the program; 0: all")
    a = parser.parse_args()
    known = dict(VARIANTS, **dict(one.split("=", 1) for one in a.variant))
    wanted = [name for name in a.variants.split(",") if name] + [one.split("=", 1)[0] for one in a.variant]
    views = [""] + [view for view in a.views.split(";") if view]
    for name, names in [(n, known) for n in wanted] + [(v, VIEWS) for v in views]:
        if name not in names:
            parser.error(f"no {name!r}; expected of {', '.join(map(repr, names))}")
    a.variants = {name: known[name] for name in ["base"] + [n for n in wanted if n != "base"]}

    results = {}
    for seed in map(int, a.seeds.split(",")):  # all variants of a seed before the next, so that a table comes early
        for variant in a.variants:
            folder = train(a, variant, seed)
            for view in views if variant == "base" or a.every else [""]:
                row = ", ".join(part for part in (variant, view) if part)
                results.setdefault(row, {})[seed] = evaluate(a, folder, view)
                (a.out / "table.md").write_text(table(results))
                (a.out / "table.json").write_text(json.dumps(results, indent=1) + "\n")
    print(table(results), end="")


if __name__ == "__main__":
    main()
