#!/usr/bin/env python3
"""Runs our jobs and the peers' alternately and writes the table of targets as Markdown and JSON. run.sh calls it.

    compare.py BUILD OUT [--quick] [--only TEXT] [--threads N] [--rounds N]
"""
import argparse
import glob
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
# What a careful user of PyTorch sets: memory is kept by the process instead of being returned and touched anew.
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_MMAP_THRESHOLD_": "8589934592",
               "MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_TOP_PAD_": "67108864"}
F32, BF16, ONNX, STOCK, OURS_BF16 = "f32", "bf16", "ONNX", "stock f32", "ours in bf16"


def say(text):
    print(text, file=sys.stderr, flush=True)


@dataclass
class Contestant:
    """Somebody who can run a job: `command` + the job's name + numbers of threads, runs before and runs timed."""
    name: str
    kind: str
    command: list
    environment: dict = field(default_factory=dict)

    def run(self, job, threads, warmup, repetitions, limit=1800):
        command = [part.replace("JOB", job) for part in self.command]
        command += ["--threads", str(threads), "--warmup", str(warmup), "--repetitions", str(repetitions)]
        environment = {**os.environ, **self.environment}
        if self.kind != "ours":
            environment.update(OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
        try:
            done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=limit)
        except subprocess.TimeoutExpired:
            say(f"    {self.name}: {job}: given up after {limit} s")
            return None
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines()
            say(f"    {self.name}: {job}: failed: {lines[-1] if lines else done.returncode}")
            return None
        answer = json.loads(done.stdout.strip().splitlines()[-1])
        seconds = statistics.median(answer["seconds"])
        plural = "s" * (threads > 1)
        say(f"    {self.name}: {job}, {threads} thread{plural}: {seconds:.4g} s, {answer['rss_mib']:.0f} MiB")
        return answer


class Torch:
    """One Python with PyTorch: finds out once, for each kind of work, which of its variants is fastest."""

    def __init__(self, python, quick, threads):
        self.python, self.quick, self.threads = python, quick, threads
        self.chosen, self.memory = {}, {}
        self.name = self.ask("step")["peer"]
        self.environment = dict(KEEP_MEMORY)
        folders = glob.glob("/usr/lib/*/openblas-openmp")  # Debian: this one shares PyTorch's threads
        if folders:
            self.environment["LD_LIBRARY_PATH"] = os.pathsep.join(
                folders + [part for part in [os.environ.get("LD_LIBRARY_PATH")] if part])
        for setting in os.environ.get("MTDN_TORCH_ENV", "").split():
            key, _, value = setting.partition("=")
            self.environment[key] = value

    def ask(self, kind):
        done = subprocess.run([self.python, str(HERE / "torch_peer.py"), f"{kind}/8/64/1", "--variants"],
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "does not run")
        return json.loads(done.stdout.strip().splitlines()[-1])

    def contestant(self, variant, kind):
        precision = BF16 if kind == BF16 else F32
        command = [self.python, str(HERE / "torch_peer.py"), "JOB", "--variant", variant, "--precision", precision]
        return Contestant(f"{self.name} {kind} {variant}", kind, command, {} if kind == STOCK else self.environment)

    def best(self, job, kind):
        """The contestant of the fastest variant for jobs like this, by a short run of each; None if none runs."""
        if kind == STOCK:
            return self.contestant("eager", STOCK)
        work, width, size, _ = job.split("/")
        work = "step" if work == "step" else "inference"
        key = (work, width, kind)
        if key not in self.chosen:
            say(f"  which variant of {self.name} {kind} is fastest at {work}, width {width}?")
            trial = f"{work}/{width}/{size}/{2 if work == 'step' else 1}"
            times = {}
            for variant in self.ask(work)["variants"]:
                if self.quick and variant.startswith("compiled"):
                    continue
                answer = self.contestant(variant, kind).run(trial, self.threads, 1, 1 if self.quick else 3, 900)
                if answer:
                    times[variant] = min(answer["seconds"])
                    self.memory.setdefault(trial, {})[f"{self.name} {kind} {variant}"] = answer["rss_mib"]
            self.chosen[key] = min(times, key=times.get) if times else None
        return self.contestant(self.chosen[key], kind) if self.chosen[key] else None


@dataclass
class Entry:
    """Part of a group: who runs which job. `count`: what its seconds are divided by."""
    label: str
    job: str
    kinds: tuple
    count: int = 1
    threads: int = 0  # 0: as many as were asked for


