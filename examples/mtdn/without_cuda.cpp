// In place of the CUDA networks, where the program is built without them.
#include "network.hpp"

namespace {

[[noreturn]] void refuse() {
    mtdn::fail<mtdn::BackendError>(
        "this program is built without CUDA; install the CUDA Toolkit (nvcc) and build it with `cmake --preset cuda`");
}

}  // namespace

std::unique_ptr<Network> make_unet_cuda(const mtdn::ModelDescription&, const Machine&, std::uint64_t) { refuse(); }
std::unique_ptr<Network> make_residual_cuda(const mtdn::ModelDescription&, const Machine&, std::uint64_t) { refuse(); }
