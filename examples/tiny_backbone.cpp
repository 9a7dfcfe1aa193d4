// A backbone of one's own: two blocks and a skip connection, held to the laws that every backbone keeps.
#include <iostream>
#include <utility>

#include <mtdn/backbone/testing/check_backbone.hpp>
#include <mtdn/mtdn.hpp>

//[net
template <mtdn::Backend B>
struct TinyNet {
    using Levels = std::pair<mtdn::Variable<B>, mtdn::Variable<B>>;
    mtdn::ConvBlock<B> down, up;
    mtdn::Conv2d<B> out;

    TinyNet(B& backend, int channels, mtdn::Random& random)
        : down(backend, channels, 8, random),
          up(backend, 16, 16, random),
          out(backend, {.in = 16, .out = 16, .kernel = 1}, random) {}

    Levels encode(const mtdn::Variable<B>& x, mtdn::Pass<B>& pass) const {
        auto full = down(x, pass);
        return {full, mtdn::max_pool2(full)};
    }
    mtdn::Variable<B> decode(const Levels& levels, mtdn::Pass<B>& pass) const {
        const auto& [full, half] = levels;
        return out(up(mtdn::concat(mtdn::upsample2(half), full), pass), pass);
    }
    int feature_channels() const { return 16; }
    int size_multiple() const { return 2; }
    static void visit(auto& self, auto&& visitor) {
        visitor("down", self.down);
        visitor("up", self.up);
        visitor("out", self.out);
    }
};
//]

int main() {
    //[check
    mtdn::Reference<double> exact;
    mtdn::Random random{7};
    TinyNet net{exact, 1, random};
    const auto report = mtdn::testing::check_backbone(net, {.in_channels = 1});
    std::cout << report << '\n';
    //]
    return report.passed ? 0 : 1;
}
