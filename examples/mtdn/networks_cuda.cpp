// Both backbones in one unit: their kernels are elsewhere, and most of what is compiled here they share.
#include "network_of.hpp"

#include <mtdn/backbone/residual.hpp>
#include <mtdn/backbone/unet.hpp>
#include <mtdn/cuda.hpp>

namespace {

template <template <mtdn::Backend> class Backbone>
std::unique_ptr<Network> make_cuda(const mtdn::ModelDescription& description, const Machine& machine,
                                   std::uint64_t seed) {
    return make_network_of<mtdn::Cuda>(
        description, mtdn::CudaOptions{.device = machine.gpu, .precision = machine.products()}, seed,
        [](mtdn::Cuda& gpu, const mtdn::ModelDescription& d, mtdn::Random& random) {
            return Backbone<mtdn::Cuda>{
                gpu, {.in_channels = d.in_channels, .width = d.width, .depth = d.depth}, random};
        });
}

}  // namespace

std::unique_ptr<Network> make_unet_cuda(const mtdn::ModelDescription& description, const Machine& machine,
                                        std::uint64_t seed) {
    return make_cuda<mtdn::UNet>(description, machine, seed);
}
std::unique_ptr<Network> make_residual_cuda(const mtdn::ModelDescription& description, const Machine& machine,
                                            std::uint64_t seed) {
    return make_cuda<mtdn::ResidualNet>(description, machine, seed);
}
