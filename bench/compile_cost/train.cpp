// The unit that compile_cost compiles: it trains the reference model.
#include <mtdn/mtdn.hpp>

int main() {
    mtdn::Cpu cpu;
    mtdn::Random random{7};
    const auto film = mtdn::synthesize();
    mtdn::Siamese model{mtdn::UNet{cpu, {.in_channels = 1}, random}, mtdn::Concatenate{}, film.tasks(), random};
    mtdn::train(model, film, {.epochs = 1});
}
