#pragma once

// The one place that includes OpenMP: the threads that oneDNN, and an OpenMP build of OpenBLAS, go by.
#ifdef _OPENMP
#include <omp.h>
#endif

namespace peers {

/// Sets how many threads OpenMP uses in what the calling thread starts; nothing where there is no OpenMP.
inline void set_openmp_threads([[maybe_unused]] int threads) {
#ifdef _OPENMP
    omp_set_num_threads(threads);
#endif
}

}  // namespace peers
