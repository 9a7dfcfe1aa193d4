#include "network_of.hpp"

#include <mtdn/backbone/unet.hpp>
#include <mtdn/cuda.hpp>

std::unique_ptr<Network> make_unet_cuda(const mtdn::ModelDescription& description, std::uint64_t seed) {
    return make_network_of<mtdn::Cuda>(
        description, mtdn::CudaOptions{}, seed,
        [](mtdn::Cuda& gpu, const mtdn::ModelDescription& d, mtdn::Random& random) {
            return mtdn::UNet{gpu, {.in_channels = d.in_channels, .width = d.width, .depth = d.depth}, random};
        });
}