@dataclass
class Group:
    """Jobs that are compared with one another, so they are run in turn, round by round."""
    name: str
    entries: list
    rounds: int = 0  # 0: as many as were asked for
    repetitions: int = 3
    warmup: int = 1


def pairs_group(work, width, pairs, *more):
    job = f"{work}/{width}/256/{pairs}"
    peers = (F32, BF16, ONNX) if work == "inference" else (F32, BF16)
    return Group(job, [Entry("ours", job, ("ours",), pairs), Entry(OURS_BF16, job, (OURS_BF16,), pairs),
                       Entry("peer", job, peers, pairs), *more])


def plan(quick):
    def one_thread(work):
        return Entry("one thread", f"{work}/32/256/4", ("ours",), 4, threads=1)

    groups = [pairs_group("inference", 32, 1), pairs_group("inference", 32, 4, one_thread("inference")),
              pairs_group("inference", 16, 1), pairs_group("inference", 8, 1),
              pairs_group("step", 32, 2),
              pairs_group("step", 32, 4, one_thread("step"), Entry("clique", "clique/32/256/4", ("ours",), 16)),
              pairs_group("step", 16, 4), pairs_group("step", 8, 4)]
    frames = 4 if quick else 27
    groups += [Group("ensemble", [Entry("ours", f"ensemble/32/256/{frames}", ("ours",)),
                                  Entry("peer", f"ensemble_cached/32/256/{frames}", (F32,))], repetitions=1, warmup=0),
               Group("naive ensemble", [Entry("ours", f"ensemble/32/256/{frames}", ("ours",)),
                                        Entry("peer", f"ensemble_naive/32/256/{frames}", (F32,))],
                     rounds=1, repetitions=1, warmup=0)]
    for pairs in (2, 4):
        job = f"step/32/256/{pairs}"
        groups.append(Group(f"stock {job}", [Entry("peer", job, (STOCK,), pairs)], rounds=1, repetitions=1))
    return groups, frames


class Results:
    """Every answer: group → label → contestant → one answer, or None, a round."""

    def __init__(self):
        self.groups = {}

    def add(self, group, entry, contestant, answer):
        of_label = self.groups.setdefault(group, {}).setdefault(entry.label, {})
        of_label.setdefault(contestant.name, {"kind": contestant.kind, "count": entry.count, "answers": []})
        of_label[contestant.name]["answers"].append(answer)

    def found(self, group, label, kind):
        """The contestants of a kind that answered, by name."""
        these = self.groups.get(group, {}).get(label, {})
        return {name: that for name, that in these.items() if that["kind"] == kind and any(that["answers"])}

    def times(self, that):
        """Seconds a unit, every repetition of every round."""
        return [second / that["count"] for answer in that["answers"] if answer for second in answer["seconds"]]

    def best(self, group, label, kind):
        these = self.found(group, label, kind)
        return min(these.items(), key=lambda item: statistics.median(self.times(item[1])), default=(None, None))

    def memory(self, group, label, kind):
        """MiB, by name: the least of the rounds."""
        return {name: min(answer["rss_mib"] for answer in that["answers"] if answer)
                for name, that in self.found(group, label, kind).items()}


def ratios(ours, peer):
    """Ours over the peer's, one a round in which both answered."""
    return [statistics.median(one["seconds"]) / ours["count"] / (statistics.median(other["seconds"]) / peer["count"])
            for one, other in zip(ours["answers"], peer["answers"]) if one and other]


def timed(results, that):
    """`0.123 s ±4 %`: the median, and half the distance of the quartiles."""
    times = results.times(that)
    middle = statistics.median(times)
    if len(times) < 2:
        return f"{middle:.4g} s"
    low, _, high = statistics.quantiles(times, n=4, method="inclusive")
    return f"{middle:.4g} s ±{50 * (high - low) / middle:.0f} %"


@dataclass
class Line:
    """A row of the table of targets. `spread`: least and most of the rounds' ratios."""
    what: str
    ours: str = "–"
    peer: str = "–"
    ratio: float = None
    spread: tuple = None
    target: float = None
    at_least: bool = False
    others: str = ""

    def met(self):
        if self.ratio is None or self.target is None:
            return "–"
        return "yes" if (self.ratio >= self.target if self.at_least else self.ratio <= self.target) else "no"

    def markdown(self):
        ratio = "–" if self.ratio is None else f"{self.ratio:.3g}"
        if self.spread and self.spread[0] != self.spread[1]:
            ratio += f" ({self.spread[0]:.3g}–{self.spread[1]:.3g})"
        target = "–" if self.target is None else f"{'≥' if self.at_least else '≤'} {self.target:g}"
        return f"| {self.what} | {self.ours} | {self.peer} | {ratio} | {target} | {self.met()} | {self.others} |"


