#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/benchmark.hpp"

#include <mtdn/backend/cpu.hpp>
#include <mtdn/backend/reference.hpp>
#include <mtdn/backend/testing/cases.hpp>
#include <mtdn/backend/testing/training_cases.hpp>

// Every operation on the shapes that the published network has at 256², named operation/pass/backend/shape. Counters:
// floating-point operations a second where they are what costs, and bytes of operands and results a second.
namespace {

using namespace mtdn;
using namespace mtdn::testing::cases;

template <Backend B>
void run_case(const std::string& backend_name, const Case<B>& that) {
    const auto name = that.operation + '/' + that.pass + '/' + backend_name + '/' + that.shape;
    benchmark::RegisterBenchmark(
        name.c_str(),
        [that](benchmark::State& state) {
            B backend;
            const auto prepared = that.prepare(backend);
            prepared.run();  // the first run takes the workspace's memory
            for (auto _ : state) prepared.run();
            using benchmark::Counter;
            const auto rate = [](double amount) { return Counter(amount, Counter::kIsIterationInvariantRate); };
            if (that.operations > 0) state.counters["FLOP/s"] = rate(that.operations);
            state.counters["bytes/s"] = Counter(prepared.bytes, Counter::kIsIterationInvariantRate, Counter::kIs1024);
        })
        ->UseRealTime()
        ->Unit(benchmark::kMicrosecond);
}

/// The shapes of a network of `frames` frames of side `side` whose first level has `width` channels.
template <Backend B>
std::vector<Case<B>> network(Index frames, Index side, Index width) {
    std::vector<Case<B>> all;
    const auto add = [&](std::vector<Case<B>> more) { all.insert(all.end(), more.begin(), more.end()); };
    const auto at_level = [&](int level, Index channels) {
        return Shape{frames, side >> level, side >> level, channels};
    };

    const auto convolution = [&](const Convolution& c) {
        add({convolve<B>(c), convolve_backward_data<B>(c), convolve_backward_weights<B>(c)});
    };
    const Window three{.kernel = 3, .padding = 1};
    convolution({.x = at_level(0, 3), .out = width, .window = three, .bias = false});
    for (int level = 0; level <= 4; ++level) {
        const Index channels = width << level;
        convolution({.x = at_level(level, channels), .out = channels, .window = three, .bias = false});
        if (level < 4)  // the decoder's first convolution, of what is concatenated
            convolution({.x = at_level(level, 2 * channels), .out = channels, .window = three, .bias = false});
    }
    convolution({.x = at_level(0, 2 * width), .out = 2 * width, .window = three, .bias = false});  // a head's first
    convolution({.x = at_level(0, 3), .out = 4, .window = {.kernel = 1}});                         // its last
    for (int level = 4; level >= 1; --level) {
        const Transposed c{.x = at_level(level, width << level), .out = width << (level - 1)};
        add({transposed_convolve<B>(c), transposed_convolve_backward_data<B>(c),
             transposed_convolve_backward_weights<B>(c)});
    }

    const Shape x = at_level(0, width), half = at_level(1, width);
    const Normalisation norm{.x = x, .groups = frames % 2 == 0 ? 2 : 1, .activation = Activation::relu};
    add({batch_statistics<B>(norm), normalise<B>(norm), normalise_backward<B>(norm)});
    add(elements<B>({.x = x}));
    for (const Activation activation : activations) add(activate<B>({.x = x, .activation = activation}));
    add(pool<B>({.x = x, .window = {.kernel = 2, .stride = 2}}));
    add(resize<B>(half, x));
    add(border<B>({frames, side - 5, side - 3, width}, x));
    add(gather<B>(x, std::vector<Index>(static_cast<std::size_t>(frames), 0)));
    add(classify<B>({.x = at_level(0, 4)}));
    add(focal<B>({.x = at_level(0, 4)}));
    const Index parameters = 31 * 31 * width * width / 4 * 8;  // near a U-Net's
    add({adamw<B>(parameters, {}), sgd<B>(parameters, {.momentum = 0.9}), sum_of_squares<B>(parameters)});
    return all;
}

template <Backend B>
void register_network(const std::string& backend_name, Index frames, Index side, Index width) {
    for (const auto& that : network<B>(frames, side, width)) run_case(backend_name, that);
}

const bool registered = [] {
    register_network<Cpu>("Cpu", 2, 256, 32);
    register_network<Reference<float>>("Reference", 1, 16, 4);  // tiny: it is not there to be fast
    return true;
}();

}  // namespace
