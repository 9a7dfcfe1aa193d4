// The CUDA backend's kernels, run by the host: what every backend must do.
#include <mtdn/backend/cuda/testing/emulator.hpp>

#define MTDN_TESTED_BACKENDS CudaFor<testing::Emulator>
#include "backend/operations.hpp"

using Emulated = CudaFor<testing::Emulator>;

TEST_CASE("operands of more parts than a kernel takes, and more frames than its list, are read all the same") {
    Emulated emulated;
    Reference<double> exact;
    const auto run = [](auto& backend) {
        using B = std::remove_reference_t<decltype(backend)>;
        testing::cases::Operands<B> operands(backend, "many parts");
        std::vector<Tensor<B>> tensors;
        std::vector<OperandPart<B>> parts;
        for (int i = 0; i < 6; ++i) {
            tensors.push_back(operands.random({2, 5, 6, 3}));
            parts.push_back({tensors.back()});
        }
        parts[4].scale = tensors.emplace_back(operands.random({2, 1, 1, 3}));
        parts[4].shift = tensors.emplace_back(operands.random({2, 1, 1, 3}));
        parts[4].activation = Activation::relu;
        const Operand<B> x{std::span<const OperandPart<B>>(parts)};
        const Window window{.kernel = 3, .padding = 1}, half{.kernel = 2, .stride = 2};
        const auto w = operands.random({3, 3, 18, 4}), dy = operands.random({2, 5, 6, 4});
        const auto y = operands.result({2, 5, 6, 4}), dw = operands.result({3, 3, 18, 4});
        const auto small = operands.random({2, 2, 3, 18}), dx = operands.result({2, 5, 6, 18});
        const auto pooled = operands.result({2, 2, 3, 18});
        backend.convolve(x, w, {}, {}, window, Activation::identity, y);
        backend.convolve_backward_weights(x, dy, window, dw, Tensor<B>());
        backend.max_pool(x, half, pooled);
        backend.max_pool_backward(x, small, half, dx);

        std::vector<Index> order;
        for (Index i = 0; i < 150; ++i) order.push_back(i * 7 % 3);
        const auto frames = operands.random({3, 2, 2, 5}), gradients = operands.random({150, 2, 2, 5});
        const auto gathered = operands.result({150, 2, 2, 5}), spread = operands.result({3, 2, 2, 5});
        const auto sums = operands.result({150, 2, 2, 5});
        backend.gather_frames(frames, order, gathered);
        backend.gather_frames_backward(gradients, order, spread);
        backend.combine_frames(2, frames, order, -1, frames, order, Tensor<B>(), Activation::identity, sums);
        const auto results = operands.ready({}).results;
        std::vector<std::vector<typename B::Scalar>> values;
        for (const auto& result : results) values.push_back(values_of(result));
        return values;
    };
    const auto ours = run(emulated);
    const auto expected = run(exact);
    REQUIRE(ours.size() == expected.size());
    for (std::size_t i = 0; i < ours.size(); ++i) {
        INFO("result " << i);
        CHECK(testing::deviation(ours[i], expected[i]).rms < 1e-5);
    }
}