def speed_line(results, what, group, target, label="ours", peer_kinds=(F32,)):
    """Seconds, ours against the fastest contestant of the kinds."""
    _, ours = results.best(group, label, "ours")
    found = [item for kind in peer_kinds for item in [results.best(group, "peer", kind)] if item[1]]
    line = Line(what, target=target)
    if ours:
        line.ours = timed(results, ours)
    if found:
        name, peer = min(found, key=lambda item: statistics.median(results.times(item[1])))
        line.peer = f"{timed(results, peer)}, {name}"
        of_rounds = ratios(ours, peer) if ours else []
        if of_rounds:
            line.ratio, line.spread = statistics.median(of_rounds), (min(of_rounds), max(of_rounds))
    others = []
    _, ours_bf16 = results.best(group, OURS_BF16, OURS_BF16)
    if ours_bf16:
        others.append(f"{timed(results, ours_bf16)}, {OURS_BF16}")
        name, other = results.best(group, "peer", BF16)
        if other and ratios(ours_bf16, other):
            others[-1] += f": {statistics.median(ratios(ours_bf16, other)):.3g} of {name}"
    for kind in (BF16, ONNX):
        name, other = results.best(group, "peer", kind)
        if other and ours and ratios(ours, other):
            others.append(f"{timed(results, other)}, {name}: ratio {statistics.median(ratios(ours, other)):.3g}")
    line.others = "; ".join(others)
    return line


def memory_line(what, ours, peers, target):
    """MiB of ours against the least of the peers'."""
    line = Line(what, target=target)
    if ours:
        line.ours = f"{min(ours.values()):.0f} MiB"
    if peers:
        name = min(peers, key=peers.get)
        line.peer = f"{peers[name]:.0f} MiB, {name}"
        if ours:
            line.ratio = min(ours.values()) / peers[name]
    return line


def further_pair(results, prefix, label, kind):
    """MiB that one pair more takes in a training batch, by contestant."""
    two, four = (results.memory(f"{prefix}step/32/256/{pairs}", label, kind) for pairs in (2, 4))
    return {name: (four[name] - two[name]) / 2 for name in two if name in four}


def threads_line(results, work, threads):
    group = f"{work}/32/256/4"
    _, all_threads = results.best(group, "ours", "ours")
    _, one = results.best(group, "one thread", "ours")
    line = Line(f"{work}, width 32, 4 pairs: speed of {threads} threads over one",
                target=1.85 if threads == 2 else None, at_least=True)
    if all_threads and one:
        line.ours, line.peer = timed(results, all_threads), f"{timed(results, one)}, ours on one thread"
        gains = ratios(one, all_threads)
        if gains:
            line.ratio, line.spread = statistics.median(gains), (min(gains), max(gains))
    return line


def table(results, torches, frames, threads):
    lines = [speed_line(results, f"inference a pair, width {width}, {pairs} pair{'s' * (pairs > 1)}",
                        f"inference/{width}/256/{pairs}", target)
             for width, pairs, target in ((32, 1, 0.4), (32, 4, 0.4), (16, 1, 0.65), (8, 1, 0.65))]
    lines += [speed_line(results, f"training step a pair, width {width}, {pairs} pairs",
                         f"step/{width}/256/{pairs}", target)
              for width, pairs, target in ((32, 2, 0.42), (32, 4, 0.42), (16, 4, 0.5), (8, 4, 0.5))]
    lines.append(speed_line(results, "training step a pair, width 32, clique of 4 frames (peer: 4 random pairs)",
                            "step/32/256/4", 0.15, label="clique"))
    note = "" if frames == 27 else " (the target is for 27)"
    lines.append(speed_line(results, f"ensemble of {frames} frames{note}, peer's features once a frame", "ensemble",
                            0.25 if frames == 27 else None))
    lines.append(speed_line(results, f"ensemble of {frames} frames{note}, peer naively", "naive ensemble",
                            0.06 if frames == 27 else None))
    further = further_pair(results, "", "ours", "ours")
    lines.append(memory_line("training memory a further pair, peer tuned", further,
                             further_pair(results, "", "peer", F32), 0.35))
    lines.append(memory_line("training memory a further pair, peer as it comes", further,
                             further_pair(results, "stock ", "peer", STOCK), 0.5))
    job = "inference/32/256/1"
    every_variant = {name: memory for torch in torches for name, memory in torch.memory.get(job, {}).items()}
    lines.append(memory_line("inference process, width 32, 1 pair, peak resident, peer's least variant",
                             results.memory(job, "ours", "ours"),
                             {**every_variant, **results.memory(job, "peer", F32)}, 0.4))
    others = results.memory(job, "peer", ONNX)
    lines[-1].others = ", ".join(f"{memory:.0f} MiB, {name}" for name, memory in others.items())
    return lines + [threads_line(results, work, threads) for work in ("inference", "step")]


