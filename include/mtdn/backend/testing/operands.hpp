#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <mtdn/backend/backend.hpp>
#include <mtdn/core/random.hpp>

namespace mtdn::testing::cases {

/// One operation with its operands on a backend, ready to run.
template <Backend B>
struct Prepared {
    std::function<void()> run;
    std::vector<Tensor<B>> results;              ///< what `run` writes, with its surroundings if it is a slice
    std::vector<Tensor<B, std::uint8_t>> codes;  ///< the same for labels
    double bytes = 0;                            ///< of all operands and results
};

/// A named operation on operands of a shape, not yet allocated.
template <Backend B>
struct Case {
    std::string operation, pass, shape;
    std::function<Prepared<B>(B&)> prepare;
    double operations = 0;  ///< floating-point operations, where they are what costs

    std::string name() const { return operation + '/' + pass + '/' + shape; }
};

/// How an operand lies in memory: on its own, or as some of the channels of a larger tensor.
enum class Layout { whole, slice };

inline const char* name_of(Activation activation) {
    constexpr const char* names[] = {"identity", "relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu", "absolute"};
    return names[static_cast<int>(activation)];
}
inline constexpr Activation activations[] = {Activation::identity, Activation::relu,    Activation::leaky_relu,
                                             Activation::sigmoid,  Activation::tanh,    Activation::silu,
                                             Activation::gelu,     Activation::absolute};

/// Writes the parts one after the other, shapes as `2x9x7x3`, windows as `k3s1p1`, layouts only if they are slices.
class Label {
public:
    template <class... Parts>
    explicit Label(const Parts&... parts) {
        (add(parts), ...);
    }
    operator std::string() const { return out_.str(); }

private:
    void add(const Shape& s) { out_ << s.frames << 'x' << s.height << 'x' << s.width << 'x' << s.channels; }
    void add(const Window& w) { out_ << "-k" << w.kernel << 's' << w.stride << 'p' << w.padding; }
    void add(Activation activation) {
        if (activation != Activation::identity) out_ << '-' << name_of(activation);
    }
    void add(Layout layout) {
        if (layout == Layout::slice) out_ << "-slice";
    }
    template <class T>
    void add(const T& part) {
        out_ << part;
    }

    std::ostringstream out_;
};

/// Makes the operands of one case: the same values, exact in single precision, on every backend.
template <Backend B>
class Operands {
public:
    using Scalar = typename B::Scalar;

    Operands(B& backend, const std::string& name) : backend_(backend), random_(20, name) {}

    /// Uniform in [low, high), in steps of `step` unless that is 0.
    Tensor<B> random(const Shape& shape, Layout layout = Layout::whole, double low = -1, double high = 1,
                     double step = 0) {
        whole_ = layout == Layout::whole ? shape : shape.with_channels(shape.channels + 8);
        last_ = Tensor<B>(backend_, whole_);
        std::vector<Scalar> values(static_cast<std::size_t>(whole_.size()));
        for (auto& value : values) {
            const double drawn = random_.uniform(low, high);
            value = static_cast<Scalar>(static_cast<float>(step > 0 ? std::floor(drawn / step) * step : drawn));
        }
        backend_.upload(std::span<const Scalar>(values), View<B, Scalar>(last_));
        prepared_.bytes += static_cast<double>(shape.size()) * sizeof(Scalar);
        return layout == Layout::whole ? last_ : last_.channels(3, shape.channels);
    }

    /// What the operation writes; random before, so that what is added to, and what must stay, shows.
    Tensor<B> result(const Shape& shape, Layout layout = Layout::whole, double low = -1, double high = 1) {
        auto tensor = random(shape, layout, low, high);
        prepared_.results.push_back(last_);
        return tensor;
    }

    /// Labels below `classes`, one in five 255.
    Tensor<B, std::uint8_t> labels(const Shape& shape, Index classes) {
        Tensor<B, std::uint8_t> tensor(backend_, shape.with_channels(1));
        std::vector<std::uint8_t> values(static_cast<std::size_t>(shape.pixels()));
        for (auto& value : values)
            value = random_.chance(0.2) ? std::uint8_t{255} : static_cast<std::uint8_t>(random_.below(classes));
        backend_.upload(std::span<const std::uint8_t>(values), View<B, std::uint8_t>(tensor));
        prepared_.bytes += static_cast<double>(shape.pixels());
        return tensor;
    }

    Tensor<B, std::uint8_t> codes(const Shape& shape) {
        prepared_.codes.push_back(labels(shape, 2));
        return prepared_.codes.back();
    }

    /// Mean and variance (g, 1, 1, C) of x, computed on the host.
    std::pair<Tensor<B>, Tensor<B>> statistics(const Tensor<B>& x, Index groups) {
        const Shape& shape = x.shape();
        const Shape vectors{groups, 1, 1, shape.channels};
        std::vector<Scalar> values(static_cast<std::size_t>(shape.size()));
        backend_.download(View<B, const Scalar>(x), std::span<Scalar>(values));
        const auto pixels = static_cast<std::size_t>(shape.pixels() / groups);
        const auto channels = static_cast<std::size_t>(shape.channels);
        std::vector<Scalar> means, variances;
        for (std::size_t g = 0; g < static_cast<std::size_t>(groups); ++g)
            for (std::size_t c = 0; c < channels; ++c) {
                const auto value = [&](std::size_t p) { return double{values[(g * pixels + p) * channels + c]}; };
                double mean = 0, variance = 0;
                for (std::size_t p = 0; p < pixels; ++p) mean += value(p) / static_cast<double>(pixels);
                for (std::size_t p = 0; p < pixels; ++p)
                    variance += (value(p) - mean) * (value(p) - mean) / static_cast<double>(pixels);
                means.push_back(static_cast<Scalar>(static_cast<float>(mean)));
                variances.push_back(static_cast<Scalar>(static_cast<float>(variance)));
            }
        Tensor<B> mean(backend_, vectors), variance(backend_, vectors);
        backend_.upload(std::span<const Scalar>(means), View<B, Scalar>(mean));
        backend_.upload(std::span<const Scalar>(variances), View<B, Scalar>(variance));
        return {mean, variance};
    }

    Prepared<B> ready(std::function<void()> run) {
        prepared_.run = std::move(run);
        return std::move(prepared_);
    }

private:
    B& backend_;
    Random random_;
    Shape whole_;
    Tensor<B> last_;
    Prepared<B> prepared_;
};

}  // namespace mtdn::testing::cases
