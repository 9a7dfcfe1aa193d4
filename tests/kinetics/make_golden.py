#!/usr/bin/env python3
"""Writes golden/fits.json: rate laws fitted to made-up volumes by SciPy's curve_fit, with standard errors and 90 %
intervals.

    python3 make_golden.py        (SciPy 1.17 made the file that is committed)
"""
import json
from pathlib import Path

import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import t as student

LAWS = {
    "zeroth-order": lambda tau, k: np.clip(k * tau, 0, 1),
    "first-order": lambda tau, k: 1 - np.exp(-k * tau),
    "shrinking-core": lambda tau, k: 1 - (1 - np.clip(k * tau, 0, 1)) ** 2,
    "avrami": lambda tau, k, n: 1 - np.exp(-((k * tau) ** n)),
}


def case(law, rate, exponent, seconds, noise, seed, onset=None, weighted=False):
    """`onset`: the true one, to be fitted; None: at the first point, and known."""
    random = np.random.default_rng(seed)
    begin = seconds[0] if onset is None else onset
    shape = [rate] + ([exponent] if law == "avrami" else [])
    fitted_onset = onset is not None

    def volume(t, v0, *rest):
        start = rest[-1] if fitted_onset else begin
        tau = np.maximum(t - start, 0)
        return v0 * (1 - LAWS[law](tau, *rest[: len(shape)]))

    truth = [52000.0, *shape] + ([onset] if fitted_onset else [])
    error = noise * (1 + np.arange(len(seconds)) % 3) if weighted else np.full(len(seconds), noise)
    values = np.round(volume(seconds, *truth) + error * random.standard_normal(len(seconds)), 3)
    found, covariance = curve_fit(volume, seconds, values, p0=truth, sigma=error if weighted else None,
                                  xtol=1e-14, ftol=1e-14, gtol=1e-14, maxfev=20000)
    deviations = np.sqrt(np.diag(covariance))
    reach = student.ppf(0.95, len(seconds) - len(found)) * deviations
    residuals = values - volume(seconds, *found)
    names = ["volume", "rate"] + (["exponent"] if law == "avrami" else []) + (["onset"] if fitted_onset else [])
    return {
        "law": law, "fit_onset": fitted_onset, "seconds": seconds.tolist(), "volume": values.tolist(),
        "error": error.tolist() if weighted else [],
        "parameters": {name: {"value": v, "error": e, "low": v - r, "high": v + r}
                       for name, v, e, r in zip(names, found.tolist(), deviations.tolist(), reach.tolist())},
        "residuals": residuals.tolist(),
    }


def main():
    even, uneven = np.linspace(0, 190, 20), np.cumsum(np.array([5, 12, 7.5, 20, 9, 14, 6, 11, 17, 8, 13, 10, 25, 9.5]))
    cases = [
        case("zeroth-order", 0.004, 1, even, 700, 1),
        case("zeroth-order", 0.0095, 1, uneven, 500, 2),  # used up before the end
        case("zeroth-order", 0.006, 1, even, 300, 3, onset=47.0),
        case("first-order", 0.012, 1, uneven, 600, 4),
        case("first-order", 0.02, 1, even, 400, 5, onset=33.0),
        case("first-order", 0.015, 1, even, 350, 6, weighted=True),
        case("shrinking-core", 0.004, 1, uneven, 500, 7),
        case("shrinking-core", 0.0075, 1, even, 400, 8, weighted=True),
        case("avrami", 0.01, 2.3, even, 500, 9),
        case("avrami", 0.012, 0.8, uneven, 300, 10),
    ]
    path = Path(__file__).parent / "golden" / "fits.json"
    path.write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")


main()
