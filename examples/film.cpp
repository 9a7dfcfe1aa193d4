// The whole of it in one page: make a film, train on some sequences, segment the others.
//[film
#include <iostream>

#include <mtdn/mtdn.hpp>

int main() {
    mtdn::Cpu cpu;
    mtdn::Random random{7};

    auto film = mtdn::synthesize({.sequences = 6, .frames = 10, .size = 48});  // or read_dataset("film") of mtdn/io.hpp
    auto model = mtdn::Siamese{mtdn::UNet{cpu, {.in_channels = 1, .width = 8, .depth = 3}, random},
                               mtdn::Concatenate{}, film.tasks(), random};

    mtdn::train(model, film, {.epochs = 12, .batch = 8, .rate = 3e-3, .progress = mtdn::print_progress});

    for (const auto& sequence : film.test()) {
        auto masks = mtdn::segment(model, sequence.frames, mtdn::BackwardFusion{});
        std::cout << mtdn::score(masks, sequence.masks) << '\n';
    }
}
//]
