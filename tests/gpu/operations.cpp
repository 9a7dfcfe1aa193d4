// Every operation on a GPU, against the reference and against itself.
#include <iostream>

#include <mtdn/backend/testing/checks.hpp>
#include <mtdn/cuda.hpp>

#include "../cuda/exact_convolutions.hpp"

using namespace mtdn;

int main() try {
    const std::unique_ptr<Cuda> gpu = [] {
        try {
            return std::make_unique<Cuda>();
        } catch (const BackendError& error) {
            // Without a GPU there is nothing to test; a GPU that cannot be used is a failure.
            if (std::string(error.what()).find("no CUDA device") == std::string::npos) throw;
            std::cout << "skipped: " << error.what() << '\n';
            return std::unique_ptr<Cuda>();
        }
    }();
    if (!gpu) return 0;
    std::cout << gpu->describe() << '\n';
    auto failures = testing::check_backend(*gpu);
    const auto add = [&](const std::vector<std::string>& more) {
        failures.insert(failures.end(), more.begin(), more.end());
    };
    Cuda again;
    add(testing::check_equal_bits(*gpu, again));
    add(testing::check_exact_convolutions(*gpu));
    for (const Precision precision : {Precision::bfloat16, Precision::tf32}) {
        try {
            const CudaOptions options{.precision = precision}, plain{.precision = precision, .simple = true};
            Cuda fast(options), twin(options), simple(plain);
            add(testing::check_backend(fast, precision == Precision::bfloat16 ? 1e-2 : 1e-3));
            add(testing::check_equal_bits(fast, twin));
            add(testing::check_exact_convolutions(fast));
            add(testing::check_equal_bits(*gpu, simple));
        } catch (const BackendError& error) {
            if (std::string(error.what()).find("need compute capability 8.0") == std::string::npos) throw;
            std::cout << error.what() << '\n';
        }
    }
    try {
        Tensor<Cuda> logits(*gpu, {1, 1, 1, 4}), loss(*gpu, vector_shape(1)), divisor(*gpu, vector_shape(1));
        Tensor<Cuda, std::uint8_t> labels(*gpu, {1, 1, 1, 1});
        const std::uint8_t none = 4;
        gpu->upload(std::span<const std::uint8_t>(&none, 1), View<Cuda, std::uint8_t>(labels));
        gpu->fill(logits, 0);
        gpu->focal_loss(logits, labels, Tensor<Cuda>(), FocalOptions{}, loss, divisor);
        failures.push_back("label 4 of 4 classes was taken");
    } catch (const DataError& error) {
        if (std::string(error.what()).find("label 4 in pixel 0") == std::string::npos) failures.push_back(error.what());
    }
    try {
        Tensor<Cuda> huge(*gpu, {1 << 20, 1 << 10, 1 << 10, 1});
        failures.push_back("4 PiB of memory were given");
    } catch (const BackendError& error) {
        if (std::string(error.what()).find("MiB free") == std::string::npos) failures.push_back(error.what());
    }
    for (const auto& failure : failures) std::cout << failure << '\n';
    std::cout << failures.size() << " failures\n";
    return failures.empty() ? 0 : 1;
} catch (const std::exception& error) {
    std::cout << error.what() << '\n';
    return 1;
}
