#include <mtdn/backend/cpu.hpp>

#define MTDN_TESTED_BACKENDS CpuFor<isa::Baseline>
#include "backend/operations.hpp"
