// A backbone of one's own, trained by the same call as those of the library.
#include <iostream>

#include <mtdn/mtdn.hpp>

//[net
// Dilation by pooling: features at full, half and quarter resolution, all raised and stacked.
template <mtdn::Backend B>
struct PyramidNet {
    using Levels = std::vector<mtdn::Variable<B>>;
    mtdn::Index width;
    mtdn::ConvBlock<B> fine, middle, coarse, join;

    PyramidNet(B& backend, mtdn::Index w, mtdn::Random& random)
        : width(w), fine(backend, 1, w, random), middle(backend, w, 2 * w, random),
          coarse(backend, 2 * w, 4 * w, random), join(backend, 7 * w, 2 * w, random) {}

    Levels encode(const mtdn::Variable<B>& frames, mtdn::Pass<B>& pass) const {
        const auto a = fine(frames, pass);
        const auto b = middle(mtdn::max_pool2(a), pass);
        return {a, b, coarse(mtdn::max_pool2(b), pass)};
    }
    mtdn::Variable<B> decode(const Levels& levels, mtdn::Pass<B>& pass) const {
        const mtdn::Shape full = levels[0].shape();
        const auto raise = [&](const mtdn::Variable<B>& map) {
            return mtdn::resize(map, full.height, full.width, mtdn::Interpolation::bilinear);
        };
        return join(mtdn::concat(levels[0], raise(levels[1]), raise(levels[2])), pass);
    }
    mtdn::Index feature_channels() const { return 2 * width; }
    mtdn::Index size_multiple() const { return 4; }
    static void visit(auto& self, auto&& visitor) {
        visitor("fine", self.fine);
        visitor("middle", self.middle);
        visitor("coarse", self.coarse);
        visitor("join", self.join);
    }
};
//]

int main() {
    mtdn::Cpu cpu;
    mtdn::Random random{7};
    auto film = mtdn::synthesize({.sequences = 6, .frames = 10, .size = 48});
    //[train
    auto model = mtdn::Siamese{PyramidNet<mtdn::Cpu>{cpu, 8, random}, mtdn::Difference{}, film.tasks(), random};
    mtdn::train(model, film, {.epochs = 4, .batch = 8, .rate = 3e-3, .progress = mtdn::print_progress});
    //]
    for (const auto& sequence : film.test())
        std::cout << mtdn::score(mtdn::segment(model, sequence.frames, mtdn::BackwardFusion{}), sequence.masks) << '\n';
}
