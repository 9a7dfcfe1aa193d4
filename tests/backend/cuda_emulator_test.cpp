#include <mtdn/backend/cuda/testing/emulator.hpp>

#define MTDN_TESTED_BACKENDS CudaFor<testing::Emulator>
#include "backend/operations.hpp"
