// Gradients that wait for a batch norm's way back, by the emulator.
#include <map>
#include <ostream>

#include <mtdn/autograd/convolution.hpp>
#include <mtdn/autograd/elements.hpp>
#include <mtdn/autograd/frames.hpp>
#include <mtdn/autograd/normalisation.hpp>
#include <mtdn/autograd/resizing.hpp>
#include <mtdn/backend/cuda/testing/emulator.hpp>
#include <mtdn/loss/focal.hpp>

#include "cuda/kernel_blocks.hpp"
#include "cuda/pending_gradients.hpp"
#include "support/catch.hpp"

using namespace mtdn;
using namespace mtdn::detail::cuda;

namespace {

using Emulated = CudaFor<testing::Emulator>;
static_assert(reads_pending_gradients<Emulated> && !reads_pending_gradients<Reference<float>>);

/// How the results of two or three norms, most of them a convolution's, are put together.
enum class Net {
    chain,     // each convolution is normalised
    shared,    // the first convolution's result is read as it is, too
    frozen,    // the first convolution does not learn
    combined,  // what is normalised is a sum
    stacked,   // the third convolution reads both norms' results side by side
    sliced,    // the second convolution reads half of the frames
    scales,    // the first norm's result is pooled, normalised again, enlarged, and put beside itself
};

constexpr bool joined(Net net) { return net == Net::stacked || net == Net::scales; }

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
    const Shape shape = net == Net::scales ? Shape{4, 8, 12, 4} : Shape{4, 9, 11, 4};
    const auto frames = operands.random(shape);
    const auto labels = operands.labels({net == Net::sliced ? 2 : 4, shape.height, shape.width, 8}, 8);
    const Parameter<B> first = parameter({3, 3, 4, 8}, net != Net::frozen), second = parameter({3, 3, 8, 8});
    const Parameter<B> weights[] = {parameter(vector_shape(8)), parameter(vector_shape(8))};
    const Parameter<B> biases[] = {parameter(vector_shape(8)), parameter(vector_shape(8))};
    const Parameter<B> third = parameter({3, 3, 16, 8}), up = parameter({2, 2, 8, 8});
    const Parameter<B> last_weight = parameter(vector_shape(8)), last_bias = parameter(vector_shape(8));
    const RunningStatistics<B> running(backend, 8);
    const Window window{.kernel = 3, .padding = 1};

    Tape<B> tape(backend, kept);
    Pass<B> pass(tape);
    pass.set_groups(2);
    const auto normal = [&](const Variable<B>& x, const Parameter<B>& weight, const Parameter<B>& bias) {
        return batch_normalise(x, weight, bias, running, 1e-5, 0.1, Activation::relu, pass);
    };
    const auto loss = [&] {  // whose values only the tape keeps
        Variable<B> y = convolve(pass.input(frames), first, nullptr, window), beside;
        if (net == Net::shared) beside = y;
        y = normal(y, weights[0], biases[0]);
        if (joined(net)) beside = y;
        if (net == Net::sliced) y = slice_frames(y, 2, 2);
        if (net == Net::scales) y = max_pool(y, {.kernel = 2, .stride = 2});
        y = convolve(y, second, nullptr, window);
        if (net == Net::combined) y = add(y, y);
        y = normal(y, weights[1], biases[1]);
        if (net == Net::scales) y = transposed_convolve(y, up, nullptr);
        if (joined(net)) y = normal(convolve(concat(y, beside), third, nullptr, window), last_weight, last_bias);
        return mtdn::FocalLoss<B>(backend)(net == Net::shared ? add(y, beside) : y, labels);
    };
    tape.backward(loss());
    std::vector<const Parameter<B>*> parameters{&first, &second, &weights[0], &weights[1], &biases[0], &biases[1]};
    if (joined(net)) parameters.insert(parameters.end(), {&third, &last_weight, &last_bias});
    if (net == Net::scales) parameters.push_back(&up);
    std::vector<std::vector<float>> all;
    for (const Parameter<B>* p : parameters) {
        const auto values = testing::values_of(p->gradient);
        all.emplace_back(values.begin(), values.end());
    }
    return all;
}

bool ran(const std::map<std::string, Index>& blocks, const char* name, const char* of) {
    return testing::blocks_of(blocks, name, of) != 0;
}

/// How often a batch norm's sums are taken: by a convolution, with pooling, and by a pass of their own. With four
/// frames in two groups, and eight channels, each of them has two blocks.
struct Taken {
    Index convolved, pooled, passes;

