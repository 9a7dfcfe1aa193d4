#include <cstdio>
#include <string>

#include <mtdn/cudnn.hpp>

// A unit of the host compiler, and a convolution that is cuDNN's.
int main() try {
    mtdn::CudnnCuda gpu;
    const mtdn::Tensor<mtdn::CudnnCuda> x(gpu, {1, 4, 4, 1}), w(gpu, {3, 3, 1, 1}), y(gpu, {1, 4, 4, 1});
    gpu.fill(x, 1);
    gpu.fill(w, 1);
    gpu.convolve(x, w, {}, {}, {.padding = 1}, mtdn::Activation::identity, y);
    const double sum = gpu.sum_of_squares(y);  // 4 in the corners, 6 at the edges, 9 inside
    std::printf("%s: %g\n", gpu.describe().c_str(), sum);
    return sum == 676 ? 0 : 1;
} catch (const mtdn::BackendError& error) {
    const std::string message = error.what();
    std::printf("%s\n", message.c_str());
    return message.find("no CUDA device") == std::string::npos ? 1 : 0;
}