def convolutions(build, out, threads, quick):
    """Runs the layers' comparison; its line of the table."""
    program = build / "bin" / "convolution_peers"
    command = [str(program), "--threads", str(threads), "--json", str(out / "convolution.json"),
               "--markdown", str(out / "convolution.md")]
    if quick:
        command += ["--rounds", "3", "--milliseconds", "5", "--only", "64→64"]
    say("convolutions, layer by layer")
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    if subprocess.run(command, env=environment, stdout=subprocess.DEVNULL).returncode != 0:
        return Line("convolutions: failed")
    rows = json.loads((out / "convolution.json").read_text())["rows"]
    compared = [row for row in rows if row["compared"]]
    line = Line("convolutions, shape and direction, that meet their target (convolution.md)",
                ours=f"{sum(row['met'] for row in rows)} of {len(rows)}", target=1, at_least=True)
    if compared:
        line.peer = "oneDNN's best algorithm for each"
        line.ratio = sum(row["met"] for row in compared) / len(compared)
    return line


def compile_costs(build):
    """The compile-time lines, from the program that measures them."""
    say("what a compiler spends")
    seconds = {}
    with subprocess.Popen([str(build / "bin" / "compile_cost")], stdout=subprocess.PIPE, text=True) as program:
        for text in program.stdout:
            say("    " + text.rstrip())
            if text.startswith("each header"):
                program.terminate()
                break
            parts = text.split(None, 3)  # seconds, MiB, instantiations, what
            if len(parts) == 4 and parts[0].replace(".", "").isdigit():
                seconds[parts[3].strip()] = float(parts[0])

    def first(start):
        return next((value for what, value in seconds.items() if what.startswith(start)), None)

    alone, unit = first("#include <mtdn/mtdn.hpp>"), first("a unit that trains")
    torch = first("#include <torch/torch.h>")
    training = Line("compile a unit that trains the reference model, -O3", target=0.5)
    umbrella = Line("compile #include <mtdn/mtdn.hpp> alone, over 5 s", target=1)
    if unit is not None:
        training.ours = f"{unit:.1f} s"
        if torch:
            training.peer, training.ratio = f"{torch:.1f} s, #include <torch/torch.h> alone", unit / torch
        else:
            training.peer = "skipped: no torch/torch.h"
    if alone is not None:
        umbrella.ours, umbrella.ratio = f"{alone:.1f} s", alone / 5
    return [training, umbrella]


def find_peers(options, folder):
    """All PyTorch and ONNX Runtime there are; says what is skipped."""
    torches, skipped = [], []
    pythons = os.environ.get("MTDN_TORCH_PYTHONS", "python3").split(":")
    for python in pythons:
        try:
            torches.append(Torch(python, options.quick, options.threads))
        except (OSError, RuntimeError) as error:
            skipped.append(f"PyTorch of {python} (MTDN_TORCH_PYTHONS) skipped: {error}")
    if not has_bf16():
        skipped.append("bfloat16 skipped: this processor has no instructions that it is fast with")
    onnx = None
    python = os.environ.get("MTDN_ONNX_PYTHON", "python3")
    try:
        found = subprocess.run([python, "-c", "import onnxruntime; print(onnxruntime.__version__)"],
                               capture_output=True, text=True)
    except OSError as error:
        found = None
        skipped.append(f"ONNX Runtime of {python} (MTDN_ONNX_PYTHON) skipped: {error}")
    if found and found.returncode != 0:
        skipped.append(f"ONNX Runtime of {python} (MTDN_ONNX_PYTHON) skipped: {found.stderr.strip().splitlines()[-1]}")
    elif found:
        if any(exported(torch, folder) for torch in torches):
            onnx = (python, found.stdout.strip())
        else:
            skipped.append("ONNX Runtime skipped: no PyTorch here could write the model for it")
    return torches, onnx, skipped


