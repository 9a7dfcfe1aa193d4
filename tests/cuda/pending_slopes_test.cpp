// Slopes that wait for a batch norm's way back, by the emulator.
#include <algorithm>
#include <map>

#include <mtdn/autograd/convolution.hpp>
#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/normalisation.hpp>
#include <mtdn/backend/cuda/testing/emulator.hpp>
#include <mtdn/loss/focal.hpp>

#include "cuda/pending_slopes.hpp"
#include "support/catch.hpp"

using namespace mtdn;
using namespace mtdn::detail::cuda;

namespace {

using Emulated = CudaFor<testing::Emulator>;
static_assert(reads_pending_slopes<Emulated> && !reads_pending_slopes<Reference<float>>);

/// How the results of two norms, of which one or both are a convolution's, are put together.
enum class Net {
    chain,     // each convolution is normalised
    shared,    // the first convolution's result is read as it is, too
    frozen,    // the first convolution does not learn
    combined,  // what is normalised is a sum
};

/// Gradients of a small network's parameters.
template <Backend B>
std::vector<std::vector<float>> gradients_of(B& backend, Net net, Precision kept = Precision::single) {
    testing::cases::Operands<B> operands(backend, "network");
    const auto parameter = [&](const Shape& shape, bool learns = true) {
        Parameter<B> result;
        result.value = operands.random(shape, testing::cases::Layout::whole, -0.5, 1);
        result.gradient = Tensor<B>(backend, shape);
        result.trainable = learns;
        backend.fill(result.gradient, 0);
        return result;
    };
    const auto frames = operands.random({4, 9, 11, 4});
    const auto labels = operands.labels({4, 9, 11, 8}, 8);
    const Parameter<B> first = parameter({3, 3, 4, 8}, net != Net::frozen), second = parameter({3, 3, 8, 8});
    const Parameter<B> weights[] = {parameter(vector_shape(8)), parameter(vector_shape(8))};
    const Parameter<B> biases[] = {parameter(vector_shape(8)), parameter(vector_shape(8))};
    const RunningStatistics<B> running(backend, 8);
    const Window window{.kernel = 3, .padding = 1};

    Tape<B> tape(backend, kept);
    Pass<B> pass(tape);
    pass.set_groups(2);
    const auto normal = [&](const Variable<B>& x, std::size_t i) {
        return batch_normalise(x, weights[i], biases[i], running, 1e-5, 0.1, Activation::relu, pass);
    };
    const auto loss = [&] {  // whose values only the tape keeps
        Variable<B> y = convolve(pass.input(frames), first, nullptr, window), raw;
        if (net == Net::shared) raw = y;
        y = normal(y, 0);
        y = convolve(y, second, nullptr, window);
        if (net == Net::combined) y = add(y, y);
        y = normal(y, 1);
        return mtdn::FocalLoss<B>(backend)(net == Net::shared ? add(y, raw) : y, labels);
    };
    tape.backward(loss());
    std::vector<std::vector<float>> all;
    for (const Parameter<B>* p : {&first, &second, &weights[0], &weights[1], &biases[0], &biases[1]}) {
        const auto values = testing::values_of(p->gradient);
        all.emplace_back(values.begin(), values.end());
    }
    return all;
}

/// Launches of kernels whose names have both of these in them.
bool ran(const std::map<std::string, Index>& blocks, const char* name, const char* of) {
    return std::any_of(blocks.begin(), blocks.end(), [&](const auto& kernel) {
        return kernel.first.find(name) != std::string::npos && kernel.first.find(of) != std::string::npos;
    });
}

/// One block in one multiprocessor of compute capability 8.6, as many as are wanted in one of 9.0.
template <class Body>
constexpr bool fits_in_90() {
    constexpr std::size_t bytes = sizeof(typename Body::Shared) + 1024;  // with what the system takes of a block
    return bytes <= shared_of_86 + 1024 && Body::resident * bytes <= (228 << 10) && sizeof(Body) <= 4096;
}
template <class Cores>
constexpr bool all_fit() {
    using Narrow = TiledConvolution<Cores, 3, 1, LateSlopes>;
    using Broad = TiledConvolution<Cores, 3, 2, LateSlopes>;
    static_assert(Narrow::threads == 128 && Broad::threads == 256 && Narrow::columns == 16 && Broad::columns == 16);
    return fits_in_90<Narrow>() && fits_in_90<Broad>() && fits_in_90<TiledWeightGradient<Cores, 3, LateSlopes>>();
}

}  // namespace

TEST_CASE("slopes that wait for a batch norm's way back come to what it gives, and convolutions read them on load") {
    const auto precision =
        GENERATE(Precision::single, Precision::bfloat16, Precision::tf32, Precision::tf32x3);
    Emulated emulated({.precision = precision}), simple({.precision = precision, .simple = true});
    CHECK(testing::check_pending_slopes(emulated, precision != Precision::single) == std::vector<std::string>{});
    CHECK(testing::check_pending_slopes(simple, false) == std::vector<std::string>{});
}

TEST_CASE("threads and blocks may come in any order where slopes wait") {
    const auto precision = GENERATE(Precision::bfloat16, Precision::tf32x3);
    Emulated emulated({.precision = precision}), other({.order = 3, .precision = precision});
    for (const auto& c : testing::pending_cases())
        CHECK(testing::pending_results(emulated, c).waiting == testing::pending_results(other, c).waiting);
}

TEST_CASE("a tape hands a convolution slopes that wait, and finishes them where anything else takes them") {
    const auto net = GENERATE(Net::chain, Net::shared, Net::frozen, Net::combined);
    std::map<std::string, Index> blocks;
    Emulated fast({.precision = Precision::tf32x3, .blocks = &blocks}), single;
    Reference<float> reference;
    const auto ours = gradients_of(fast, net), alone = gradients_of(single, net);
    const auto expected = gradients_of(reference, net);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO("parameter " << i);
        const std::vector<double> values(expected[i].begin(), expected[i].end());
        CHECK(testing::deviation(ours[i], values).rms < 1e-5);
        CHECK(testing::deviation(alone[i], values).rms < 1e-5);
    }
    CHECK(ran(blocks, "TiledWeightGradient", "LateSlopes"));
    CHECK(ran(blocks, "TiledConvolution", "LateSlopes") == (net != Net::combined));
    CHECK(ran(blocks, "Assign", "LateSlopes") == (net == Net::shared || net == Net::combined));
    CHECK(!ran(blocks, "NormaliseBackward", ""));
    // Values that are kept in bfloat16 are read again with an error of 2e-3.
    const auto rounded = gradients_of(fast, net, Precision::bfloat16);
    CHECK(testing::deviation(rounded[1], std::vector<double>(expected[1].begin(), expected[1].end())).rms < 2e-2);
    CHECK((rounded[1] != ours[1]) == (net != Net::shared));
}

TEST_CASE("shared memory of convolutions of slopes that wait fits") {
    static_assert(all_fit<Bf16Cores>() && all_fit<Tf32Cores>() && all_fit<Tf32x3Cores>());
    static_assert(two_slopes(Activation::relu) && !two_slopes(Activation::absolute));
}
