#pragma once

// What the contestants of convolution_peers agree on: a layer, its operands, and how a contestant is handed over.
#include <functional>
#include <string>
#include <vector>

#include <mtdn/core/random.hpp>
#include <mtdn/core/shape.hpp>

namespace peers {

using mtdn::Index;

enum class Direction { forward, backward_data, backward_weights };

inline const char* name_of(Direction direction) {
    constexpr const char* names[] = {"forward", "backward data", "backward weights"};
    return names[static_cast<int>(direction)];
}

/// A convolution of stride 1 that keeps the sides, or a transposed one of kernel 2 and stride 2.
struct Layer {
    std::string part;
    Index frames, side, in, out, kernel;
    bool transposed = false;
    bool first = false;  ///< takes the frames themselves, whose gradient nobody needs

    Index padding() const { return transposed ? 0 : kernel / 2; }
    Index out_side() const { return transposed ? 2 * side : side; }
    mtdn::Shape x() const { return {frames, side, side, in}; }
    mtdn::Shape w() const { return {kernel, kernel, in, out}; }
    mtdn::Shape y() const { return {frames, out_side(), out_side(), out}; }
    /// Counted as the direct algorithm's, in every direction.
    double flops() const { return 2.0 * static_cast<double>(x().pixels() * w().size()); }
    double bytes() const { return 4.0 * static_cast<double>(x().size() + w().size() + y().size()); }
    std::string label() const {
        const auto number = [](Index value) { return std::to_string(value); };
        return number(in) + "→" + number(out) + (transposed ? " up" : "") + ", " + number(kernel) + "×" +
               number(kernel) + ", " + number(side) + "²";
    }
};

/// The distinct convolutions of the two-task Siamese U-Net whose first level has `width` channels.
inline std::vector<Layer> network(Index width, Index side, Index frames, Index pairs) {
    std::vector<Layer> layers;
    const auto channels = [width](int level) { return width << level; };
    for (int level = 0; level <= 4; ++level) {
        const Index before = level == 0 ? 3 : channels(level - 1);
        layers.push_back({"encoder", frames, side >> level, before, channels(level), 3, false, level == 0});
        layers.push_back({"encoder", frames, side >> level, channels(level), channels(level), 3});
    }
    for (int level = 3; level >= 0; --level) {
        layers.push_back({"decoder", frames, side >> (level + 1), channels(level + 1), channels(level), 2, true});
        layers.push_back({"decoder", frames, side >> level, channels(level + 1), channels(level), 3});
    }
    const Index heads[] = {2 * width, 2 * width, width, width / 2, 3};
    for (int i = 0; i < 4; ++i) layers.push_back({"head", pairs, side, heads[i], heads[i + 1], 3});
    layers.push_back({"head", pairs, side, 3, 4, 1});
    return layers;
}

/// Random operands, channels last, weights as (row, column, in, out); `dy` is the result's gradient.
struct Operands {
    std::vector<float> x, w, dy;

    explicit Operands(const Layer& layer) {
        mtdn::Random random(7, layer.label());
        const auto fill = [&random](const mtdn::Shape& shape) {
            std::vector<float> values(static_cast<std::size_t>(shape.size()));
            for (float& value : values) value = static_cast<float>(random.uniform(-1, 1));
            return values;
        };
        x = fill(layer.x());
        w = fill(layer.w());
        dy = fill(layer.y());
    }
};

/// One way to compute one direction of one layer.
struct Contestant {
    std::string name;
    std::function<void()> run;
    /// What the last run wrote, channels last or (row, column, in, out).
    std::function<std::vector<float>()> result;
};

}  // namespace peers
