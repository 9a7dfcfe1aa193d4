#include <mtdn/backend/cpu.hpp>

#define MTDN_TESTED_BACKENDS CpuFor<isa::Avx2>
#include "backend/cpu_operations.hpp"
