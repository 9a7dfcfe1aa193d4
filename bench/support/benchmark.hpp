#pragma once

// The one place that includes Google Benchmark.
#include <benchmark/benchmark.h>
