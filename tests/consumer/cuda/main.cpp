#include "own.hpp"

#include <cstdio>

// Two units of the host compiler, one that instantiates the backend, and one with a kernel of its own.
int main() try {
    mtdn::Cuda gpu;
    mtdn::Tensor<mtdn::Cuda> x(gpu, mtdn::vector_shape(1000));
    gpu.fill(x, 3);
    square_all(x);
    const double sum = gpu.sum_of_squares(x);
    std::printf("%s: %g\n", describe(gpu).c_str(), sum);
    return sum == 81000 ? 0 : 1;
} catch (const mtdn::BackendError& error) {
    const std::string message = error.what();
    std::printf("%s\n", message.c_str());
    return message.find("no CUDA device") == std::string::npos ? 1 : 0;
}