    explicit Taken(const std::map<std::string, Index>& blocks)
        : convolved(testing::blocks_of(blocks, "JoinGradients") / 2),
          pooled(testing::blocks_of(blocks, "ChannelSums", "PooledGradientToSum") / 2),
          passes(testing::blocks_of(blocks, "ChannelSums", "GradientToSum") / 2 - pooled) {}
    constexpr Taken(Index by_convolution, Index by_pooling, Index by_passes)
        : convolved(by_convolution), pooled(by_pooling), passes(by_passes) {}
    bool operator==(const Taken&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Taken& taken) {
    return out << taken.convolved << " by convolutions, " << taken.pooled << " by pooling, " << taken.passes
               << " by passes";
}

/// The loss gives the last norm its gradients, which no convolution or pooling does.
constexpr Taken taken_of(Net net, bool cores) {
    if (net == Net::stacked) return {0, 0, 3};  // no gradients come alone, or at once
    if (net == Net::sliced) return {0, 0, 2};
    if (net == Net::scales) return cores ? Taken{1, 1, 1} : Taken{0, 1, 2};
    return cores ? Taken{1, 0, 1} : Taken{0, 0, 2};
}

/// One block in one multiprocessor of compute capability 8.6, as many as are wanted in one of 9.0.
template <class Body>
constexpr bool fits_in_90() {
    constexpr std::size_t bytes = sizeof(typename Body::Shared) + 1024;  // with what the system takes of a block
    return bytes <= shared_of_86 + 1024 && Body::resident * bytes <= (228 << 10) && sizeof(Body) <= 4096;
}
template <class Cores>
constexpr bool all_fit() {
    using Narrow = TiledConvolution<Cores, 3, 1, LateGradients>;
    using Broad = TiledConvolution<Cores, 3, 2, LateGradients>;
    static_assert(Narrow::threads == 128 && Broad::threads == 256 && Narrow::columns == 16 && Broad::columns == 16);
    return fits_in_90<Narrow>() && fits_in_90<Broad>() && fits_in_90<TiledWeightGradient<Cores, 3, LateGradients>>();
}

}  // namespace

TEST_CASE("gradients that wait for a batch norm's way back come to what it gives, and convolutions read them on load") {
    const auto precision =
        GENERATE(Precision::single, Precision::bfloat16, Precision::tf32, Precision::tf32x3);
    Emulated emulated({.precision = precision}), simple({.precision = precision, .simple = true});
    CHECK(testing::check_pending_gradients(emulated, precision != Precision::single) == std::vector<std::string>{});
    CHECK(testing::check_pending_gradients(simple, false) == std::vector<std::string>{});
}

TEST_CASE("threads and blocks may come in any order where gradients wait") {
    const auto precision = GENERATE(Precision::bfloat16, Precision::tf32x3);
    Emulated emulated({.precision = precision}), other({.order = 3, .precision = precision});
    for (const auto& c : testing::pending_cases())
        CHECK(testing::pending_results(emulated, c).waiting == testing::pending_results(other, c).waiting);
}

TEST_CASE("sums of a batch norm's way back are taken by what writes its gradients") {
    const auto precision =
        GENERATE(Precision::single, Precision::bfloat16, Precision::tf32, Precision::tf32x3);
    Emulated emulated({.precision = precision}), other({.order = 3, .precision = precision});
    CHECK(testing::check_gradient_sums(emulated, precision != Precision::single) == std::vector<std::string>{});
    for (const auto& c : testing::summed_cases())
        CHECK(testing::summed_results(emulated, c).sums == testing::summed_results(other, c).sums);
}

TEST_CASE("a tape hands a convolution gradients that wait, and finishes them where anything else takes them") {
    const auto net = GENERATE(Net::chain, Net::shared, Net::frozen, Net::combined, Net::stacked, Net::sliced,
                              Net::scales);
    std::map<std::string, Index> blocks, simply;
    Emulated fast({.precision = Precision::tf32x3, .blocks = &blocks}), single({.blocks = &simply});
    Reference<float> reference;
    const auto ours = gradients_of(fast, net), alone = gradients_of(single, net);
    const auto expected = gradients_of(reference, net);
    for (std::size_t i = 0; i < expected.size(); ++i) {
        INFO("parameter " << i);
        const std::vector<double> values(expected[i].begin(), expected[i].end());
        CHECK(testing::deviation(ours[i], values).rms < 1e-5);
        CHECK(testing::deviation(alone[i], values).rms < 1e-5);
    }
    CHECK(ran(blocks, "TiledWeightGradient", "LateGradients"));
    CHECK(ran(blocks, "TiledConvolution", "LateGradients") == (net != Net::combined));
    CHECK(ran(blocks, "Assign", "LateGradients") == (net == Net::shared || net == Net::combined));
    CHECK(!ran(blocks, "NormaliseBackward", ""));
    CHECK(Taken(blocks) == taken_of(net, true));
    CHECK(Taken(simply) == taken_of(net, false));
    // Values that are kept in bfloat16 are read again with an error of 2e-3.
    const auto rounded = gradients_of(fast, net, Precision::bfloat16);
    CHECK(testing::deviation(rounded[1], std::vector<double>(expected[1].begin(), expected[1].end())).rms < 2e-2);
    const bool held = net == Net::shared || net == Net::stacked || net == Net::sliced;  // by somebody else, too
    CHECK((rounded[1] != ours[1]) != held);
}

TEST_CASE("shared memory of convolutions of gradients that wait fits") {
    static_assert(all_fit<Bf16Cores>() && all_fit<Tf32Cores>() && all_fit<Tf32x3Cores>());
    static_assert(two_slopes(Activation::relu) && !two_slopes(Activation::absolute));
}
