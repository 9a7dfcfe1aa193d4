#include "network_of.hpp"

#include <mtdn/backbone/residual.hpp>
#include <mtdn/backend/cpu.hpp>

std::unique_ptr<Network> make_residual_cpu(const mtdn::ModelDescription& description, const Machine& machine,
                                           std::uint64_t seed) {
    return make_network_of<mtdn::Cpu>(
        description, mtdn::CpuOptions{.threads = machine.threads, .precision = machine.products()}, seed,
        [](mtdn::Cpu& cpu, const mtdn::ModelDescription& d, mtdn::Random& random) {
            return mtdn::ResidualNet{cpu, {.in_channels = d.in_channels, .width = d.width, .depth = d.depth}, random};
        });
}