def exported(torch, folder):
    """Whether this PyTorch wrote the models of all widths."""
    return all(subprocess.run([torch.python, str(HERE / "torch_peer.py"), f"inference/{width}/256/1", "--export",
                               str(Path(folder) / f"{width}.onnx")], capture_output=True).returncode == 0
               for width in (32, 16, 8))


def contestants(entry, ours, torches, onnx, folder):
    for kind in entry.kinds:
        if kind == "ours":
            yield ours
        elif kind == OURS_BF16:
            if "avx512_bf16" in processor("flags").split():
                yield Contestant(OURS_BF16, OURS_BF16, [*ours.command, "--precision", BF16])
        elif kind == ONNX:
            if onnx:
                width = entry.job.split("/")[1]
                yield Contestant(f"ONNX Runtime {onnx[1]}", ONNX, [onnx[0], str(HERE / "onnx_peer.py"),
                                                                   str(Path(folder) / f"{width}.onnx"), "JOB"])
        elif kind != BF16 or has_bf16():
            for torch in torches:
                best = torch.best(entry.job, kind)
                if best:
                    yield best


def measure(group, options, ours, torches, onnx, folder, results):
    say(group.name)
    field_of = [(entry, contestant) for entry in group.entries
                for contestant in contestants(entry, ours, torches, onnx, folder)]
    rounds = 1 if options.quick else group.rounds or options.rounds
    for turn in range(rounds):
        say(f"  round {turn + 1} of {rounds}")
        for entry, contestant in field_of:
            answer = contestant.run(entry.job, entry.threads or options.threads, group.warmup,
                                    1 if options.quick else group.repetitions)
            results.add(group.name, entry, contestant, answer)


def processor(field_name="model name"):
    """A line of what the system says of its first processor; empty where it says nothing."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith(field_name):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return ""


def has_bf16():
    """Whether oneDNN has fast bfloat16 kernels here; without them PyTorch takes ten to a hundred times as long."""
    words = set((processor("flags") + " " + processor("Features")).split())
    return bool(words & {"avx512bw", "avx512_bf16", "amx_bf16", "bf16"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--quick", action="store_true", help="one round of one repetition: to see that all runs")
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="groups whose name contains TEXT, as inference/32 or convolutions or compile")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    ours = Contestant("mtdn", "ours", [str(options.build.resolve() / "bin" / "mtdn_peer"), "JOB"])
    results, lines_more = Results(), []
    start = time.time()
    with tempfile.TemporaryDirectory() as folder:
        torches, onnx, skipped = find_peers(options, folder)
        for text in skipped:
            say(text)
        groups, frames = plan(options.quick)
        for group in groups:
            if options.only in group.name:
                measure(group, options, ours, torches, onnx, folder, results)
    if options.only in "convolutions":
        lines_more.append(convolutions(options.build, options.out, options.threads, options.quick))
    if options.only in "compile":
        lines_more += compile_costs(options.build)
    lines = table(results, torches, frames, options.threads) + lines_more
    if options.only:
        lines = [line for line in lines if line.ours != "–"]

    peers = [torch.name for torch in torches] + ([f"ONNX Runtime {onnx[1]}"] if onnx else [])
    head = [f"{processor()}, {options.threads} threads, {time.strftime('%Y-%m-%d')}; peers: "
            f"{', '.join(peers) or 'none'}. Seconds are medians with half the distance of their quartiles; ratios are "
            "ours over the peer's, the median of the rounds (least–most)."]
    head += [f"{text}." for text in skipped]
    if options.quick:
        head.append("A quick run: it shows that all jobs run, not how fast.")
    text = "\n\n".join(head) + "\n\n| what | ours | peer, PyTorch f32 at its best | ratio | target | met | others |\n"
    text += "|---|---|---|---|---|---|---|\n" + "\n".join(line.markdown() for line in lines) + "\n"
    (options.out / "peers.md").write_text(text)
    (options.out / "peers.json").write_text(json.dumps({
        "processor": processor(), "threads": options.threads, "quick": options.quick, "peers": peers,
        "skipped": skipped, "table": [{**line.__dict__, "met": line.met()} for line in lines],
        "measured": results.groups}, indent=1) + "\n")
    print(text)
    say(f"{time.time() - start:.0f} s; written: {options.out / 'peers.md'}, {options.out / 'peers.json'}")


if __name__ == "__main__":
    main()
